package handle_test

import (
	"math/rand/v2"
	"testing"

	"github.com/udrm/udrm/drm/internal/handle"
)

// TestSlots compares slots with a map that is searched from 1 on.
func TestSlots(t *testing.T) {
	var slots handle.Slots[int]
	model := make(map[uint32]int)
	r := rand.New(rand.NewPCG(1, 2))
	number := func() uint32 { return 1 + r.Uint32N(9000) } // more than two levels of 64
	for step := 1; step < 60000; step++ {
		// It grows, shrinks, and grows again.
		switch grows := step/10000%2 == 0; {
		case r.IntN(10) == 0:
			n := number()
			_, taken := model[n]
			if put := slots.Put(n, step); put == taken {
				t.Fatalf("step %d: Put(%d) returns %v", step, n, put)
			} else if put {
				model[n] = step
			}
		case grows == (r.IntN(4) > 0):
			want := uint32(1)
			for model[want] != 0 {
				want++
			}
			if got := slots.Add(step); got != want {
				t.Fatalf("step %d: Add returns %d, want %d", step, got, want)
			}
			model[want] = step
		default:
			n := number()
			v, ok := slots.Free(n)
			if want, taken := model[n]; ok != taken || v != want {
				t.Fatalf("step %d: Free(%d) returns %d, %v; want %d, %v", step, n, v, ok, want, taken)
			}
			delete(model, n)
		}
	}
	if slots.Len() != len(model) {
		t.Errorf("%d numbers are in use, want %d", slots.Len(), len(model))
	}
	for n, v := range slots.All() {
		if model[n] != v {
			t.Errorf("number %d has %d, want %d", n, v, model[n])
		}
	}
}

// TestManySlots frees the first and the last of very many numbers and takes them
// again, many times. If the search for the last one looked at all before it, the test
// would take minutes.
func TestManySlots(t *testing.T) {
	const many = 1 << 20
	var slots handle.Slots[int]
	for i := range many {
		slots.Add(i + 1)
	}
	for range many {
		slots.Free(1)
		slots.Free(many)
		if first, last := slots.Add(1), slots.Add(many); first != 1 || last != many {
			t.Fatalf("Add returns %d and %d, want 1 and %d", first, last, many)
		}
	}
}
