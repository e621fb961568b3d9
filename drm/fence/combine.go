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
	return &Fence{driver: "dma_fence_array", timeline: "unbound", context: contextIDs.Add(1), seqno: 1, parts: pending}
}

func (f *Fence) composite() bool { return f.parts != nil || f.link != nil }

// firstPending returns a simple fence that the composite one waits for, nil
// when there is none any more.
func (f *Fence) firstPending() *Fence {
	for leaf := range f.leaves() {
		if !leaf.Signaled() {
			return leaf
		}
	}
	return nil
}

// result is what the composite fence is signalled with once nothing is
// pending: an array with the time of the last part, and the error that came
// first. A chain keeps what is before it no longer than that is pending: it has
// the time of its own point, and does not pass errors on.
func (f *Fence) result() (at time.Duration, err error) {
	if f.link != nil {
		_, at, _ = f.link.own.Status()
		return at, nil
	}
	var failed time.Duration
	for _, p := range f.parts {
		_, partAt, partErr := p.Status()
		if partErr != nil && (err == nil || partAt < failed) {
			err, failed = partErr, partAt
		}
		at = max(at, partAt)
	}
	return at, err
}

// rearm has a composite fence told when one that it waits for is signalled, as
// long as anybody wants to know. When none is left, it is signalled itself, and
// rearm returns who is to be told.
//
// It watches one part at a time, and nothing while nobody asks, so that what
// clients combine and throw away leaves no trace in fences that are pending.
func (f *Fence) rearm() []*watcher {
	for {
		part := f.firstPending()
		if part == nil {
			watchers, _ := f.finish(f.result())
			return watchers
		}
		if f.arm(part) {
			return nil
		}
	}
}

// arm watches a part, if need be; false when it was signalled meanwhile.
func (f *Fence) arm(part *Fence) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.signaled || f.armed != nil || !f.wanted() {
		return true
	}
	w := &watcher{whole: f, of: part}
	if !part.watch(w) {
		return false
	}
	f.armed = w
	return true
}

// partSignaled is told that the part that w watches is signalled. It returns
// who else is to be told.
func (f *Fence) partSignaled(w *watcher) []*watcher {
	f.mu.Lock()
	current := f.armed == w
	if current {
		f.armed = nil
	}
	f.mu.Unlock()
	if !current {
		return nil
	}
	return f.rearm()
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
