package drm

import (
	"context"
	"sync"
	"time"
)

// A DrainWatch says how an unplug that waits for open guards is reported.
type DrainWatch struct {
	// After is how long an unplug waits before it is reported, and again each
	// time that the wait has doubled. Zero is [DefaultDrainWatch].
	After time.Duration
	// Report, if not nil, gets the reports, which go to the logger of the class
	// in any case. The unplug waits for Report to return.
	Report func(SlowDrain)
}

// DefaultDrainWatch is the default of [DrainWatch].After: long for a section,
// short for a person.
const DefaultDrainWatch = 5 * time.Second

// A SlowDrain is an unplug that waits, or has waited, for open guards.
type SlowDrain struct {
	Device   *Device
	Waited   time.Duration
	Finished bool        // the last guard has exited
	Guards   []OpenGuard // the open guards that are known by name
	Others   int         // how many others are open
	// Inside says that the goroutine that unplugs is itself inside a guard of
	// the device, for which it waits. Known only when guards are checked.
	Inside bool
}

// awaitGuards waits for the last open guard, and reports when it takes long.
func (d *Device) awaitGuards() {
	if d.gate.Drain(ended) == nil { // the usual case, without clock and timer
		return
	}
	r := &drainReporter{slow: SlowDrain{Device: d, Inside: d.holds()}, begin: time.Now()}
	r.schedule(d.class.options.DrainWatch.After)
	if err := d.gate.Drain(context.Background()); err != nil {
		panic(err) // the gate is closed, and the context does not end
	}
	r.stop()
}

// A drainReporter reports a wait for open guards at times that double.
type drainReporter struct {
	begin time.Time

	mu    sync.Mutex // held while it reports
	timer *time.Timer
	slow  SlowDrain
}

// schedule arranges for the first report, after the given time.
func (r *drainReporter) schedule(after time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer = time.AfterFunc(after, r.report)
}

func (r *drainReporter) report() {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.slow.Device
	if r.slow.Finished {
		return
	}
	r.slow.Waited = time.Since(r.begin)
	r.slow.Guards = d.OpenGuards()
	r.slow.Others = max(0, d.Guards()-len(r.slow.Guards))
	d.class.options.DrainWatch.report(r.slow)
	r.timer.Reset(r.slow.Waited)
}

// stop ends the reports. If there were any, it reports that the wait is over.
func (r *drainReporter) stop() {
	r.timer.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slow.Finished = true
	if r.slow.Waited > 0 {
		r.slow.Waited, r.slow.Guards, r.slow.Others = time.Since(r.begin), nil, 0
		r.slow.Device.class.options.DrainWatch.report(r.slow)
	}
}

func (w DrainWatch) report(s SlowDrain) {
	device, log := s.Device.Name(), s.Device.class.Logger()
	if s.Finished {
		log.Info("drm: the unplug goes on: all guards have exited", "device", device, "waited", s.Waited)
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
