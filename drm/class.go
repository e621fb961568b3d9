package drm

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A Class has the minors, sysfs objects and uevents of DRM devices: it is the
// kernel's "drm" class, with the minor numbers of major 226. A process may have
// several, such as one for each test. All methods may be called concurrently.
type Class struct {
	mu          sync.Mutex
	minors      [2 * minorsOfType]*Minor // reserved numbers, see Minor.slot
	kobjects    []*Kobject               // parents first
	subscribers []*func(Uevent)
	ids         map[string]*IDs
	options     ClassOptions
	files       atomic.Uint64             // that were opened
	tracers     atomic.Pointer[[]*Tracer] // nil when no one traces; changed with mu held
}

// ClassOptions say how the devices of a class report. The zero value is the
// default.
type ClassOptions struct {
	// Logger gets the reports: panics of handlers and parts and lost events as
	// errors, slow unplugs as warnings, and each refused request, with its
	// client and the reason, at slog.LevelDebug. nil discards them.
	Logger *slog.Logger

	// DrainWatch says what happens when an unplug has to wait for open guards.
	DrainWatch DrainWatch

	// CheckGuards makes the devices check the use of their guards: use of a
	// registered view after Exit, and a second Exit of a copy, panic; closing
	// from inside the caller's own guard is refused, whatever the context;
	// reports have the stack that took a guard. A guard then takes some
	// microseconds and allocates.
	CheckGuards bool
}

// Logger returns the logger of the class, for the parts and drivers of its
// devices.
func (c *Class) Logger() *slog.Logger { return c.options.Logger }

// Major is the major device number of DRM nodes.
const Major = 226

// NewClass returns a class without devices.
func NewClass(options ClassOptions) *Class {
	if options.DrainWatch.After <= 0 {
		options.DrainWatch.After = DefaultDrainWatch
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	return &Class{options: options}
}

// Minor returns the node of that minor number, or nil if the class has none at this
// moment.
func (c *Class) Minor(number int) *Minor {
	for _, m := range c.Minors() {
		if m.number == number {
			return m
		}
	}
	return nil
}

// Minors returns the nodes that can be opened at this moment, by number.
func (c *Class) Minors() []*Minor {
	c.mu.Lock()
	defer c.mu.Unlock()
	var minors []*Minor
	for _, m := range c.minors {
		if m != nil && m.published {
			minors = append(minors, m)
		}
	}
	return minors
}

// reserve gives the device its minors: the lowest free numbers. An unplugged
// device that is still referred to keeps its numbers.
func (c *Class) reserve(d *Device) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	reserve := func(t MinorType) (*Minor, error) {
		first := int(t) * minorsOfType
		free := slices.Index(c.minors[first:first+minorsOfType], nil)
		if free < 0 {
			return nil, fmt.Errorf("all %d %s minors are in use: %w", minorsOfType, t, unix.ENOSPC)
		}
		m := newMinor(d, t, free)
		c.minors[first+free] = m
		return m, nil
	}
	var err error
	if d.primary, err = reserve(Primary); err != nil {
		return err
	}
	if d.Has(FeatureRender) {
		if d.render, err = reserve(Render); err != nil {
			c.minors[d.primary.slot()] = nil
			return err
		}
	}
	return nil
}

// release frees the numbers of a device without references.
func (c *Class) release(d *Device) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range d.minors() {
		c.minors[m.slot()] = nil
	}
}

// publish makes the nodes of the device openable, the render node first: a
// program that sees the card looks for its render node.
func (c *Class) publish(d *Device) {
	for _, m := range slices.Backward(d.minors()) {
		c.setPublished(m, true)
		c.AddKobject(m.kobject)
	}
}

// withdraw undoes publish.
func (c *Class) withdraw(d *Device) {
	for _, m := range d.minors() {
		c.setPublished(m, false)
		c.RemoveKobject(m.kobject)
	}
}

func (c *Class) setPublished(m *Minor, published bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.published = published
}
