package machine

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/kms"
)

// A ClockMode says what makes the vblanks of the displays happen.
type ClockMode string

// The modes of the clock.
const (
	ClockReal ClockMode = "real" // time
	ClockStep ClockMode = "step" // StepClock
	ClockFast ClockMode = "fast" // a program that waits for a vblank while no program runs
)

// ClockModes are all modes, in the order of the help.
var ClockModes = []ClockMode{ClockReal, ClockStep, ClockFast}

// ParseClockMode returns the mode of that name.
func ParseClockMode(name string) (ClockMode, error) {
	if mode := ClockMode(name); slices.Contains(ClockModes, mode) {
		return mode, nil
	}
	return "", fmt.Errorf("%q is not a mode of the clock: the modes are real, step and fast", name)
}

// A clock is the clock of the displays of a machine.
type clock struct {
	kms.ManualClock
	machine *Machine

	stepping chan struct{} // has a token while steps are made
	end      context.CancelFunc
	ended    context.Context // when the machine ends

	mu   sync.Mutex
	mode ClockMode
	same context.Context         // ends when the mode changes
	stop context.CancelCauseFunc // ends same
	fast chan struct{}           // closed when no fast steps are made
}

func newClock(m *Machine, mode ClockMode) *clock {
	c := &clock{machine: m, stepping: make(chan struct{}, 1), stop: func(error) {}, fast: make(chan struct{})}
	close(c.fast)
	c.ended, c.end = context.WithCancel(context.Background())
	if mode != ClockStep { // the times that a program sees are near its own
		c.Run()
	}
	c.set(mode)
	return c
}

// Clock returns the mode of the clock.
func (m *Machine) Clock() ClockMode {
	m.clock.mu.Lock()
	defer m.clock.mu.Unlock()
	return m.clock.mode
}

// SetClock changes the mode of the clock. With [ClockStep], the clock stops.
// Then, or with [ClockReal], it goes on with the time that it has: after steps,
// times of vblanks differ from those of CLOCK_MONOTONIC.
func (m *Machine) SetClock(mode ClockMode) {
	m.clock.set(mode)
	m.log.Info(fmt.Sprintf("the mode of the clock is %s", mode))
}

func (c *clock) set(mode ClockMode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop(fmt.Errorf("the mode of the clock became %s", mode))
	<-c.fast
	c.same, c.stop = context.WithCancelCause(c.ended)
	if c.mode = mode; mode == "" {
		c.mode = ClockReal
	}
	if c.mode == ClockReal {
		c.Run()
		return
	}
	c.Stop()
	if c.mode == ClockFast {
		ctx, ended := c.same, make(chan struct{})
		c.fast = ended
		go func() {
			defer close(ended)
			for c.step(ctx, 0) == nil {
			}
		}()
	}
}

// stepLimit is how long a step waits for a program that runs.
const stepLimit = time.Second

// StepClock lets n vblanks happen, one after the other: those of all displays
// that are due at the same time count as one. Before each, it waits until a
// program waits for a vblank, no request is being handled, and the programs that
// have cards open sleep. For the latter two it waits a second at most. The clock
// must be stopped, see [Machine.SetClock]. StepClock fails when ctx ends.
func (m *Machine) StepClock(ctx context.Context, n int) error {
	c := m.clock
	select {
	case c.stepping <- struct{}{}:
		defer func() { <-c.stepping }()
	case <-ctx.Done():
		return fmt.Errorf("stepping the clock: another step is under way (%w)", context.Cause(ctx))
	}
	c.mu.Lock()
	mode, same := c.mode, c.same
	c.mu.Unlock()
	if err := checkStops(mode); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer context.AfterFunc(same, func() { cancel(context.Cause(same)) })()
	defer cancel(nil)
	for i := range n {
		if err := c.step(ctx, stepLimit); err != nil {
			return fmt.Errorf("step %d of %d of the clock: not made: no program waits for a vblank (%w)", i+1, n, err)
		}
	}
	return nil
}

// StepClockLater makes n steps as StepClock does, and does not wait for them.
// They end with the machine. It fails if the clock is not stopped.
func (m *Machine) StepClockLater(n int) error {
	if err := checkStops(m.Clock()); err != nil {
		return err
	}
	go func() { _ = m.StepClock(m.clock.ended, n) }()
	return nil
}

// checkStops returns an error if steps cannot be made in a mode.
func checkStops(mode ClockMode) error {
	if mode != ClockStep {
		return fmt.Errorf("stepping the clock: its mode is %s; set it to step first", mode)
	}
	return nil
}

// step lets the next vblank happen, as soon as a program waits for it. It waits
// up to limit until no program runs. The limit 0 stands for the real time that
// passes until the vblank.
func (c *clock) step(ctx context.Context, limit time.Duration) error {
	ahead, err := c.Armed(ctx)
	if err != nil {
		return context.Cause(ctx)
	}
	if limit == 0 {
		limit = ahead
	}
	c.machine.awaitIdle(ctx, limit)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return c.Step(ctx)
}

// Looking whether programs run becomes rarer while they do.
const (
	firstLook = 20 * time.Microsecond
	lastLook  = time.Millisecond
)

// awaitIdle waits up to limit until no program runs: one that has a card open,
// or whose call is being answered.
func (m *Machine) awaitIdle(ctx context.Context, limit time.Duration) {
	end := time.Now().Add(limit)
	for look := firstLook; m.busy() && time.Now().Before(end); look = min(2*look, lastLook) {
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return
		}
	}
}

// busy reports whether a program runs.
func (m *Machine) busy() bool {
	if m.host.Busy() {
		return true
	}
	seen := map[int]bool{unix.Getpid(): true}
	for _, card := range m.Cards() {
		dev := card.Device()
		if dev == nil {
			continue
		}
		for _, client := range dev.Clients() {
			if !seen[client.PID] && runs(client.PID) {
				return true
			}
			seen[client.PID] = true
		}
	}
	return m.host.Busy()
}

// runs reports whether a thread of the process runs or could run.
func runs(pid int) bool {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return false
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, thread.Name()))
		if i := strings.LastIndexByte(string(stat), ')'); err == nil && i >= 0 && strings.HasPrefix(string(stat[i:]), ") R") {
			return true
		}
	}
	return false
}
