package drm

import (
	"context"
	"log/slog"
	"runtime"
	"strings"
	"time"
)

// A DrainWatch says what happens when an unplug has to wait for open guards.
type DrainWatch struct {
	// After is how long an unplug waits before it is reported; and again each
	// time that the wait has doubled. Zero is [DefaultDrainWatch].
	After time.Duration
	// Report, when not nil, gets the reports, which go to log/slog in any
	// case. The unplug waits for it.
	Report func(SlowDrain)
}

// DefaultDrainWatch is long for a section and short for a person.
const DefaultDrainWatch = 5 * time.Second

// A SlowDrain is an unplug that waits for open guards, or has done so.
type SlowDrain struct {
	Device   *Device
	Waited   time.Duration
	Finished bool        // it went on: the last guard has exited
	Guards   []OpenGuard // those that are known by name
	Others   int         // those that are not
	// Inside says that the unplug was asked for from inside a guard, which
	// may be the very one that it waits for.
	Inside bool
}

// SetDrainWatch sets the watch for the unplugs of the class that begin from
// now on.
func (c *Class) SetDrainWatch(w DrainWatch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch = w
}

func (c *Class) drainWatch() DrainWatch {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.watch
	if w.After <= 0 {
		w.After = DefaultDrainWatch
	}
	return w
}

// CheckGuards makes the devices that the class gets from now on check the use
// of their guards: use of a registered view after Exit, and a second Exit by
// way of a copy, panic; closing from inside one's own guard is found at once;
// reports have the stack that took a guard. A guard then takes some
// microseconds and allocates; without, one comparison is all that it costs.
func (c *Class) CheckGuards() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checked = true
}

func (c *Class) checks() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.checked
}

// awaitGuards waits for the last open guard, and reports when it takes long.
func (d *Device) awaitGuards(inside func() bool) {
	if d.gate.Drain(noWait) == nil { // as a rule; it takes neither clock nor timer
		return
	}
	watch := d.class.drainWatch()
	begin := time.Now()
	if d.drainFor(watch.After) {
		return
	}
	slow := SlowDrain{Device: d, Inside: inside()}
	for after := watch.After; !slow.Finished; after *= 2 {
		slow.Waited = time.Since(begin)
		slow.Guards = d.OpenGuards()
		slow.Others = max(0, d.Guards()-len(slow.Guards))
		watch.report(slow)
		slow.Finished = d.drainFor(after)
	}
	slow.Waited, slow.Guards, slow.Others = time.Since(begin), nil, 0
	watch.report(slow)
}

// noWait has ended: who waits with it only looks.
var noWait = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// drainFor reports whether the gate drained within the time.
func (d *Device) drainFor(limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return d.gate.Drain(ctx) == nil
}

func (w DrainWatch) report(s SlowDrain) {
	device := s.Device.Name()
	if s.Finished {
		slog.Info("drm: the unplug goes on: all guards are closed", "device", device, "waited", s.Waited)
	} else {
		slog.Warn("drm: an unplug waits for open guards", "device", device, "waited", s.Waited,
			"known", len(s.Guards), "others", s.Others, "asked for inside a guard", s.Inside)
		for _, g := range s.Guards {
			slog.Warn("drm: open guard", "device", device, "what", g.What, "pid", g.Client.PID, "comm", g.Client.Comm,
				"since", g.Since, "stack", g.Stack)
		}
	}
	if w.Report != nil {
		w.Report(s)
	}
}

// insideGuard reports whether the calling goroutine is inside a guard of some
// device that a function of this package has taken: it finds that function on
// the stack. Guards that a driver takes by itself are not seen; see
// [Device.holds].
func insideGuard() bool {
	pcs := make([]uintptr, 128)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, "drm.(*Device).WithGuard") || strings.HasSuffix(f.Function, "drm.(*Device).serve") {
			return true
		}
		if !more {
			return false
		}
	}
}
