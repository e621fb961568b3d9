package host

import (
	"sync/atomic"
	"time"

	"github.com/udrm/udrm/host/internal/thread"
)

// A look of a worker finds out whether a call is native. It is not a turn, and
// the worker counts as idle meanwhile, so looks should not wait. They wait for
// nothing but memory of the program, and nearly all memory can be read at once.
//
// A program can serve its memory itself (usermem.go). So looks are watched. A
// worker whose look waits counts as busy, another one takes over, and all calls
// of the server get turns until the look ends. For a while afterwards, looks read
// only memory that is present. So a program can hold up others for some ticks of
// the watch in carefulTime, and more only if it wins a race for each of them.

// looks are those of the workers of a server.
type looks struct {
	watched atomic.Bool
	waiting atomic.Int32 // looks that wait
	careful atomic.Bool  // a look has waited not long ago
	since   time.Time    // when the last one began to; guarded by server.mu
}

// carefulTime is how long a look that waited makes the others careful.
const carefulTime = 10 * time.Second

// A look is that of one worker: an odd number while it is in progress. Each look
// has numbers of its own.
type look struct{ atomic.Uint64 }

// lookWaits is set in the number of a look that waits.
const lookWaits = 1 << 63

// tryNative lets the kernel run the call of an idle worker if it is native.
func (w *worker) tryNative(c *call) (native bool) {
	s := w.server
	if s.looks.waiting.Load() > 0 {
		return false
	}
	n := w.look.Add(1)
	if !s.looks.watched.Load() && s.looks.watched.CompareAndSwap(false, true) {
		go s.watchLooks()
	}
	native = c.isNative()
	if !w.look.CompareAndSwap(n, n+1) {
		w.look.Store(n + 1)
		w.idle = false // the watch has counted it as busy
		s.looks.waiting.Add(-1)
	}
	if native {
		c.proceed()
	}
	return native
}

// watchLooks watches the looks of a server until none comes for a while.
func (s *server) watchLooks() {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	seen := make(map[*worker]uint64)
	for range ticker.C {
		if s.checkLooks(seen) {
			continue
		}
		s.looks.watched.Store(false)
		// A look that has begun meanwhile may not have started another watch.
		if !s.checkLooks(seen) || !s.looks.watched.CompareAndSwap(false, true) {
			return
		}
	}
}

// checkLooks finds the looks that wait, and reports whether there were others
// since the last time.
func (s *server) checkLooks(seen map[*worker]uint64) (active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looks.careful.Load() && time.Since(s.looks.since) > carefulTime {
		s.looks.careful.Store(false)
	}
	for _, w := range s.workers {
		n := w.look.Load()
		switch {
		case n != seen[w]:
			active = true
		case n&1 == 0 || n&lookWaits != 0:
		case !asleep(thread.ID(w.tid.Load())):
			active = true
		case w.look.CompareAndSwap(n, n|lookWaits):
			n |= lookWaits
			s.looks.waiting.Add(1)
			s.looks.careful.Store(true)
			s.looks.since = time.Now()
			defer s.becomeBusy()
		}
		seen[w] = n
	}
	return active
}
