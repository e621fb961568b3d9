package thread

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A thread may take this long to run the calls that it is made to run. Another
// thread of the program can prevent it, for example by changing the code that
// the thread executes. Then SIGSTOP, which no thread can block, stops it. If it
// does not stop either, because it waits in the kernel for something that the
// program withholds, it is killed.
var (
	stopAfter = 5 * time.Second
	killAfter = 10 * time.Second // after that
)

// An alarm ends the wait for a thread that does not obey.
type alarm struct {
	thread ID

	mu    sync.Mutex
	timer *time.Timer
	rung  bool // a SIGSTOP is pending, or its stop was seen
}

func (a *alarm) start(t ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.thread = t
	a.timer = time.AfterFunc(stopAfter, a.ring)
}

func (a *alarm) ring() {
	a.mu.Lock()
	defer a.mu.Unlock()
	signal := unix.SIGSTOP
	switch {
	case a.timer == nil:
		return // stopped
	case a.rung:
		signal = unix.SIGKILL
	default:
		a.rung = true
		a.timer.Reset(killAfter)
	}
	if process, err := a.thread.process(); err == nil {
		_ = unix.Tgkill(process, int(a.thread), signal)
	}
}

// stop ends the alarm. It returns whether the alarm has rung: the caller must
// have seen the stop by SIGSTOP before it releases the thread.
func (a *alarm) stop() (rung bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
	return a.rung
}

func (a *alarm) hasRung() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rung
}
