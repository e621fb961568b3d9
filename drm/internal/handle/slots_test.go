package handle_test

import (
	"math/rand/v2"
	"testing"

	"github.com/udrm/udrm/drm/internal/handle"
)

// TestSlots compares slots with a list that is searched from 1 on.
func TestSlots(t *testing.T) {
	var slots handle.Slots[int]
	const numbers = 9000 // more than two levels of 64
	model := make([]int, 4*numbers)
	r := rand.New(rand.NewPCG(1, 2))
	number := func() uint32 { return 1 + r.Uint32N(numbers) }
	for step := 1; step < 60000; step++ {
		// It grows, shrinks, and grows again.
		switch grows := step/10000%2 == 0; {
		case r.IntN(10) == 0:
			n := number()
			if put := slots.Put(n, step); put != (model[n] == 0) {
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
			if want := model[n]; v != want || ok != (want != 0) {
				t.Fatalf("step %d: Free(%d) returns %d, %v; want %d", step, n, v, ok, want)
			}
			model[n] = 0
		}
	}
	used := 0
	for n, want := range model {
		if want == 0 {
			continue
		}
		used++
		if v, _ := slots.At(uint32(n)); v != want {
			t.Errorf("number %d has %d, want %d", n, v, want)
		}
	}
	if slots.Len() != used {
		t.Errorf("%d numbers are in use, want %d", slots.Len(), used)
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
