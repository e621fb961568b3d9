package handle_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/udrm/udrm/drm/internal/handle"
)

// counted is an object that counts its references.
type counted struct{ refs atomic.Int64 }

func (c *counted) Get() { c.refs.Add(1) }
func (c *counted) Put() { c.refs.Add(-1) }

func newCounted() *counted {
	c := &counted{}
	c.Get()
	return c
}

func TestLowestFreeHandleFirst(t *testing.T) {
	var table handle.Table[*counted]
	objects := make([]*counted, 5)
	for i := range objects {
		objects[i] = newCounted()
		if got := table.Create(objects[i]); got != uint32(i+1) {
			t.Fatalf("handle %d, want %d", got, i+1)
		}
	}
	for _, freed := range []uint32{4, 2} {
		if o, ok := table.Remove(freed); !ok || o != objects[freed-1] {
			t.Errorf("Remove(%d) returns %p, %v", freed, o, ok)
		}
	}
	for _, unknown := range []uint32{0, 2, 4, 6, 1 << 31, 1<<32 - 1} {
		if _, ok := table.Lookup(unknown); ok {
			t.Errorf("Lookup(%d) finds an object", unknown)
		}
		if _, ok := table.Remove(unknown); ok {
			t.Errorf("Remove(%d) finds an object", unknown)
		}
	}
	for _, want := range []uint32{2, 4, 6} {
		if got := table.Create(newCounted()); got != want {
			t.Errorf("handle %d, want %d", got, want)
		}
	}
}

func TestReferences(t *testing.T) {
	var table handle.Table[*counted]
	o := newCounted()
	first := table.Create(o)
	o.Get()
	second := table.Create(o)
	if again, created := table.FindOrCreate(o); created || again != first {
		t.Errorf("FindOrCreate returns %d, %v; want the lowest handle, %d", again, created, first)
	}
	if found, ok := table.Lookup(second); !ok || found != o || o.refs.Load() != 3 {
		t.Errorf("Lookup returns %p, %v; %d references", found, ok, o.refs.Load())
	}
	o.Put()
	if removed, ok := table.Remove(first); !ok || removed != o || o.refs.Load() != 2 {
		t.Errorf("Remove returns %p, %v; %d references", removed, ok, o.refs.Load())
	}
	if cleared := table.Clear(); len(cleared) != 1 || cleared[0] != o || table.Has(o) {
		t.Errorf("Clear returns %v", cleared)
	}
	if got := table.Create(o); got != 1 {
		t.Errorf("after Clear the next handle is %d", got)
	}
}

// However many ask at once, an object gets one handle.
func TestFindOrCreateOnce(t *testing.T) {
	var table handle.Table[*counted]
	o := newCounted()
	var created atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			o.Get()
			if _, mine := table.FindOrCreate(o); mine {
				created.Add(1)
			} else {
				o.Put()
			}
		})
	}
	wg.Wait()
	if created.Load() != 1 || o.refs.Load() != 2 {
		t.Errorf("%d handles were made, %d references are held", created.Load(), o.refs.Load())
	}
}

// TestChange gives objects handles of the caller's choice. New objects get the
// others.
func TestChange(t *testing.T) {
	var table handle.Table[*counted]
	var objects []*counted
	create := func(want uint32) {
		t.Helper()
		o := newCounted()
		objects = append(objects, o)
		if got := table.Create(o); got != want {
			t.Errorf("handle %d, want %d", got, want)
		}
	}
	create(1)
	create(2)
	for _, tc := range []struct {
		from, to  uint32
		had, free bool
	}{
		{1, 1<<31 - 1, true, true}, {1, 9, false, false}, {1<<31 - 1, 4, true, true},
		{2, 4, true, false}, {4, 4, true, true}, {2, 1, true, true}, {1, 3, true, true}, {4, 0, true, false},
	} {
		if had, free := table.Change(tc.from, tc.to); had != tc.had || free != tc.free {
			t.Errorf("Change(%d, %d) returns %v, %v", tc.from, tc.to, had, free)
		}
	}
	create(1) // 3 and 4 are taken
	create(2)
	create(5)
	if o, ok := table.Remove(4); !ok || o != objects[0] || !table.Has(objects[1]) || table.Has(objects[0]) {
		t.Errorf("handle 4 was that of %p, %v", o, ok)
	}
	if list := table.Clear(); len(list) != 4 || list[2] != objects[1] || table.Len() != 0 {
		t.Errorf("%d objects are left", len(list))
	}
}
