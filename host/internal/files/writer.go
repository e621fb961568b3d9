package files

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// A writer is a process that has attributes open. Its writes are stored one
// after another, by a goroutine. A store can take long: one that unbinds a
// driver waits for requests. So no lock is held meanwhile, and a call waits for
// it
//
//   - without limit if its own process has the attribute open, as write(2) does
//     in the kernel;
//   - for storeWait at most in all other cases. So a program that is told of a
//     write nearly always finds that it has taken effect. Programs of other
//     process groups wait that long in all while the process goes on writing, so
//     that they do not wait all the time.
type writer struct {
	pid     int
	program any

	epoll   int      // our ends of its attributes
	end     *os.File // of epoll: the goroutine waits on it
	account *drm.Account

	// Guarded by Attributes.mu.
	open  map[int]*attribute // by our end
	since time.Time          // when the pass began
	burst time.Time          // when the first pass began after a rest
	rest  time.Time          // when the last pass ended
	done  chan struct{}      // closed at the end of the pass, or of the next one
}

// storeWait is how long the writes of a process may delay other processes.
const storeWait = 100 * time.Millisecond

// writerLocked returns the writer with the process id of o, and makes it if need
// be.
func (t *Attributes) writerLocked(o *Opener) (w *writer, err error) {
	if w := t.writers[o.PID]; w != nil {
		w.program = o.Program
		return w, nil
	}
	if err := o.Account.Charge(drm.Descriptors, 1, unix.EMFILE); err != nil {
		return nil, err
	}
	w = &writer{pid: o.PID, program: o.Program, account: o.Account, epoll: -1, open: make(map[int]*attribute), done: make(chan struct{})}
	if w.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err == nil {
		err = unix.SetNonblock(w.epoll, true) // so that package os waits for it
	}
	if err == nil {
		err = unix.EpollCtl(t.epoll, unix.EPOLL_CTL_ADD, w.epoll, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(w.epoll)})
	}
	if err != nil {
		o.Account.Refund(drm.Descriptors, 1)
		if w.epoll >= 0 {
			err = errors.Join(err, unix.Close(w.epoll))
		}
		return nil, err
	}
	w.end = os.NewFile(uintptr(w.epoll), "attributes")
	t.writers[w.pid], t.byEpoll[w.epoll] = w, w
	t.wg.Go(func() { t.follow(w) })
	return w, nil
}

// dropLocked forgets a writer that has nothing open. The caller closes w.end,
// without the lock, if it did.
func (t *Attributes) dropLocked(w *writer) bool {
	if len(w.open) > 0 || t.byEpoll[w.epoll] != w {
		return false
	}
	delete(t.writers, w.pid)
	delete(t.byEpoll, w.epoll)
	_ = unix.EpollCtl(t.epoll, unix.EPOLL_CTL_DEL, w.epoll, nil)
	w.account.Refund(drm.Descriptors, 1)
	return true
}

// follow stores what the process writes until it has nothing open.
func (t *Attributes) follow(w *writer) {
	raw, err := w.end.SyscallConn()
	if err == nil {
		err = raw.Read(func(uintptr) (done bool) {
			for {
				stored, last := t.pass(w)
				if last || !stored {
					return last
				}
			}
		})
	}
	if err != nil && !t.closed.Load() {
		t.log.Error("host: waiting for writes to virtual files", "pid", w.pid, "err", err)
	}
	_ = w.end.Close()
}

// A pass stores up to this many writes: more than a program can have written and
// not yet see done, fewer than one needs to delay the calls of others.
const (
	maxPass      = 64 // files
	maxPassEach  = 16 // writes; a pipe holds no more
	maxPassWrite = 256
)

// pass stores what is written by now, file by file in the order of opening. It
// reports whether there was something, and whether the process has nothing open
// any more.
func (t *Attributes) pass(w *writer) (stored, last bool) {
	t.mu.Lock()
	w.since = time.Now()
	if w.since.Sub(w.rest) > storeWait {
		w.burst = w.since
	}
	t.busy[w] = struct{}{} // before the data is taken: a call finds one or the other
	t.mu.Unlock()
	var events [maxPass]unix.EpollEvent
	n, _ := unix.EpollWait(w.epoll, events[:], 0) // -1: EINTR
	var ready []*attribute
	t.mu.Lock()
	for _, e := range events[:max(n, 0)] {
		if a := w.open[int(e.Fd)]; a != nil {
			ready = append(ready, a)
		}
	}
	t.mu.Unlock()
	slices.SortFunc(ready, func(a, b *attribute) int { return cmp.Compare(a.order, b.order) })
	left := maxPassWrite
	for _, a := range ready {
		left -= t.take(w, a, min(left, maxPassEach))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.busy, w)
	w.rest = time.Now()
	close(w.done)
	w.done = make(chan struct{})
	return n != 0, len(ready) > 0 && t.dropLocked(w)
}

// take stores up to limit writes to a, and returns how many.
func (t *Attributes) take(w *writer, a *attribute, limit int) (taken int) {
	var buf [maxWrite]byte
	for taken < limit {
		n, err := unix.Read(a.fd, buf[:])
		switch {
		case err == unix.EINTR, err == unix.ECONNRESET: // the program has not read all
		case err == unix.EAGAIN:
			return taken
		case n > 0 && string(buf[:n]) == a.stored:
			taken++
			a.stored = ""
		case n > 0:
			taken++
			t.files.Drain(w) // files closed before the write are released before it
			if err := store(a.store, string(buf[:n])); err != nil {
				t.log.Warn("host: write to virtual file rejected after it was acknowledged",
					"path", a.path, "data", string(buf[:min(n, maxLogged)]), "err", err)
			}
		default:
			t.mu.Lock()
			delete(t.open, a.inode)
			delete(w.open, a.fd)
			t.mu.Unlock()
			_ = unix.Close(a.fd) // which removes it from w.epoll
			t.count.Add(-1)
			a.account.Refund(drm.Descriptors, 1)
			return taken
		}
	}
	return taken
}

// Within, PID and Wait implement Caller for what is done before a store.
func (w *writer) Within(pid int) bool { return pid == w.pid }

// Account implements Caller.
func (w *writer) Account() *drm.Account { return w.account }

// PID implements Caller.
func (w *writer) PID() int { return w.pid }

// Wait implements Caller.
func (w *writer) Wait(done <-chan struct{}, limit time.Duration) { Wait(done, limit, nil) }

// Wait waits for done or stop, until limit has passed if it is not 0.
func Wait(done <-chan struct{}, limit time.Duration, stop <-chan struct{}) {
	var timeout <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-done:
	case <-timeout:
	case <-stop:
	}
}

// maxLogged bounds how much of a write is logged, and maxLoggedError how much of
// an error, which may quote it.
const (
	maxLogged      = 64
	maxLoggedError = 256
)

// shortened returns an error whose text is not too long for the log.
func shortened(err error) error {
	if err == nil || len(err.Error()) <= maxLoggedError {
		return err
	}
	return errors.New(err.Error()[:maxLoggedError] + "…")
}

func store(f func(string) error, data string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return shortened(f(data))
}

// Bounds of what one call waits for.
const (
	maxDrained     = 16 // other processes
	maxDrainPasses = 2  // of each
	maxOwnPasses   = 64 // of its own process
)

// Drain waits until what is written by now is stored.
func (t *Attributes) Drain(c Caller) {
	if t.count.Load() == 0 {
		return
	}
	for pass := range maxOwnPasses {
		waited := false
		for _, w := range t.unstored(c) {
			if c.Within(w.pid) {
				c.Wait(w.done, 0)
			} else if limit := time.Until(w.since.Add(storeWait)); limit > 0 && pass < maxDrainPasses {
				c.Wait(w.done, limit)
			} else {
				continue
			}
			waited = true
		}
		if !waited {
			return
		}
	}
}

// An unstored is a process that has written what is not stored yet. done is
// closed when it is, or most of it.
type unstored struct {
	pid   int
	since time.Time
	done  <-chan struct{}
}

// unstoredLocked returns what call c must know of w. since is when the pass began
// or will begin.
func (w *writer) unstoredLocked(c Caller, since time.Time) unstored {
	if c.Account() != w.account && since.Sub(w.rest) <= storeWait {
		since = w.burst
	}
	return unstored{w.pid, since, w.done}
}

// unstored returns the processes that a call may have to wait for.
func (t *Attributes) unstored(c Caller) (list []unstored) {
	var events [maxDrained]unix.EpollEvent
	n, _ := unix.EpollWait(t.epoll, events[:], 0)
	pid := 0
	if n == len(events) { // its own process may not be among them
		pid = c.PID()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for w := range t.busy {
		list = append(list, w.unstoredLocked(c, w.since))
	}
	for _, e := range events[:max(n, 0)] {
		if w := t.byEpoll[int(e.Fd)]; w != nil && w.pid != pid {
			list = t.appendWaiting(list, c, w)
		}
	}
	if w := t.writers[pid]; w != nil {
		list = t.appendWaiting(list, c, w)
	}
	return list
}

// appendWaiting appends a process to list if the next pass is sure to come: data
// waits, and none is in progress. The caller holds t.mu.
func (t *Attributes) appendWaiting(list []unstored, c Caller, w *writer) []unstored {
	if _, busy := t.busy[w]; busy {
		return list
	}
	var event [1]unix.EpollEvent
	if n, _ := unix.EpollWait(w.epoll, event[:], 0); n > 0 {
		list = append(list, w.unstoredLocked(c, time.Now()))
	}
	return list
}

// Await waits until what the processes of a program have written is stored.
func (t *Attributes) Await(program any) {
	for t.count.Load() > 0 {
		var list []unstored
		t.mu.Lock()
		for _, w := range t.writers {
			if w.program != program {
				continue
			}
			if _, busy := t.busy[w]; busy {
				list = append(list, unstored{done: w.done})
			} else {
				list = t.appendWaiting(list, w, w)
			}
		}
		t.mu.Unlock()
		if len(list) == 0 {
			return
		}
		for _, w := range list {
			<-w.done
		}
	}
}

// Close ends the files that are still open. No program may be running.
func (t *Attributes) Close() {
	t.gates.Close()
	t.closed.Store(true)
	t.mu.Lock()
	writers := slices.Collect(maps.Values(t.writers))
	t.mu.Unlock()
	for _, w := range writers {
		_ = w.end.Close()
	}
	t.wg.Wait()
	for _, a := range t.open {
		_ = unix.Close(a.fd)
	}
	_ = unix.Close(t.epoll)
}
