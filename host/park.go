package host

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// park gives up the worker's thread, because the request that the worker serves
// begins to wait. The goroutine goes on as an ordinary one and answers the call
// when the wait is over, but it receives no further calls. A request that waits
// thus costs a goroutine and no thread, however many there are. Another worker
// has already taken over: one starts whenever the last idle one gets a call.
//
// The goroutine then answers with signals unblocked. That is safe because such
// an answer takes single steps, each of which can be interrupted and repeated
// (package seccomp). Requests that act on the thread itself, such as a mapping,
// do not wait.
//
// park does nothing when the worker has parked already, or when another
// goroutine calls it: that one waits on a goroutine of its own.
func (c *call) park() {
	w := c.worker
	if w.left.Load() || unix.Gettid() != int(w.tid.Load()) {
		return
	}
	w.mayWait()
	if unix.PthreadSigmask(unix.SIG_SETMASK, &w.mask, nil) != nil {
		return // keep the thread: it would be of no use to other goroutines
	}
	c.fds.Close()
	c.buffers = nil
	w.endTurn()
	w.server.host.busy.Add(-1)
	w.leave()
	runtime.UnlockOSThread()
}

// Busy reports whether a call of a program is being answered. A request that
// has begun to wait, for a vblank say, does not count.
func (h *Host) Busy() bool { return h.busy.Load() > 0 }
