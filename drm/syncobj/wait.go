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

// A wait is a request that waits for the points of several objects.
type wait struct {
	all       bool // for all of them, not for one
	available bool // for their submission, not their signal

	mu     sync.Mutex
	fences []*fence.Fence // nil: not submitted

	wake chan struct{} // full when it is worth looking again
}

func (w *wait) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// done reports whether the wait is over, and the first object for which it
// is.
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

// waitFor waits for the objects, with a point each, until the deadline: a time
// of CLOCK_MONOTONIC in nanoseconds. It returns the first that was there.
// Errors: EINVAL when one is not submitted and flags do not say to wait for
// that, ETIME, EINTR, ENODEV when the device is unplugged.
func waitFor(ctx func() context.Context, objects []*Syncobj, points []uint64, flags uint32, deadline int64) (first uint32, err error) {
	w := &wait{
		all:       flags&uapi.SyncobjWaitFlagsWaitAll != 0,
		available: flags&uapi.SyncobjWaitFlagsWaitAvailable != 0,
		fences:    make([]*fence.Fence, len(objects)),
		wake:      make(chan struct{}, 1),
	}
	unsubmitted := flags&(uapi.SyncobjWaitFlagsWaitForSubmit|uapi.SyncobjWaitFlagsWaitAvailable) != 0
	for i, s := range objects {
		f, err := s.Find(points[i])
		if err != nil && !unsubmitted {
			return 0, fmt.Errorf("syncobj: waiting for object %d of %d without WAIT_FOR_SUBMIT: %w", i, len(objects), err)
		}
		w.fences[i] = f
	}
	if first, ok := w.done(); ok {
		return first, nil
	}
	timeout := time.Duration(deadline) - fence.Now()
	if deadline <= 0 || timeout <= 0 {
		return 0, errTime
	}

	for i, s := range objects {
		if f := w.fence(i); f != nil {
			defer w.watch(f)()
			continue
		}
		var unwatch func() // of the fence; guarded by w.mu
		remove := s.await(&waiter{point: points[i], submitted: func(f *fence.Fence) {
			w.mu.Lock()
			w.fences[i] = f
			w.mu.Unlock()
			stop := w.watch(f)
			w.mu.Lock()
			unwatch = stop
			w.mu.Unlock()
			w.poke()
		}})
		defer func() {
			remove()
			w.mu.Lock()
			stop := unwatch
			w.mu.Unlock()
			if stop != nil {
				stop()
			}
		}()
	}

	timer := time.NewTimer(timeout)
	defer timer.Stop()
	interrupted := ctx()
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
			return 0, errTime
		case <-interrupted.Done():
			return 0, interruption(interrupted)
		}
	}
}

var errTime = fmt.Errorf("syncobj: the time is over: %w", unix.ETIME)

// interruption is why a request must not wait any longer.
func interruption(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, drm.ErrUnplugged) {
		return cause
	}
	return unix.EINTR
}

func (w *wait) fence(i int) *fence.Fence {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fences[i]
}

func (w *wait) watch(f *fence.Fence) (stop func()) {
	if w.available {
		return func() {}
	}
	return f.AddCallback(w.poke)
}

// submitLimit is how long a request waits for a point that it needs.
const submitLimit = 5 * time.Second

// findFence is drm_syncobj_find_fence: it returns the fence of a point and,
// when flags say so, waits for it to be submitted.
func findFence(req *drm.Request, s *Syncobj, point uint64, flags uint32) (*fence.Fence, error) {
	if flags&^uint32(uapi.SyncobjWaitFlagsWaitForSubmit) != 0 {
		return nil, invalid("flags %#x: only WAIT_FOR_SUBMIT is known", flags)
	}
	f, err := s.Find(point)
	if err == nil || flags == 0 {
		return f, err
	}
	submitted := make(chan *fence.Fence, 1)
	defer s.await(&waiter{point: point, submitted: func(f *fence.Fence) { submitted <- f }})()
	timer := time.NewTimer(submitLimit)
	defer timer.Stop()
	select {
	case f := <-submitted:
		return f, nil
	case <-timer.C:
		return nil, errTime
	case <-req.Context().Done():
		return nil, interruption(req.Context())
	}
}
