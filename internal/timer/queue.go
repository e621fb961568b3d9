package timer

import (
	"container/heap"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxThreads bounds the threads. The last one that is ready calls no function
	// itself.
	maxThreads = 4

	// linger is how long the threads stay when no timer is set.
	linger = 100 * time.Millisecond

	// slice is the shortest that the kernel takes, in nanoseconds: see sched(7).
	slice = 100_000
)

// A queue has timers and the threads that serve them. The threads wait for the first
// timer. When it is due, the kernel wakes one of them, which calls the function.
//
// Invariant: if a timer is set, a thread is ready: it waits for the first timer, or is
// about to look for it.
//
// Why it holds: a thread that is to call a function while no other one is ready starts
// one first. If no further one may start, it has a goroutine call the function. And
// whoever sets a timer while no thread is ready starts one. There is room for that,
// because only the last of all threads that are allowed has a goroutine call functions
// in any case.
type queue struct {
	mu      sync.Mutex
	fd      int // timerfd; -1 without threads
	epoll   int // has fd; wakes one of the threads that wait
	timers  entries
	armed   time.Duration // when fd expires, or has expired
	until   time.Duration // when the threads end if no timer is set
	threads int
	ready   int // of threads: they call no function
}

// add sets a timer. It fails if there is no descriptor for the threads.
func (q *queue) add(e *entry) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fd < 0 {
		if err := q.open(); err != nil {
			return err
		}
	}
	heap.Push(&q.timers, e)
	if e.index == 0 {
		q.arm()
	}
	if q.ready == 0 {
		q.start()
	}
	return nil
}

func (q *queue) open() error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC)
	if err != nil {
		return err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	// Each time that fd expires, one thread wakes, and no other one.
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET}); err != nil {
		return errors.Join(err, unix.Close(fd), unix.Close(epoll))
	}
	q.fd, q.epoll, q.armed = fd, epoll, 0
	return nil
}

// remove cancels a timer, unless its function is called.
func (q *queue) remove(e *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e.index < 0 {
		return
	}
	heap.Remove(&q.timers, e.index)
	if len(q.timers) == 0 {
		q.until = Now() + linger
		q.arm()
	}
}

// start starts a thread. The caller holds mu.
func (q *queue) start() {
	q.threads++
	q.ready++
	go q.serve()
}

// serve is what a thread does.
func (q *queue) serve() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread() // if it ended, the Go runtime would soon make another
	// A short slice lets the thread run before threads with longer ones when it wakes.
	// Linux has that since 6.12; before, and when it is refused, the default remains.
	setSlice(slice)
	defer setSlice(0) // the default
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		e := q.next()
		if e == nil {
			return
		}
		q.mu.Unlock()
		e.f()
		q.mu.Lock()
		q.ready++
	}
}

func setSlice(d uint64) {
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Runtime: d}, 0)
}

// next waits until a timer is due and returns it. The thread is no longer ready then.
// It returns nil when the thread is to end. The caller holds mu.
func (q *queue) next() *entry {
	for {
		now := Now()
		switch {
		case len(q.timers) == 0 && now >= q.until:
			q.end()
			return nil
		case len(q.timers) == 0 || q.timers[0].at > now:
			q.wait()
			continue
		}
		e := heap.Pop(&q.timers).(*entry)
		if len(q.timers) == 0 {
			q.until = now + linger
		}
		q.arm()
		if q.ready == 1 && q.threads == maxThreads {
			go e.f()
			continue
		}
		if q.ready == 1 && len(q.timers) > 0 {
			q.start()
		}
		q.ready--
		return e
	}
}

// end ends the thread, and has the next one that waits end too. The caller holds mu.
func (q *queue) end() {
	q.threads--
	q.ready--
	switch {
	case q.threads == 0:
		_ = unix.Close(q.fd)
		_ = unix.Close(q.epoll)
		q.fd = -1
	case q.ready > 0:
		q.arm()
	}
}

// wait waits until the first timer may be due. The caller holds mu, which wait
// releases meanwhile.
func (q *queue) wait() {
	if q.armed != q.first() {
		q.arm()
	}
	epoll := q.epoll // stays open: the last thread closes it
	q.mu.Unlock()
	defer q.mu.Lock()
	var events [1]unix.EpollEvent
	if _, err := unix.EpollWait(epoll, events[:], -1); err != nil && err != unix.EINTR {
		panic(fmt.Sprintf("timer: waiting for a timer: %v", err))
	}
}

// first returns when a thread must wake: when the first timer is due, or when the
// threads are to end. The caller holds mu.
func (q *queue) first() time.Duration {
	if len(q.timers) > 0 {
		return q.timers[0].at
	}
	return q.until
}

// arm makes a thread wake when it must, at once if that time has passed. The caller
// holds mu.
func (q *queue) arm() {
	q.armed = q.first()
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(int64(q.armed), 1))} // 0 would unset it
	if err := unix.TimerfdSettime(q.fd, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		panic(fmt.Sprintf("timer: setting the time to %v: %v", q.armed, err))
	}
}
