// Package timer calls functions at times of CLOCK_MONOTONIC, from threads of its
// own.
//
// It is for times that a program notices, such as vblanks. A timer of package time
// waits until a thread of the Go scheduler looks for it. While all of them are busy
// or in system calls, that takes up to 10 ms. Here the kernel wakes a thread that
// does nothing else.
//
// Package drm/kms uses it. There is one lock, which is not held while a function
// runs. Start reading at [At].
package timer

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Now returns the time of CLOCK_MONOTONIC.
func Now() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(fmt.Sprintf("timer: CLOCK_MONOTONIC: %v", err))
	}
	return time.Duration(ts.Nano())
}

// At calls f at time t, or at once if t has passed, in another goroutine. stop
// cancels the call unless it has begun. At and stop may be called concurrently, and
// by f.
//
// A call that blocks delays no other one. If the process has no descriptor left, a
// timer of package time takes the place of this one.
func At(t time.Duration, f func()) (stop func()) {
	e := &entry{at: t, f: f}
	if err := process.add(e); err != nil {
		late := time.AfterFunc(t-Now(), f)
		return func() { late.Stop() }
	}
	return func() { process.remove(e) }
}

// process has the timers of the process, because threads are a resource of it.
var process = newQueue()

func newQueue() *queue { return &queue{fd: -1} }
