package syncobj

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/uapi"
)

// A wait is the state of a request that waits for points of several objects.
type wait struct {
	all       bool // for all points, not for any one
	available bool // for submission, not for the signal

	mu     sync.Mutex
	fences []*fence.Fence // nil for a point that is not submitted

	wake chan struct{} // holds a token after a fence has changed
}

func (w *wait) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// done reports whether the wait is over, and the index of the first object that
// is ready.
func (w *wait) done() (first uint32, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first = math.MaxUint32
	n := 0
	for i, f := range w.fences {
		if f == nil || !w.available && !f.Signaled() {
			continue
		}
		if n == 0 {
			first = uint32(i)
		}
		n++
	}
	return first, n == len(w.fences) || n > 0 && !w.all
}

// maxWaited limits the objects of one wait: the kernel cannot allocate the state
// of more.
const maxWaited = 1 << 16

// newWait returns a wait for one point of each object, with the fences of those that
// are submitted. EINVAL if a point is not, and flags do not allow waiting for that.
func newWait(req *drm.Request, objects []*Syncobj, points []uint64, flags uint32) (*wait, error) {
	w := &wait{
		all:       flags&uapi.SyncobjWaitFlagsWaitAll != 0,
		available: flags&uapi.SyncobjWaitFlagsWaitAvailable != 0,
		fences:    make([]*fence.Fence, len(objects)),
		wake:      make(chan struct{}, 1),
	}
	unsubmitted := flags&(uapi.SyncobjWaitFlagsWaitForSubmit|uapi.SyncobjWaitFlagsWaitAvailable) != 0
	for i, s := range objects {
		if err := ended(req); err != nil {
			return nil, err
		}
		f, err := s.Find(points[i])
		if err != nil && !unsubmitted {
			return nil, fmt.Errorf("syncobj: object %d of %d, and WAIT_FOR_SUBMIT is not set: %w", i+1, len(objects), err)
		}
		w.fences[i] = f
	}
	return w, nil
}

// waitFor waits for one point of each object until the deadline, a time of
// CLOCK_MONOTONIC in nanoseconds. It returns the index of the first object that
// is ready. It fails with EINVAL if a point is not submitted and flags do not
// allow waiting for that, with ETIME at the deadline, with EINTR on a signal,
// and with ENODEV when the device is unplugged. ENOMEM for too many objects:
// while it waits, it is charged for them.
func waitFor(req *drm.Request, objects []*Syncobj, points []uint64, flags uint32, deadline int64) (first uint32, err error) {
	if len(objects) > maxWaited {
		return 0, fmt.Errorf("syncobj: a wait for %d objects (limit %d): %w", len(objects), maxWaited, unix.ENOMEM)
	}
	w, err := newWait(req, objects, points, flags)
	if err != nil {
		return 0, err
	}
	if first, ok := w.done(); ok {
		return first, nil
	}
	timeout := time.Duration(deadline) - fence.Now()
	if deadline <= 0 || timeout <= 0 {
		return 0, errTimedOut
	}

	account := req.File.Client().Account
	if err := account.Charge(drm.Objects, int64(len(objects)), unix.ENOMEM); err != nil {
		return 0, err
	}
	defer account.Refund(drm.Objects, int64(len(objects)))
	for i, s := range objects {
		if err := ended(req); err != nil {
			return 0, err
		}
		defer w.follow(i, s, points[i])()
	}

	timer := time.NewTimer(timeout)
	defer timer.Stop()
	interrupted := req.Context()
	for {
		if first, ok := w.done(); ok {
			return first, nil
		}
		select {
		case <-w.wake:
		case <-timer.C:
			if first, ok := w.done(); ok {
				return first, nil
			}
			return 0, errTimedOut
		case <-interrupted.Done():
			return 0, interruption(interrupted)
		}
	}
}

var errTimedOut = fmt.Errorf("syncobj: timed out: %w", unix.ETIME)

// interruption returns the error of a request whose context ended.
func interruption(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, drm.ErrUnplugged) {
		return cause
	}
	return unix.EINTR
}

// ended returns an error if the request should go on no longer. A client can name
// a long timeline many times in one request, and an unplug must not wait for all
// the walks along it.
func ended(req *drm.Request) error {
	if ctx := req.Context(); ctx.Err() != nil {
		return interruption(ctx)
	}
	return nil
}

// follow wakes the wait when a point is signalled or, if that is enough, submitted.
// stop ends that.
func (w *wait) follow(i int, s *Syncobj, point uint64) (stop func()) {
	if f := w.fence(i); f != nil {
		return w.watch(f)
	}
	var unwatch func() // removes the callback of the fence; guarded by w.mu
	remove := s.await(&waiter{point: point, submitted: func(f *fence.Fence) {
		w.mu.Lock()
		w.fences[i] = f
		w.mu.Unlock()
		stop := w.watch(f)
		w.mu.Lock()
		unwatch = stop
		w.mu.Unlock()
		w.poke()
	}})
	return func() {
		remove()
		w.mu.Lock()
		stop := unwatch
		w.mu.Unlock()
		if stop != nil {
			stop()
		}
	}
}

func (w *wait) fence(i int) *fence.Fence {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fences[i]
}

// watch wakes the wait when f is signalled, unless submission is enough.
func (w *wait) watch(f *fence.Fence) (stop func()) {
	if w.available {
		return func() {}
	}
	return f.AddCallback(w.poke)
}

// submitTimeout limits how long findFence waits for a submission.
const submitTimeout = 5 * time.Second

// findFence returns the fence of a point. With WAIT_FOR_SUBMIT it waits until
// the point is submitted (drm_syncobj_find_fence).
func findFence(req *drm.Request, s *Syncobj, point uint64, flags uint32) (*fence.Fence, error) {
	f, err := s.Find(point)
	if err == nil || flags == 0 {
		return f, err
	}
	submitted := make(chan *fence.Fence, 1)
	defer s.await(&waiter{point: point, submitted: func(f *fence.Fence) { submitted <- f }})()
	timer := time.NewTimer(submitTimeout)
	defer timer.Stop()
	select {
	case f := <-submitted:
		return f, nil
	case <-timer.C:
		return nil, errTimedOut
	case <-req.Context().Done():
		return nil, interruption(req.Context())
	}
}
