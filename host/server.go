package host

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/child"
	"github.com/udrm/udrm/host/internal/seccomp"
	"github.com/udrm/udrm/host/internal/thread"
)

// A server answers the calls that arrive at one listener. Each of its workers
// receives and answers one call after another. When all of them are busy,
// another one starts, up to a limit (workers.go), as long as the process group of
// the caller has not used up its share (turns.go). A worker whose request waits
// gives up its thread and receives no further calls (park.go), so requests that
// wait hold up no other and hold no thread.
type server struct {
	host     *Host
	listener *seccomp.Listener
	ended    <-chan struct{} // closed when the started program has ended
	done     chan struct{}   // closed when all processes have ended and their files are released

	idle     atomic.Int32 // workers that wait for a call or are about to
	stopping atomic.Bool
	looks    looks
	rest     rest

	mu      sync.Mutex
	workers map[int]*worker // by thread id
	spare   []*call         // of workers that have ended, the last one at the end
	wg      sync.WaitGroup
}

// maxIdle bounds the workers that wait for calls. With two, one is ready while
// the other answers.
const maxIdle = 2

// stopSignal interrupts a worker that waits for a call when the server ends.
// Workers block all other signals except those of faults.
const stopSignal = unix.Signal(64) // SIGRTMAX

func startServer(h *Host, l *seccomp.Listener, ended <-chan struct{}) *server {
	s := &server{host: h, listener: l, ended: ended, done: make(chan struct{}), workers: make(map[int]*worker)}
	var err error
	if s.rest.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		s.rest.wake = -1 // then none rests
	}
	h.workers.startFirst(s)
	go s.awaitEnd()
	return s
}

// awaitEnd waits until no process is left under the filter, then ends the
// server.
func (s *server) awaitEnd() {
	if err := s.listener.Wait(); err != nil {
		s.host.log.Error("host: waiting for programs to end", "err", err)
	}
	s.host.workers.stop(s)
	s.host.turns.drop(s)
	s.host.watcher.hungUp(s.listener)
	ended := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(ended)
	}()
	// A worker may miss the signal just before it waits, so send it again.
	for tick := time.NewTicker(time.Millisecond); ; {
		s.mu.Lock()
		for tid := range s.workers {
			_ = unix.Tgkill(unix.Getpid(), tid, stopSignal)
		}
		s.mu.Unlock()
		select {
		case <-ended:
			tick.Stop()
			for _, c := range s.spare {
				c.fds.Close()
			}
			_ = s.listener.Close()
			if s.rest.wake >= 0 {
				_ = unix.Close(s.rest.wake)
			}
			<-s.ended
			child.AwaitEnding()
			s.host.attributes.Await(s)
			s.host.files.Await(s)
			s.host.log.Info("host: the program and everything that it started have ended")
			close(s.done)
			return
		case <-tick.C:
		}
	}
}

// startWorker is called by workerLimit.
func (s *server) startWorker() {
	s.idle.Add(1)
	s.wg.Add(1)
	thread.Borrow(func() {
		defer s.wg.Done()
		w := &worker{server: s, listed: unix.Gettid()}
		w.tid.Store(int64(w.listed))
		defer w.leave()
		w.work()
	})
}

// A worker is a goroutine with an OS thread of its own that answers calls.
type worker struct {
	server *server
	tid    atomic.Int64  // of its thread; 0: it has none for a while
	listed int           // its key in server.workers, or that of another one
	mask   unix.Sigset_t // the thread's signal mask before blockSignals
	turn   *turn         // of the call that it serves
	idle   bool          // counted in server.idle
	left   atomic.Bool   // see leave
	look   look
	recent recentAccount
	burst  burst
	short  short
	soon   *time.Timer // see call.startSoon
}

func (w *worker) work() {
	s := w.server
	w.idle = true
	defer func() {
		if w.idle {
			s.idle.Add(-1)
		}
	}()
	// A signal between two steps of an answer spoils it (see package seccomp),
	// and the Go runtime sends itself many.
	if err := w.blockSignals(); err != nil {
		s.failed("blocking signals", err)
		return
	}
	s.mu.Lock()
	s.workers[w.listed] = w
	s.mu.Unlock()
	c := s.newCall(w)
	defer s.keepCall(c)
	for !s.stopping.Load() && !w.left.Load() {
		if p, ok := s.host.turns.next(w); ok {
			w.becomeBusy()
			c.n, c.received, c.tries = p.n, time.Time{}, p.tries
			s.host.busy.Add(1)
			w.serve(c)
			s.wg.Done()
			continue
		}
		if !w.becomeIdle() {
			return
		}
		if w.rests() {
			if !w.becomeIdle() { // before it serves a postponed call, so that another one starts
				return
			}
			continue
		}
		switch err := s.listener.Receive(&c.n); {
		case err == nil:
			s.host.busy.Add(1)
			w.received(c)
		case errors.Is(err, unix.EINTR):
			// The stop signal.
			w.becomeBusy()
		case errors.Is(err, unix.ENOENT):
			// The caller was killed, or no process is left.
			w.becomeBusy()
			if s.listener.HungUp() {
				return
			}
		default:
			w.becomeBusy()
			s.failed("receiving calls", err)
			return
		}
	}
}

// newCall returns a call for a new worker. What an earlier worker has learned about
// threads and descriptors saves the new one most of the time of a request: where
// requests come from many threads, workers end and start all the time.
func (s *server) newCall(w *worker) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.spare) - 1
	if last < 0 {
		return &call{host: s.host, server: s, listener: s.listener, worker: w, buffers: new(buffers)}
	}
	c := s.spare[last]
	s.spare = s.spare[:last]
	c.worker = w
	return c
}

// maxSpare bounds the calls that are kept for new workers.
const maxSpare = 16

// keepCall keeps the call of a worker that ends, unless the worker has parked.
func (s *server) keepCall(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.buffers == nil || len(s.spare) >= maxSpare {
		c.fds.Close()
		return
	}
	c.worker = nil
	s.spare = append(s.spare, c)
}

// received serves a call, or postpones it.
func (w *worker) received(c *call) {
	h := w.server.host
	c.received, c.tries = time.Now(), 0
	h.callers.Note(c.n.PID, c.received)
	w.burst.note(c.received, h.burstTime)
	if w.tryNative(c) {
		h.busy.Add(-1)
		return
	}
	if w.idle && w.server.rest.taken.Load() && c.mayBeShort() {
		w.short.Add(1)
		if !w.server.rest.taken.Load() {
			w.mayWait() // none looks whether it takes long
		}
	} else {
		w.becomeBusy()
	}
	if account := w.recent.of(h.accounts, c.n.PID, c.received); h.turns.begin(w, account, &c.n) {
		w.serve(c)
	} else {
		w.mayWait() // it is served by another worker
		h.busy.Add(-1)
	}
}

// serve answers a call whose turn has begun.
func (w *worker) serve(c *call) {
	c.account = w.turn.group.account
	defer func() {
		if !w.left.Load() { // otherwise park has done it
			w.endShort()
			w.endTurn()
			w.server.host.busy.Add(-1)
		}
	}()
	c.answer()
}

// endTurn ends the turn of the worker, unless it has ended already.
func (w *worker) endTurn() {
	if w.turn != nil {
		w.server.host.turns.end(w)
	}
}

// answering ends the turn of a call that is answered next, and makes the worker
// idle. The program may make another call before this thread runs again, and a
// further worker would start for it.
func (w *worker) answering() {
	if w.turn != nil && !w.left.Load() {
		w.endShort()
		w.endTurn()
		w.becomeIdle()
	}
}

// retryAfter is when a worker is replaced that could not work.
const retryAfter = time.Second

// failed reports that a worker cannot work. Another one starts later: without
// workers the programs would wait for ever.
func (s *server) failed(what string, err error) {
	s.host.log.Error("host: "+what, "err", err)
	time.AfterFunc(retryAfter, func() { s.host.workers.start(s) })
}

// leave stops counting the worker as one. It may be called again.
func (w *worker) leave() {
	if w.left.Swap(true) {
		return
	}
	s := w.server
	s.mu.Lock()
	w.unlist()
	s.mu.Unlock()
	s.host.workers.ended()
	s.host.turns.resume()
}

// unlist removes the worker from those of its server, whose lock the caller holds.
func (w *worker) unlist() {
	if s := w.server; s.workers[w.listed] == w {
		delete(s.workers, w.listed)
	}
}

// becomeIdle counts the worker as idle. It returns false when enough workers are
// idle and this one must end. A worker that has just started counts already: for
// one postponed call, several may start.
func (w *worker) becomeIdle() bool {
	for {
		idle := w.server.idle.Load()
		switch {
		case w.idle && idle <= maxIdle:
			return true
		case w.idle && w.server.idle.CompareAndSwap(idle, idle-1):
			w.idle = false
			return false
		case w.idle:
		case idle >= maxIdle:
			return false
		case w.server.idle.CompareAndSwap(idle, idle+1):
			w.idle = true
			return true
		}
	}
}

// becomeBusy no longer counts the worker as idle.
func (w *worker) becomeBusy() {
	if w.idle {
		w.idle = false
		w.server.becomeBusy()
	}
}

// becomeBusy counts a worker less that is idle. If none is left, the one that rests
// goes on, or another one starts.
func (s *server) becomeBusy() {
	if s.idle.Add(-1) == 0 && !s.wakeResting() {
		s.host.workers.start(s)
	}
}

func (w *worker) blockSignals() error { return blockSignals(&w.mask, stopSignal) }

// blockSignals blocks all signals for the thread except those of faults and the
// given ones. old receives the mask before.
func blockSignals(old *unix.Sigset_t, except ...unix.Signal) error {
	var set unix.Sigset_t
	for i := range set.Val {
		set.Val[i] = ^uint64(0)
	}
	// With the signals of faults blocked, a nil pointer in a handler would end
	// the whole process instead of becoming a panic.
	for _, s := range append(except, unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP) {
		set.Val[(s-1)/64] &^= 1 << ((s - 1) % 64)
	}
	return unix.PthreadSigmask(unix.SIG_SETMASK, &set, old)
}
