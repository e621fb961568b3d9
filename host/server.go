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

	mu      sync.Mutex
	workers map[int]struct{} // by thread id
	wg      sync.WaitGroup
}

// maxIdle bounds the workers that wait for calls. With two, one is ready while
// the other answers.
const maxIdle = 2

// stopSignal interrupts a worker that waits for a call when the server ends.
// Workers block all other signals except those of faults.
const stopSignal = unix.Signal(64) // SIGRTMAX

func startServer(h *Host, l *seccomp.Listener, ended <-chan struct{}) *server {
	s := &server{host: h, listener: l, ended: ended, done: make(chan struct{}), workers: make(map[int]struct{})}
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
			_ = s.listener.Close()
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
	thread.Go(func() {
		defer s.wg.Done()
		w := &worker{server: s, tid: unix.Gettid()}
		defer w.leave()
		w.work()
	})
}

// A worker is a goroutine with an OS thread of its own that answers calls.
type worker struct {
	server *server
	tid    int
	mask   unix.Sigset_t // the thread's signal mask before blockSignals
	turn   *turn         // of the call that it serves
	left   atomic.Bool   // see leave
}

func (w *worker) work() {
	s := w.server
	idle := true // counted in s.idle
	defer func() {
		if idle {
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
	s.workers[w.tid] = struct{}{}
	s.mu.Unlock()
	c := &call{host: s.host, server: s, listener: s.listener, worker: w, buffers: new(buffers)}
	defer func() { c.fds.Close() }()
	busy := func() {
		idle = false
		if s.idle.Add(-1) == 0 {
			s.host.workers.start(s)
		}
	}
	for !s.stopping.Load() && !w.left.Load() {
		if p, ok := s.host.turns.next(w); ok {
			if idle {
				busy()
			}
			c.n = p.n
			w.serve(c)
			s.wg.Done()
			continue
		}
		if !idle && !s.becomeIdle() {
			return
		}
		err := s.listener.Receive(&c.n)
		busy()
		switch {
		case err == nil:
			s.host.callers.Note(c.n.PID)
			if account := s.host.accounts.of(int(c.n.PID)); s.host.turns.begin(w, account, &c.n) {
				w.serve(c)
			}
		case errors.Is(err, unix.EINTR):
			// The stop signal.
		case errors.Is(err, unix.ENOENT):
			// The caller was killed, or no process is left.
			if s.listener.HungUp() {
				return
			}
		default:
			s.failed("receiving calls", err)
			return
		}
	}
}

// serve answers a call whose turn has begun.
func (w *worker) serve(c *call) {
	c.account = w.turn.group.account
	c.host.busy.Add(1)
	defer func() {
		if !w.left.Load() { // otherwise park has done it
			w.endTurn()
		}
	}()
	c.answer()
}

func (w *worker) endTurn() {
	w.server.host.busy.Add(-1)
	w.server.host.turns.end(w)
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
	delete(s.workers, w.tid)
	s.mu.Unlock()
	s.host.workers.ended()
	s.host.turns.resume()
}

// becomeIdle counts the worker as idle again. It returns false when enough
// workers are idle and this one must end.
func (s *server) becomeIdle() bool {
	for {
		idle := s.idle.Load()
		if idle >= maxIdle {
			return false
		}
		if s.idle.CompareAndSwap(idle, idle+1) {
			return true
		}
	}
}

func (w *worker) blockSignals() error {
	var set unix.Sigset_t
	for i := range set.Val {
		set.Val[i] = ^uint64(0)
	}
	// With the signals of faults blocked, a nil pointer in a handler would end
	// the whole process instead of becoming a panic.
	for _, s := range []unix.Signal{stopSignal, unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP} {
		set.Val[(s-1)/64] &^= 1 << ((s - 1) % 64)
	}
	return unix.PthreadSigmask(unix.SIG_SETMASK, &set, &w.mask)
}
