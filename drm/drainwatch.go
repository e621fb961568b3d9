package drm

import (
	"context"
	"time"
)

// A DrainWatch says what happens when an unplug has to wait for open guards.
type DrainWatch struct {
	// After is how long an unplug waits before it is reported; and again each
	// time that the wait has doubled. Zero is [DefaultDrainWatch].
	After time.Duration
	// Report, if not nil, gets the reports, which go to the logger of the class
	// in any case. The unplug waits for Report to return.
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
	// Inside says that the goroutine that unplugs is itself inside a guard of
	// the device, for which it waits. Known only when guards are checked.
	Inside bool
}

// awaitGuards waits for the last open guard, and reports when it takes long.
func (d *Device) awaitGuards() {
	if d.gate.Drain(ended) == nil { // the usual case, without clock and timer
		return
	}
	watch := d.class.options.DrainWatch
	begin := time.Now()
	if d.drainFor(watch.After) {
		return
	}
	slow := SlowDrain{Device: d, Inside: d.holds()}
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

// drainFor reports whether the gate drained within the time.
func (d *Device) drainFor(limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return d.gate.Drain(ctx) == nil
}

func (w DrainWatch) report(s SlowDrain) {
	device, log := s.Device.Name(), s.Device.class.Logger()
	if s.Finished {
		log.Info("drm: the unplug goes on: all guards are closed", "device", device, "waited", s.Waited)
	} else {
		log.Warn("drm: an unplug waits for open guards", "device", device, "waited", s.Waited,
			"known", len(s.Guards), "others", s.Others, "asked for inside a guard", s.Inside)
		for _, g := range s.Guards {
			log.Warn("drm: open guard", "device", device, "what", g.What, "pid", g.Client.PID, "comm", g.Client.Comm,
				"since", g.Since, "stack", g.Stack)
		}
	}
	if w.Report != nil {
		w.Report(s)
	}
}
