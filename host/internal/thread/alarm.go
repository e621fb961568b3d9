package thread

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A thread may take this long to run the calls that it is made to run. Another
// thread of the program can prevent it, for example by changing the code that
// the thread executes. Then SIGSTOP, which no thread can block, stops it. If it
// does not stop either, because it waits in the kernel for something that the
// program withholds, it is killed.
//
// The time during which the thread waits for a processor does not count, as
// other programs could make it long. Between two calls the thread has one
// instruction to execute, so one that uses time outside of the kernel executes
// other code, and is stopped at once.
const (
	stopAfter = 5 * time.Second
	killAfter = 10 * time.Second // after that
	lookEvery = 100 * time.Millisecond
)

// mostUserTime is how much time a thread may use outside of the kernel, in the
// ticks of proc_pid_stat(5): each is 10 ms.
const mostUserTime = 3

// An alarm ends the wait for a thread that does not obey.
type alarm struct {
	thread ID

	mu    sync.Mutex
	timer *time.Timer
	took  time.Duration // as far as it counts
	first cpuTimes      // at the first look
	last  cpuTimes      // at the last one
	rung  bool          // a SIGSTOP is pending, or its stop was seen
}

func (a *alarm) start(t ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.thread = t
	a.timer = time.AfterFunc(lookEvery, a.look)
}

// look runs each time the timer fires.
func (a *alarm) look() {
	a.mu.Lock()
	defer a.mu.Unlock()
	signal := unix.SIGSTOP
	switch {
	case a.timer == nil:
		return // stopped
	case a.rung:
		signal = unix.SIGKILL
	default:
		now := a.thread.cpuTimes()
		if a.first.state == 0 {
			a.first = now
		}
		waits := now.state == 'R' && now == a.last || now.state == 't' // for a processor, or for this process
		a.last = now
		if !waits {
			a.took += lookEvery
		}
		strays := now.user-a.first.user > mostUserTime && now.system == a.first.system
		if a.took < stopAfter && !strays {
			a.timer.Reset(lookEvery)
			return
		}
		a.rung = true
		a.timer.Reset(killAfter)
	}
	if process, err := a.thread.Process(); err == nil {
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

// cpuTimes are the state of a thread, as in proc_pid_stat(5), and the ticks that
// it has used outside of the kernel and in it.
type cpuTimes struct {
	state        byte
	user, system int
}

// Started returns when the thread was started, in ticks of 10 ms since the machine
// was. 0: unknown.
func (t ID) Started() uint64 {
	const started = 19 // after the name
	fields := t.statFields()
	if len(fields) <= started {
		return 0
	}
	ticks, _ := strconv.ParseUint(string(fields[started]), 10, 64)
	return ticks
}

// statFields returns the fields of proc_pid_stat(5) after the name, or nil.
func (t ID) statFields() [][]byte {
	text, err := os.ReadFile(t.path("task/" + strconv.Itoa(int(t)) + "/stat"))
	if err != nil {
		return nil
	}
	return bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
}

// cpuTimes returns the state and the times of the thread. Those of one that has
// ended are X and 0.
func (t ID) cpuTimes() cpuTimes {
	const state, user, system = 0, 11, 12 // after the name
	fields := t.statFields()
	if len(fields) <= system {
		return cpuTimes{state: 'X'}
	}
	c := cpuTimes{state: fields[state][0]}
	c.user, _ = strconv.Atoi(string(fields[user]))
	c.system, _ = strconv.Atoi(string(fields[system]))
	return c
}
