package kms

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Clock is the time by which displays run.
type Clock interface {
	// Now returns the monotonic time, since an unknown beginning. Clients see
	// it in events and compare it with their CLOCK_MONOTONIC.
	Now() time.Duration

	// At calls f at the time t, or as soon as possible when it is over, in a
	// goroutine of its own. stop makes it unlikely that f is called.
	At(t time.Duration, f func()) (stop func())
}

// realClock is CLOCK_MONOTONIC.
type realClock struct{}

func (realClock) Now() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(fmt.Sprintf("kms: CLOCK_MONOTONIC: %v", err))
	}
	return time.Duration(ts.Nano())
}

func (c realClock) At(t time.Duration, f func()) (stop func()) {
	timer := time.AfterFunc(t-c.Now(), f)
	return func() { timer.Stop() }
}

// A ManualClock stands still until it is told to go on, so that a test sees
// one vblank at a time. Its zero value begins at 0. All methods may be called
// concurrently.
type ManualClock struct {
	mu     sync.Mutex
	now    time.Duration
	timers []*manualTimer
	armed  chan struct{} // closed and replaced when a timer is set; nil at first
}

type manualTimer struct {
	at time.Duration
	f  func()
}

// Now implements [Clock].
func (c *ManualClock) Now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// At implements [Clock]. f is called by [ManualClock.Step] or
// [ManualClock.Advance], in their goroutine.
func (c *ManualClock) At(t time.Duration, f func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	timer := &manualTimer{max(t, c.now), f}
	c.timers = append(c.timers, timer)
	if c.armed != nil {
		close(c.armed)
		c.armed = nil
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.remove(timer)
	}
}

func (c *ManualClock) remove(t *manualTimer) {
	if i := slices.Index(c.timers, t); i >= 0 {
		c.timers = slices.Delete(c.timers, i, i+1)
	}
}

// take advances to the earliest timer that is due by limit and removes it;
// nil when there is none.
func (c *ManualClock) take(limit time.Duration) (timer *manualTimer, armed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.timers {
		if t.at <= limit && (timer == nil || t.at < timer.at) {
			timer = t
		}
	}
	if timer != nil {
		c.remove(timer)
		c.now = timer.at
		return timer, nil
	}
	if c.armed == nil {
		c.armed = make(chan struct{})
	}
	return nil, c.armed
}

// Step waits until something waits for the clock, advances to the first that
// does, and runs it: to the next vblank, when vblanks are all that is waited
// for. The end of ctx is its error.
func (c *ManualClock) Step(ctx context.Context) error {
	for {
		timer, armed := c.take(1<<63 - 1)
		if timer != nil {
			timer.f()
			return nil
		}
		select {
		case <-armed:
		case <-ctx.Done():
			return fmt.Errorf("kms: nothing waits for the clock: %w", ctx.Err())
		}
	}
}

// Advance goes on by d, running in order what is due on the way.
func (c *ManualClock) Advance(d time.Duration) {
	end := c.Now() + d
	for {
		timer, _ := c.take(end)
		if timer == nil {
			break
		}
		timer.f()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = max(c.now, end)
}
