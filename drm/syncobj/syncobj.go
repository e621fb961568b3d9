package syncobj

import (
	"container/list"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/fence"
)

// A Syncobj holds the fence of what was last submitted: struct drm_syncobj.
// With points it is a timeline: a chain of fences. All methods may be called
// concurrently.
//
// It is reference-counted, by handles and descriptors, for the sake of those
// who want to be told of fences that will never come: they are let go with
// the last reference.
type Syncobj struct {
	mu      sync.Mutex
	refs    int
	fence   *fence.Fence // nil: nothing is submitted
	waiters list.List    // of *waiter
}

// A waiter waits for a point to be submitted.
type waiter struct {
	point uint64
	// submitted gets the fence of the point, once. It is called with the lock
	// of the object held.
	submitted func(*fence.Fence)
	// dropped says that the object is gone. It may be nil.
	dropped func()
}

// New returns an object with one reference and the fence f, nil for none.
func New(f *fence.Fence) *Syncobj { return &Syncobj{refs: 1, fence: f} }

// Fence returns what was last submitted, nil for nothing: for a timeline, its
// last point.
func (s *Syncobj) Fence() *fence.Fence {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fence
}

// Replace makes f the fence of the object, nil for none.
func (s *Syncobj) Replace(f *fence.Fence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replace(f)
}

// AddPoint appends a point to the timeline, which is signalled when f is, and
// all before it.
func (s *Syncobj) AddPoint(f *fence.Fence, point uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	node := fence.NewChain(s.fence, f, point)
	s.replace(node)
	node.Collect()
}

// replace is called with mu held.
func (s *Syncobj) replace(f *fence.Fence) {
	if f == s.fence {
		return
	}
	s.fence = f
	for e := s.waiters.Front(); e != nil; {
		next := e.Next()
		w := e.Value.(*waiter)
		if found, err := s.find(w.point); err == nil {
			s.waiters.Remove(e)
			w.submitted(found)
		}
		e = next
	}
}

// Find returns the fence of a point, or of the object when point is 0. EINVAL
// when it is not submitted yet.
func (s *Syncobj) Find(point uint64) (*fence.Fence, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(point)
}

func (s *Syncobj) find(point uint64) (*fence.Fence, error) {
	if s.fence == nil {
		return nil, fmt.Errorf("syncobj: nothing is submitted: %w", unix.EINVAL)
	}
	return s.fence.Point(point)
}

// await has w told of its point: at once when it is submitted already. remove
// gives the wait up.
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
		s.waiters.Remove(e) // nothing happens when it is not there any more
	}
}

// Get takes a reference. The caller must hold one already.
func (s *Syncobj) Get() {
	if !s.tryGet() {
		panic("syncobj: a reference to an object that is gone")
	}
}

// tryGet takes a reference unless the last one was put already.
func (s *Syncobj) tryGet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs == 0 {
		return false
	}
	s.refs++
	return true
}

// Put gives a reference back. Whoever waits for fences to come to an object
// that is gone is dropped.
func (s *Syncobj) Put() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs--; s.refs > 0 {
		return
	}
	for e := s.waiters.Front(); e != nil; e = e.Next() {
		if w := e.Value.(*waiter); w.dropped != nil {
			w.dropped()
		}
	}
	s.waiters.Init()
}
