package fence

import (
	"cmp"
	"iter"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// Merge returns a fence that is signalled when all the given fences are. It
// takes the error of the part that fails first. Merge takes composite fences
// apart, leaves out signalled ones, and keeps only the last fence of each
// context (dma_fence_unwrap_merge). The errors of fences that are already
// signalled are lost.
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

// partsOfObject is how many parts of a merged fence are charged as one object:
// those that a page has room for.
const partsOfObject = 512

// MergeFor is [Merge] at the request of a client, who is charged for the parts:
// each further fence that a client merges of the same parts takes their memory
// again. MergeFor fails with ENOMEM if the client has too many objects.
func MergeFor(account *drm.Account, fences ...*Fence) (*Fence, error) {
	f := Merge(fences...)
	if len(f.parts) == 0 || account == nil {
		return f, nil
	}
	n := int64((len(f.parts) + partsOfObject - 1) / partsOfObject)
	if err := account.Charge(drm.Objects, n, unix.ENOMEM); err != nil {
		return nil, err
	}
	// Nothing but the garbage collector knows when it goes.
	runtime.AddCleanup(f, func(account *drm.Account) { account.Refund(drm.Objects, n) }, account)
	return f, nil
}

func (f *Fence) composite() bool { return f.parts != nil || f.link != nil }

// firstPending returns a pending part of a composite fence, or nil if all
// parts are signalled.
func (f *Fence) firstPending() *Fence {
	for leaf := range f.leaves() {
		if !leaf.Signaled() {
			return leaf
		}
	}
	return nil
}

// result returns the timestamp and the error of a composite fence with no
// pending part. An array takes the time of its last part and the error that
// occurred first. A chain node unlinks earlier points as they are signalled,
// so it takes the time of its own point, and no error.
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

// rearm makes a composite fence watch one of its pending parts while the fence
// has watchers of its own. If no part is pending, rearm signals the fence and
// returns the watchers to notify.
//
// The fence watches one part at a time, and none while it is not watched
// itself. So a composite fence that a client discards leaves nothing behind in
// its pending parts.
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

// arm watches part, if the fence needs it. It returns false if part has been
// signalled in the meantime.
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

// partSignaled handles the signal of the part that w watches. It returns the
// watchers to notify next.
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

// leaves returns the simple fences that f consists of, without the signalled
// ones of a chain. A simple fence consists of itself.
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

// A Set is a set of pending fences that keeps only the last fence of each
// context. The zero value is an empty set. It is not safe for concurrent use.
type Set struct{ fences []*Fence }

// Add adds the fences that f consists of.
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

// Pending returns the fences that are not signalled. The slice is valid until
// the next call of a method of s.
func (s *Set) Pending() []*Fence {
	s.fences = slices.DeleteFunc(s.fences, (*Fence).Signaled)
	return s.fences
}
