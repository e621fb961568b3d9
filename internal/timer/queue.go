package timer

import (
	"container/heap"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxThreads bounds the threads. The last one calls no function itself.
	maxThreads = 4

	// linger is how long the threads stay when no timer is set.
	linger = 100 * time.Millisecond

	// slice is the shortest that the kernel takes, in nanoseconds: see sched(7).
	slice = 100_000
)

// A queue has timers and the threads that serve them. One thread, the leader, waits
// for the first timer. When that is due, the leader gives up its part, appoints
// another leader if there are more timers, and calls the function.
//
// Invariant: if a timer is set, a thread leads.
//
// Why it holds: whoever finds a timer and no leader appoints one. That is always
// possible: as long as no thread is idle and no further one may start, the leader
// keeps its part and has a goroutine call the function.
type queue struct {
	mu      sync.Mutex
	fd      int // timerfd of the threads; -1 without threads
	timers  entries
	threads int
	leading bool // a thread leads, or is appointed

	idle      int        // threads that wait to be appointed
	appointed bool       // one of those that were idle is to lead
	ended     uint64     // how often the idle threads were told to end
	changed   *sync.Cond // appointed or ended
}

// add sets a timer. It fails if there is no descriptor for the threads.
func (q *queue) add(e *entry) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fd < 0 {
		fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC)
		if err != nil {
			return err
		}
		q.fd = fd
	}
	heap.Push(&q.timers, e)
	if !q.leading {
		q.appoint()
	} else if e.index == 0 {
		q.set(e.at)
	}
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
	if q.leading && len(q.timers) == 0 {
		q.set(Now() + linger)
	}
}

// appoint makes a thread lead. The caller holds mu.
func (q *queue) appoint() {
	q.leading = true
	if q.idle > 0 {
		q.idle--
		q.appointed = true
		q.changed.Broadcast()
		return
	}
	q.threads++
	go q.serve()
}

// serve is what a thread does. It begins as the leader.
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
		if !q.leading {
			q.leading = true
		} else if !q.rest() {
			return
		}
	}
}

func setSlice(d uint64) {
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Runtime: d}, 0)
}

// next waits until a timer is due and returns it. The thread no longer leads then.
// It returns nil when the thread is to end. The caller holds mu.
func (q *queue) next() *entry {
	for until := Now() + linger; ; {
		now := Now()
		switch {
		case len(q.timers) == 0 && now >= until:
			q.end()
			return nil
		case len(q.timers) == 0:
			q.wait(until)
		case q.timers[0].at > now:
			q.wait(q.timers[0].at)
			until = Now() + linger
		default:
			e := heap.Pop(&q.timers).(*entry)
			if q.idle == 0 && q.threads == maxThreads {
				go e.f()
				continue
			}
			q.leading = false
			if len(q.timers) > 0 {
				q.appoint()
			}
			return e
		}
	}
}

// rest waits until the thread is appointed. It returns false when the thread is to
// end. The caller holds mu.
func (q *queue) rest() bool {
	q.idle++
	for ended := q.ended; !q.appointed; {
		if q.changed.Wait(); q.ended != ended {
			return false
		}
	}
	q.appointed = false
	return true
}

// end ends the leader and the idle threads. Those that call a function lead when they
// have done so. The caller holds mu.
func (q *queue) end() {
	q.leading = false
	q.threads -= q.idle + 1
	q.idle = 0
	q.ended++
	q.changed.Broadcast()
	if q.threads == 0 {
		_ = unix.Close(q.fd)
		q.fd = -1
	}
}

// wait waits until t, or until a timer is set that is due earlier. The caller holds
// mu, which wait releases meanwhile.
func (q *queue) wait(t time.Duration) {
	q.set(t)
	fd := q.fd // stays open: only the leader closes it
	q.mu.Unlock()
	defer q.mu.Lock()
	var expirations [8]byte
	if _, err := unix.Read(fd, expirations[:]); err != nil && err != unix.EINTR {
		panic(fmt.Sprintf("timer: waiting until %v: %v", t, err))
	}
}

// set makes the leader wake at t. The caller holds mu.
func (q *queue) set(t time.Duration) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(int64(t), 1))} // 0 would unset it
	if err := unix.TimerfdSettime(q.fd, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		panic(fmt.Sprintf("timer: setting the time to %v: %v", t, err))
	}
}
