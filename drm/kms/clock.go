package kms

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/udrm/udrm/internal/timer"
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

func (realClock) Now() time.Duration { return timer.Now() }

func (realClock) At(t time.Duration, f func()) (stop func()) { return timer.At(t, f) }

// A ManualClock stands still until a test advances it or lets it run, so that
// vblanks come when the test wants them. The zero value stands at 0. All methods
// may be called concurrently.
type ManualClock struct {
	mu     sync.Mutex
	now    time.Duration // while it stands
	used   bool          // the time was looked at, or changed
	timers []*manualTimer
	armed  chan struct{} // closed when a timer is set; nil if no one waits

	running bool          // with realClock, since behind
	behind  time.Duration // how far the time is behind that of realClock
	wake    func()        // stops the call of expire; nil: none is due
}

type manualTimer struct {
	at time.Duration
	f  func()
}

// Now implements [Clock].
func (c *ManualClock) Now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.time()
}

// time returns the time. The caller holds mu.
func (c *ManualClock) time() time.Duration {
	c.used = true
	if c.running {
		return realClock{}.Now() - c.behind
	}
	return c.now
}

// At implements [Clock]. While the clock stands, [ManualClock.Step] or
// [ManualClock.Advance] calls f in its own goroutine.
func (c *ManualClock) At(t time.Duration, f func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	timer := &manualTimer{max(t, c.time()), f}
	c.timers = append(c.timers, timer)
	if c.armed != nil {
		close(c.armed)
		c.armed = nil
	}
	c.schedule()
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

// Run lets the clock run as fast as real time. A clock that was not used before
// takes over the time of CLOCK_MONOTONIC. Any other goes on with its own time.
func (c *ManualClock) Run() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		return
	}
	if c.used {
		c.behind = realClock{}.Now() - c.now
	}
	c.running = true
	c.schedule()
}

// Stop stops the clock.
func (c *ManualClock) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		c.now, c.running = c.time(), false
		c.schedule()
	}
}

// schedule arranges the next call of expire. The caller holds mu.
func (c *ManualClock) schedule() {
	if c.wake != nil {
		c.wake()
		c.wake = nil
	}
	if first := c.first(); c.running && first != nil {
		c.wake = realClock{}.At(first.at+c.behind, c.expire)
	}
}

// expire runs the timers that are due while the clock runs, each in a goroutine
// of its own: the last one in this goroutine, which realClock has made for it.
func (c *ManualClock) expire() {
	due := c.takeDue()
	for i, t := range due {
		if i == len(due)-1 {
			t.f()
		} else {
			go t.f()
		}
	}
}

// takeDue removes and returns the timers that are due, if the clock runs.
func (c *ManualClock) takeDue() (due []*manualTimer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running {
		return nil
	}
	now := c.time()
	c.timers = slices.DeleteFunc(c.timers, func(t *manualTimer) bool {
		if t.at > now {
			return false
		}
		due = append(due, t)
		return true
	})
	c.schedule()
	return due
}

// first returns the earliest timer, or nil. The caller holds mu.
func (c *ManualClock) first() (timer *manualTimer) {
	for _, t := range c.timers {
		if timer == nil || t.at < timer.at {
			timer = t
		}
	}
	return timer
}

// take advances to the earliest timer that is due by limit and removes it. If
// no timer is due, or the clock runs, it returns a channel that is closed when a
// timer is set.
func (c *ManualClock) take(limit time.Duration) (timer *manualTimer, armed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if timer = c.first(); timer != nil && timer.at <= limit && !c.running {
		c.remove(timer)
		c.now = timer.at
		return timer, nil
	}
	return nil, c.whenArmed()
}

// whenArmed returns a channel that is closed when a timer is set. The caller
// holds mu.
func (c *ManualClock) whenArmed() <-chan struct{} {
	if c.armed == nil {
		c.armed = make(chan struct{})
	}
	return c.armed
}

// Armed waits until a timer is set, and returns how far it is ahead. It fails
// when ctx ends.
func (c *ManualClock) Armed(ctx context.Context) (ahead time.Duration, err error) {
	for {
		c.mu.Lock()
		first, armed := c.first(), c.whenArmed()
		if first != nil {
			ahead = first.at - c.time()
		}
		c.mu.Unlock()
		if first != nil {
			return ahead, nil
		}
		select {
		case <-armed:
		case <-ctx.Done():
			return 0, fmt.Errorf("kms: no timer of the clock is set: %w", context.Cause(ctx))
		}
	}
}

// Step advances to the earliest timer and runs all that are due then. That is
// the next vblank, unless there are other timers. If there is no timer, Step
// waits for one, and fails when ctx ends. A clock that runs cannot be stepped.
func (c *ManualClock) Step(ctx context.Context) error {
	for {
		timer, armed := c.take(1<<63 - 1)
		if timer != nil {
			timer.f()
			for timer, _ = c.take(timer.at); timer != nil; timer, _ = c.take(timer.at) {
				timer.f()
			}
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
