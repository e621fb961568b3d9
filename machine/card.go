package machine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/machine/config"
)

// A Card is a card of a [Machine], plugged or not. All methods may be called
// concurrently.
type Card struct {
	machine     *Machine
	label       string
	bus         *bus.Bus
	device      string // its name on the bus
	shown       bus.Description
	description config.Card

	actions sync.Mutex // serialises Plug and Bind
	hub     sync.Mutex // serialises AddConnector; taken inside a guard

	mu      sync.Mutex
	plugged bool
	pulled  *bus.Device // what Unplug has pulled out last, or is pulling out
	drm     *drm.Device // of the last binding; nil before the first
	later   []string    // types of connectors that may be added
}

// newCard returns an unplugged card, which has that many predecessors of its
// driver. The caller holds Machine.mu, or has the machine alone.
func (m *Machine) newCard(label string, description config.Card, predecessors int) *Card {
	device := string(description.Driver)
	if predecessors > 0 {
		device = fmt.Sprintf("%s.%d", description.Driver, predecessors)
	}
	if description.VKMS.Clock == nil {
		description.VKMS.Clock = m.clock
	}
	c := &Card{machine: m, label: label, bus: m.Bus("platform"), device: device, description: description}
	if description.Driver == config.VKMS {
		c.bus, c.shown = m.Bus(description.VKMS.Bus()), description.VKMS.Description()
	}
	if l := description.Lookalike; l != nil {
		clocked := *l
		if clocked.Clock == nil {
			clocked.Clock = m.clock
		}
		c.description.Lookalike = &clocked
		c.setPlace(&clocked)
	}
	c.shown.Properties, c.shown.Tags = description.Udev.Properties, description.Udev.Tags
	return c
}

// setPlace gives the card a place on the bus of its description that no other card
// has. The caller holds Machine.mu, or has the machine alone.
func (c *Card) setPlace(l *lookalike.Config) {
	for n := 0; ; n++ {
		place := l.Bus.Place(l.Info.Name, n)
		c.bus, c.device, c.shown = c.machine.Bus(place.Bus), place.Name, place.Description
		taken := false
		for _, other := range c.machine.cards {
			taken = taken || other.bus == c.bus && other.device == c.device
		}
		if !taken {
			return
		}
	}
}

// Label returns the name of the card in the description, such as "card0".
func (c *Card) Label() string { return c.label }

func (c *Card) index() int {
	i, _ := cardIndex(c.label) // Card has checked it
	return i
}

// Description returns the description of the card.
func (c *Card) Description() config.Card { return c.description }

// Device returns the DRM device that the card has or, after an unplug, had.
// nil: the card was never bound to a driver.
func (c *Card) Device() *drm.Device {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drm
}

// Node returns the name of the card in /dev/dri, such as "card1". It is "" if
// programs cannot open the card now.
func (c *Card) Node() string {
	if dev := c.Device(); dev != nil && dev.State() == drm.Live {
		return dev.Name()
	}
	return ""
}

// Owns reports whether the device is, or was, a device of this card. It takes no
// locks.
func (c *Card) Owns(dev *drm.Device) bool {
	return dev.Parent().Bus() == c.bus && dev.Parent().Name() == c.device
}

// String returns the label, and the node if it has another name.
func (c *Card) String() string {
	if node := c.Node(); node != "" && node != c.label {
		return fmt.Sprintf("%s (/dev/dri/%s)", c.label, node)
	}
	return c.label
}

// Plugged reports whether the card is plugged.
func (c *Card) Plugged() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.plugged
}

// notePlug notes that dev is plugged, unless Unplug was faster.
func (c *Card) notePlug(dev *bus.Device) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plugged = c.pulled != dev
}

// noteUnplug notes that dev is being pulled out.
func (c *Card) noteUnplug(dev *bus.Device) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plugged, c.pulled = false, dev
}

// Plug plugs the card in: it adds a new device to the bus and binds it to its
// driver. It waits for an unplug of the card that is under way. It is an error if
// the card is plugged already.
func (c *Card) Plug(ctx context.Context) error {
	for {
		if taken, err := c.plug(ctx); !taken {
			return err
		}
		old := c.bus.Device(c.device)
		switch {
		case old == nil:
			continue // it has left just now
		case !old.Removed():
			return fmt.Errorf("%s is already plugged", c.label)
		}
		select {
		case <-old.Left():
		case <-ctx.Done():
			return fmt.Errorf("%s is still being unplugged: %w", c.label, context.Cause(ctx))
		}
	}
}

// plug plugs the card in, unless the bus has a device of the card.
func (c *Card) plug(ctx context.Context) (taken bool, err error) {
	c.actions.Lock()
	defer c.actions.Unlock()
	dev, err := c.bus.AddDescribed(c.device, c.shown)
	if err != nil {
		return errors.Is(err, unix.EEXIST), err
	}
	if err := c.bind(dev); err != nil {
		return false, errors.Join(err, dev.Remove(ctx))
	}
	c.notePlug(dev)
	c.machine.log.Info(fmt.Sprintf("%s: plugged as /dev/dri/%s, driver %s", c.label, c.Node(), c.description.Driver))
	return false, nil
}

// Unplug pulls the card out: the device disappears without a word to its
// driver. Unplug returns when the last request in flight has ended and all
// resources of the device are released.
func (c *Card) Unplug(ctx context.Context) error {
	dev, err := c.onBus()
	if err != nil {
		return err
	}
	c.noteUnplug(dev) // before a rescan can find it
	start := time.Now()
	if err := dev.Remove(ctx); err != nil {
		return err
	}
	c.machine.log.Info(fmt.Sprintf("%s: unplugged in %v", c.label, time.Since(start).Round(time.Microsecond)))
	return nil
}

// Bind binds the driver to the card, after Unbind.
func (c *Card) Bind(context.Context) error {
	c.actions.Lock()
	defer c.actions.Unlock()
	dev, err := c.onBus()
	if err != nil {
		return err
	}
	if driver := dev.Driver(); driver != "" {
		return fmt.Errorf("%s is already bound to driver %s", c.label, driver)
	}
	if err := c.bind(dev); err != nil {
		return err
	}
	c.machine.log.Info(fmt.Sprintf("%s: bound to driver %s as /dev/dri/%s", c.label, c.description.Driver, c.Node()))
	return nil
}

// Unbind unbinds the driver from the card, which stays plugged. This is a
// planned removal: the driver switches the display off first.
func (c *Card) Unbind(ctx context.Context) error {
	dev, err := c.onBus()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := dev.Unbind(ctx); errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("%s is not bound to a driver", c.label)
	} else if err != nil {
		return err
	}
	c.machine.log.Info(fmt.Sprintf("%s: unbound in %v", c.label, time.Since(start).Round(time.Microsecond)))
	return nil
}

// onBus returns the device of a plugged card.
func (c *Card) onBus() (*bus.Device, error) {
	dev := c.bus.Device(c.device)
	if dev == nil {
		return nil, fmt.Errorf("%s is not plugged", c.label)
	}
	return dev, nil
}

// bind binds a new driver to the device.
func (c *Card) bind(dev *bus.Device) error {
	driver, ok := c.machine.drivers[c.description.Driver]
	if !ok {
		return fmt.Errorf("%s: there is no driver %q", c.label, c.description.Driver)
	}
	return dev.Bind(driver.New(c.machine.class, c.description))
}

// busEvent takes note of the DRM device of a card that was bound, here or by a
// program that writes to /sys.
func (m *Machine) busEvent(e bus.Event) {
	if e.Action != "bind" {
		return
	}
	var dev *drm.Device
	for _, minor := range m.class.Minors() {
		if minor.Type() == drm.Primary && minor.Device().Parent() == e.Device {
			dev = minor.Device()
		}
	}
	for _, c := range m.Cards() {
		if c.bus == e.Device.Bus() && c.device == e.Device.Name() && dev != nil {
			c.mu.Lock()
			c.drm = dev
			c.mu.Unlock()
		}
	}
}

// rescan plugs the cards in again that a program has removed through /sys.
func (m *Machine) rescan() error {
	var errs []error
	for _, c := range m.Cards() {
		if c.Plugged() && c.bus.Device(c.device) == nil {
			errs = append(errs, c.Plug(context.Background()))
		}
	}
	return errors.Join(errs...)
}
