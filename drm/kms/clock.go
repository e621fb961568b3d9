package kms

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Clock tells the time for displays.
type Clock interface {
	// Now returns the monotonic time since an arbitrary start. Clients compare
	// the times of events with CLOCK_MONOTONIC.
	Now() time.Duration

	// At calls f in a goroutine of its own at time t, or at once if t has
	// passed. stop cancels the call unless it has begun.
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

// A ManualClock stands still until a test advances it, so that vblanks come one
// at a time. The zero value starts at 0. All methods may be called
// concurrently.
type ManualClock struct {
	mu     sync.Mutex
	now    time.Duration
	timers []*manualTimer
	armed  chan struct{} // closed when a timer is set; nil if no one waits
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

// At implements [Clock]. [ManualClock.Step] or [ManualClock.Advance] calls f in
// its own goroutine.
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

// take advances to the earliest timer that is due by limit and removes it. If
// no timer is due, it returns a channel that is closed when a timer is set.
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

// Step advances to the earliest timer and runs it. That is the next vblank,
// unless there are other timers. If there is no timer, Step waits for one, and
// fails when ctx ends.
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
			return fmt.Errorf("kms: no timer of the clock is set: %w", ctx.Err())
		}
	}
}

// Advance advances by d and runs the timers that are due, in order.
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
