package host

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// A handler copies memory of the program inside a guard, for which an unplug waits.
// Any such copy may wait for the program, and so may a look whether it would. So
// another goroutine makes the copy, with memory of its own, and the handler leaves it
// behind when the unplug begins.
//
// If the worker kept its thread meanwhile, the runtime would have to change threads
// twice, which takes longer than the request. So the worker gives its thread up until
// the copy is made. Nearly always, the same thread then makes the copy and goes on
// with the handler.
//
// Invariant: copies that are left behind take no more threads than the quota of copies
// allows, and maxUncharged.
//
// Why it holds: a copy that is not made at once is charged. If the quota allows none,
// the copy counts as uncharged, and the worker keeps its turn until it is charged or
// ends: an unplug ends the handler, but not the call. Beyond maxUncharged, handlers look
// before they copy, as other code does (usermem.go). An unplug then waits for a program
// that removes a page between the look and the copy. Without this bound, a program with
// many process groups could use up all turns.

// maxUncharged bounds the copies in progress that are not charged. Few last longer than
// a moment.
const maxUncharged = 16

// A sideCopy is a copy that another goroutine makes.
type sideCopy struct {
	done    chan error
	account *drm.Account
	state   atomic.Int32
}

const (
	sideCopying = iota
	sideCharged // copying, and charged
	sideEnded
)

func (c *call) startAside(copy func() error) *sideCopy {
	s, slow := &sideCopy{done: make(chan error, 1), account: c.account}, &c.host.slow
	go func() {
		err := copy()
		if s.state.Swap(sideEnded) == sideCharged {
			slow.end(s.account)
		} else {
			slow.uncharged.Add(-1)
		}
		s.done <- err
	}()
	return s
}

// tryCharge charges the copy unless it has ended. If the quota allows none, it
// returns a channel that is closed when it is worth to try again.
func (c *call) tryCharge(s *sideCopy) (again <-chan struct{}) {
	slow := &c.host.slow
	if s.state.Load() == sideEnded {
		return nil
	}
	if again := slow.tryBegin(s.account); again != nil {
		return again
	}
	if s.state.CompareAndSwap(sideCopying, sideCharged) {
		slow.uncharged.Add(-1)
	} else {
		slow.end(s.account)
	}
	return nil
}

// copyAside runs copy on another goroutine. When ctx ends, it may leave it behind:
// copy must use neither the call nor memory of its caller. With too many such copies in
// progress, it runs lookAndCopy instead.
func (r *request) copyAside(ctx context.Context, copy, lookAndCopy func() error) error {
	c := r.call
	if c.worker.left.Load() {
		return c.copySlowly(ctx, copy)
	}
	if uncharged := &c.host.slow.uncharged; uncharged.Add(1) > maxUncharged {
		uncharged.Add(-1)
		return lookAndCopy()
	}
	s := c.startSoon(copy)
	select {
	case err := <-s.done:
		return err
	default:
	}
	c.worker.mayWait()
	stays := r.stays
	for again := c.tryCharge(s); again != nil; again = c.tryCharge(s) {
		r.stays = true
		select {
		case err := <-s.done:
			r.stays = stays
			return err
		case <-again:
		case <-ctx.Done():
			c.behind = append(c.behind, s)
			return context.Cause(ctx)
		}
	}
	if r.stays = stays; !stays {
		c.park()
	}
	select {
	case err := <-s.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// startSoon starts copy, and waits for a short time until it is made.
func (c *call) startSoon(copy func() error) *sideCopy {
	w := c.worker
	if !w.loosen() {
		return c.startAside(copy)
	}
	defer c.fasten()
	s := c.startAside(copy)
	if w.soon == nil {
		w.soon = time.NewTimer(atOnce)
	} else {
		w.soon.Reset(atOnce)
	}
	defer w.soon.Stop()
	select {
	case err := <-s.done:
		s.done <- err
	case <-w.soon.C:
	}
	return s
}

// loosen gives the thread of the worker up, until fasten.
func (w *worker) loosen() bool {
	if unix.PthreadSigmask(unix.SIG_SETMASK, &w.mask, nil) != nil {
		return false
	}
	w.tid.Store(0)
	runtime.UnlockOSThread()
	return true
}

// A worker never has the main thread (package thread).
const (
	mainTries = 10
	mainPause = 100 * time.Microsecond
)

// fasten gives the worker a thread again. If it cannot, the worker parks.
func (c *call) fasten() {
	w, s := c.worker, c.server
	runtime.LockOSThread()
	tid := unix.Gettid()
	for range mainTries {
		if tid != unix.Getpid() {
			break
		}
		runtime.UnlockOSThread()
		time.Sleep(mainPause)
		runtime.LockOSThread()
		tid = unix.Gettid()
	}
	if w.tid.Store(int64(tid)); tid != w.listed {
		s.mu.Lock()
		w.unlist()
		s.workers[tid], w.listed = w, tid
		s.mu.Unlock()
	}
	if tid == unix.Getpid() || w.blockSignals() != nil {
		c.park()
	}
}

// awaitBehind waits until all copies that were left behind have ended or are charged.
func (c *call) awaitBehind() {
	for _, s := range c.behind {
		for again := c.tryCharge(s); again != nil && !c.server.stopping.Load(); again = c.tryCharge(s) {
			select {
			case <-again:
			case <-s.done:
			case <-time.After(behindInterval): // the server may stop
			}
		}
	}
	c.behind = nil
}

const behindInterval = 100 * time.Millisecond

// readAside copies memory of the program to p inside a guard.
func (r *request) readAside(ctx context.Context, p []byte, addr uint64) error {
	late, tid := make([]byte, len(p)), r.tid
	read := func() error { return tid.Read(late, addr) }
	looked := false
	err := r.copyAside(ctx, read, func() error {
		looked = true
		return r.call.readFrom(ctx, p, addr)
	})
	if err == nil && !looked {
		copy(p, late)
	}
	return err
}

// writeAside copies p to memory of the program inside a guard, if that still waits.
func (r *request) writeAside(ctx context.Context, addr uint64, p []byte) error {
	late, l, id, tid := append([]byte(nil), p...), r.listener, r.id, r.tid
	return r.copyAside(ctx, func() error {
		if !l.Valid(id) {
			return unix.EFAULT // the thread id may belong to another process now
		}
		return tid.Write(addr, late)
	}, func() error { return r.call.writeTo(ctx, addr, p) })
}
