package syncobj

import (
	"cmp"
	"container/list"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
)

// A Syncobj holds the fence of the last submitted work: struct drm_syncobj.
// With points it is a timeline, a chain of fences. All methods may be called
// concurrently.
//
// Handles and descriptors hold references. When the last one goes, no fence can
// be submitted any more, and waiters that need one are dropped.
type Syncobj struct {
	mu      sync.Mutex
	refs    int
	fence   *fence.Fence // nil before the first submission and after a reset
	waiters list.List    // of *waiter

	account *drm.Account // charged for the object; nil for none
}

// A waiter waits for a point to be submitted.
type waiter struct {
	point uint64
	// submitted is called once, with the fence of the point, while the lock of
	// the object is held.
	submitted func(*fence.Fence)
	// dropped, if not nil, is called when the object goes away instead.
	dropped func()
}

// New returns an object with one reference and the fence f, which may be nil.
func New(f *fence.Fence) *Syncobj { return &Syncobj{refs: 1, fence: f} }

// Fence returns the last submitted fence, or nil. For a timeline, it is the
// node of the last point.
func (s *Syncobj) Fence() *fence.Fence {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fence
}

// Replace sets the fence of the object; nil resets it.
func (s *Syncobj) Replace(f *fence.Fence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replace(f)
}

// AddPoint appends a point to the timeline. The point is signalled when f and
// all earlier points are. AddPoint returns the fence of the point.
func (s *Syncobj) AddPoint(f *fence.Fence, point uint64) *fence.Fence {
	s.mu.Lock()
	defer s.mu.Unlock()
	node := fence.NewChain(s.fence, f, point)
	s.replace(node)
	node.Collect()
	return node
}

// replace sets the fence and serves the waiters whose points it has. The caller
// must hold mu.
func (s *Syncobj) replace(f *fence.Fence) {
	if f == s.fence {
		return
	}
	s.fence = f
	if f == nil {
		return
	}
	var ready []*waiter
	for e := s.waiters.Front(); e != nil; {
		next := e.Next()
		if w := e.Value.(*waiter); f.HasPoint(w.point) {
			s.waiters.Remove(e)
			ready = append(ready, w)
		}
		e = next
	}
	// Many waiters and a long timeline: walk it once for all of them.
	slices.SortStableFunc(ready, func(a, b *waiter) int { return cmp.Compare(b.point, a.point) })
	points := make([]uint64, len(ready))
	for i, w := range ready {
		points[i] = w.point
	}
	for i, found := range f.Points(points) {
		ready[i].submitted(found)
	}
}

// Find returns the fence of a point, or of the object if point is 0. It fails
// with EINVAL if the point is not submitted yet.
func (s *Syncobj) Find(point uint64) (*fence.Fence, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(point)
}

func (s *Syncobj) find(point uint64) (*fence.Fence, error) {
	if s.fence == nil {
		return nil, fmt.Errorf("syncobj: the sync object has no fence yet: %w", unix.EINVAL)
	}
	return s.fence.Point(point)
}

// await calls w.submitted when the point is submitted, or at once if it is
// already. remove cancels the wait.
func (s *Syncobj) await(w *waiter) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, err := s.find(w.point); err == nil {
		w.submitted(found)
		return func() {}
	}
	e := s.waiters.PushBack(w)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waiters.Remove(e) // no-op if e is no longer in the list
	}
}

// Get takes a reference. The caller must hold one already.
func (s *Syncobj) Get() {
	if !s.tryGet() {
		panic("syncobj: Get after the last Put")
	}
}

// tryGet takes a reference, or returns false if the last one was put already.
func (s *Syncobj) tryGet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs == 0 {
		return false
	}
	s.refs++
	return true
}

// Put drops a reference. The last Put drops the waiters, since no fence can be
// submitted any more.
func (s *Syncobj) Put() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs--; s.refs > 0 {
		return
	}
	s.account.Refund(drm.Objects, 1)
	for e := s.waiters.Front(); e != nil; e = e.Next() {
		if w := e.Value.(*waiter); w.dropped != nil {
			w.dropped()
		}
	}
	s.waiters.Init()
}
