package gem

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestOffsets gives and takes offsets at random, in a space that is often used
// up, and checks that no ranges overlap and that none is refused that would fit
// at the start.
func TestOffsets(t *testing.T) {
	const from, to = 1000, 1100
	random := rand.New(rand.NewPCG(1, 2))
	s := newOffsetSpace(from, to)
	var live []*Object
	refused, reused := 0, 0
	for range 20_000 {
		if len(live) > 0 && random.IntN(2) == 0 {
			i := random.IntN(len(live))
			s.take(live[i])
			live = slices.Delete(live, i, i+1)
			continue
		}
		o := &Object{size: 1 + random.Uint64N(20)}
		before := s.next
		if !s.give(o) {
			refused++
			if fits(live, from, to, o.size) {
				t.Fatalf("%d bytes were refused, and there is room for them", o.size)
			}
			continue
		}
		if o.offset < before {
			reused++
		}
		if o.offset < from || o.offset+o.size > to {
			t.Fatalf("the range %d+%d is outside of the space", o.offset, o.size)
		}
		for _, other := range live {
			if o.offset < other.offset+other.size && other.offset < o.offset+o.size {
				t.Fatalf("%d+%d overlaps %d+%d", o.offset, o.size, other.offset, other.size)
			}
		}
		live = append(live, o)
		if s.objects[o.offset] != o || len(s.objects) != len(live) || s.order.Len() != len(live) {
			t.Fatal("the tables do not have the objects that have offsets")
		}
	}
	if refused == 0 || reused == 0 {
		t.Errorf("%d requests were refused, %d ranges used again: the test shows nothing", refused, reused)
	}
}

// fits reports whether size bytes fit between objects.
func fits(objects []*Object, from, to, size uint64) bool {
	sorted := slices.SortedFunc(slices.Values(objects), func(a, b *Object) int { return int(a.offset) - int(b.offset) })
	for _, o := range sorted {
		if from+size <= o.offset {
			return true
		}
		from = o.offset + o.size
	}
	return from+size <= to
}
