package fence

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// Merge returns a fence that is signalled when all of fences are, with the
// first error that one of them has from then on. Composite fences are taken
// apart, those that are signalled are left out, and of one context only the
// last is kept (dma_fence_unwrap_merge).
func Merge(fences ...*Fence) *Fence {
	var latest time.Duration
	var pending []*Fence
	for _, f := range fences {
		for leaf := range f.leaves() {
			if signaled, at, _ := leaf.Status(); signaled {
				latest = max(latest, at)
				continue
			}
			pending = append(pending, leaf)
		}
	}
	slices.SortFunc(pending, func(a, b *Fence) int {
		return cmp.Or(cmp.Compare(a.context, b.context), cmp.Compare(b.seqno, a.seqno))
	})
	pending = slices.CompactFunc(pending, func(a, b *Fence) bool { return a.context == b.context })
	switch len(pending) {
	case 0:
		if latest == 0 {
			latest = Now()
		}
		return stubAt(latest)
	case 1:
		return pending[0]
	}
	a := &Fence{driver: "dma_fence_array", timeline: "unbound", context: contextIDs.Add(1), seqno: 1, parts: pending}
	a.compose(pending)
	return a
}

// compose makes f be signalled by its parts.
func (f *Fence) compose(parts []*Fence) {
	f.pending = len(parts) + 1 // and one until all are added
	for _, p := range parts {
		if !p.watch(&watcher{whole: f}) {
			_, at, err := p.Status()
			f.partSignaled(at, err)
		}
	}
	f.partSignaled(0, nil) // nobody watches yet
}

// leaves are the fences that a composite fence is made of, without those of a
// chain that are signalled; a simple fence is its own.
func (f *Fence) leaves() iter.Seq[*Fence] {
	return func(yield func(*Fence) bool) {
		for node := f; node != nil; node = node.walk() {
			one := node.contained()
			if one.parts == nil {
				if !yield(one) {
					return
				}
				continue
			}
			for _, p := range one.parts {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// A Set is the fences that something waits for: of each context the last, and
// none that is signalled. Its zero value is empty. It is not safe for
// concurrent use.
type Set struct{ fences []*Fence }

// Add adds the fences that f is made of.
func (s *Set) Add(f *Fence) {
	for leaf := range f.leaves() {
		i := slices.IndexFunc(s.fences, func(other *Fence) bool { return other.context == leaf.context })
		switch {
		case i < 0:
			s.fences = append(s.fences, leaf)
		case s.fences[i].seqno < leaf.seqno:
			s.fences[i] = leaf
		}
	}
	s.Pending()
}

// Pending returns the fences that are not signalled. The caller may keep it
// until the next call.
func (s *Set) Pending() []*Fence {
	s.fences = slices.DeleteFunc(s.fences, (*Fence).Signaled)
	return s.fences
}
