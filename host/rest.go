package host

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/host/internal/seccomp"
)

// The kernel wakes all workers that wait for a call, and all but one in vain. If
// calls come in bursts, that takes a fifth of the time of each. So one of the two
// idle workers then rests, and the other serves short requests without a successor.
//
// Invariant: calls wait no longer than two looks for a worker that serves a short
// request.
//
// Why it holds: a worker that begins to wait wakes the one that rests. And that one
// looks at the others each restInterval. If it finds one with the same request as
// at the look before, it counts that one as busy and takes over. When it rests no
// longer, it first says so, and then counts those with a short request as busy. A
// worker first notes its short request, and then looks again whether one rests. So
// at least one of the two sees the other.

const (
	restInterval = time.Millisecond
	// A burst has burstCalls calls of a worker within burstTime. It is over when
	// fewer than burstLook calls came between two looks, maxQuiet times.
	burstCalls = 64
	burstTime  = 5 * time.Millisecond
	burstLook  = 8
	maxQuiet   = 8
)

// rest is the place of a server where one worker rests.
type rest struct {
	taken atomic.Bool
	wake  int // an eventfd
}

// A burst counts the calls that a worker receives.
type burst struct {
	calls int
	since time.Time
	seen  bool // the last burstCalls calls were a burst
}

func (b *burst) note(received time.Time, limit time.Duration) {
	if b.calls++; b.calls < burstCalls {
		return
	}
	b.seen = received.Sub(b.since) < limit
	b.calls, b.since = 0, received
}

// A short is the number of a worker's short request: odd while it is in progress.
type short struct{ atomic.Uint64 }

// shortTaken is set in the number of a request that takes long: another worker has
// taken over.
const shortTaken = 1 << 63

// mayBeShort reports whether a call may be a short request.
func (c *call) mayBeShort() bool {
	return c.n.Data.NR == unix.SYS_IOCTL && c.n.Data.Arch == seccomp.NativeArch && uapi.IOCType(uint32(c.arg(1))) == uapi.IoctlBase
}

// endShort ends the short request of the worker, which is idle afterwards unless
// another one has taken over.
func (w *worker) endShort() {
	n := w.short.Load()
	if n&1 == 0 {
		return
	}
	if n&shortTaken != 0 || !w.short.CompareAndSwap(n, n+1) {
		w.short.Store(n&^shortTaken + 1)
		w.idle = false // the other one has counted it as busy
	}
}

// mayWait notes that the worker is about to wait, if it is one that runs on this
// thread.
func (w *worker) mayWait() {
	if !w.left.Load() && unix.Gettid() == int(w.tid.Load()) && w.short.Load()&1 != 0 {
		w.endShort()
		w.becomeBusy()
	}
}

// rests lets an idle worker rest if it is in a burst and another one is idle. It
// reports whether the worker has rested and is no longer idle.
func (w *worker) rests() bool {
	s := w.server
	if !w.burst.seen || s.rest.wake < 0 || s.idle.Load() < 2 || !s.rest.taken.CompareAndSwap(false, true) {
		return false
	}
	defer w.takeOver()
	if !s.idle.CompareAndSwap(2, 1) {
		return false // the other one is no longer idle
	}
	w.idle, w.burst = false, burst{}
	seen := make(map[*worker]restLook)
	for quiet := 0; quiet < maxQuiet && !s.stopping.Load() && s.host.turns.count.Load() == 0; {
		if woken, err := awaitEventfd(s.rest.wake, restInterval); woken || err != nil {
			break
		}
		calls, taken := w.lookAtOthers(seen)
		if taken {
			break
		}
		if quiet++; calls >= burstLook {
			quiet = 0
		}
	}
	return true
}

// A restLook is what a look at a worker has seen.
type restLook struct{ calls, short uint64 }

// lookAtOthers returns how many calls the other workers have received since the
// last look, and whether it has counted one as busy.
func (w *worker) lookAtOthers(seen map[*worker]restLook) (calls uint64, taken bool) {
	s := w.server
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.workers {
		before, now := seen[other], restLook{other.look.Load() &^ lookWaits, other.short.Load()}
		seen[other] = now
		calls += (now.calls - before.calls) / 2
		if now.short == before.short && other.countBusy(now.short) {
			taken = true
		}
	}
	return calls, taken
}

// countBusy counts the worker as busy if it serves the short request with this number.
func (w *worker) countBusy(number uint64) bool {
	busy := number&1 != 0 && number&shortTaken == 0 && w.short.CompareAndSwap(number, number|shortTaken)
	if busy {
		w.server.idle.Add(-1)
	}
	return busy
}

// takeOver ends the rest of the worker.
func (w *worker) takeOver() {
	s := w.server
	s.rest.taken.Store(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.workers {
		other.countBusy(other.short.Load())
	}
}

// wakeResting wakes the worker that rests, and reports whether there is one.
func (s *server) wakeResting() bool {
	if !s.rest.taken.Load() {
		return false
	}
	_, err := unix.Write(s.rest.wake, eventfdOne)
	return err == nil
}

var eventfdOne = []byte{1, 0, 0, 0, 0, 0, 0, 0}

// awaitEventfd waits until an eventfd is written, and empties it.
func awaitEventfd(eventfd int, timeout time.Duration) (written bool, err error) {
	limit := unix.NsecToTimespec(int64(timeout))
	fds := []unix.PollFd{{Fd: int32(eventfd), Events: unix.POLLIN}}
	n, err := unix.Ppoll(fds, &limit, nil)
	if n > 0 {
		var count [8]byte
		_, err = unix.Read(eventfd, count[:])
	}
	return n > 0, err
}
