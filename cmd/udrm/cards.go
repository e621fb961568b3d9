package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vgem"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/machine/config"
)

// cards are the virtual cards of this process: devices on a platform bus. A
// card is known by its node, "card0"; the device behind it is named as its
// driver, "vkms", and "vkms.1", "vkms.2" … for the others of that driver.
type cards struct {
	class    *drm.Class
	platform *bus.Bus
	list     []config.Card // card0 and so on
	further  *config.Card  // what all others are; nil: there are none

	mu      sync.Mutex
	drivers map[string]*vkms.Driver // by the name of the device; displays only
	plugged map[string]string       // cards, likewise; a rescan of the bus finds them
}

// newCards plugs those of the cards that are enabled.
func newCards(list []config.Card, further *config.Card) (*cards, error) {
	c := &cards{
		class: drm.NewClass(drm.ClassOptions{Logger: slog.Default()}), platform: bus.New("platform"), list: list, further: further,
		drivers: make(map[string]*vkms.Driver), plugged: make(map[string]string),
	}
	c.platform.OnRescan(c.rescan)
	for i, card := range list {
		if !card.Enabled {
			continue
		}
		if err := c.plug(fmt.Sprintf("card%d", i)); err != nil {
			return nil, errors.Join(err, c.removeAll())
		}
	}
	return c, nil
}

// cardIndex returns N of "cardN".
func cardIndex(card string) (int, error) {
	digits, ok := strings.CutPrefix(card, "card")
	i, err := strconv.Atoi(digits)
	if !ok || err != nil || i < 0 || i >= config.MaxCards || digits != strconv.Itoa(i) {
		return 0, fmt.Errorf("%q is not a card: cards are card0 to card%d", card, config.MaxCards-1)
	}
	return i, nil
}

// describe returns what a card is, and the name of its device on the platform
// bus.
func (c *cards) describe(card string) (described config.Card, device string, err error) {
	i, err := cardIndex(card)
	if err != nil {
		return config.Card{}, "", err
	}
	number := i
	switch {
	case i < len(c.list):
		described, number = c.list[i], 0
		for _, other := range c.list[:i] {
			if other.Driver == described.Driver {
				number++
			}
		}
	case c.further == nil:
		return config.Card{}, "", fmt.Errorf("there is no %s: %d cards are described", card, len(c.list))
	default:
		described = *c.further
	}
	if number == 0 {
		return described, string(described.Driver), nil
	}
	return described, fmt.Sprintf("%s.%d", described.Driver, number), nil
}

// plug puts a new device on the bus and binds it. A card that comes back while
// a client still holds the old one gets the lowest free node, as it does in
// the kernel, which need not be the one that it had.
func (c *cards) plug(card string) error {
	described, name, err := c.describe(card)
	if err != nil {
		return err
	}
	dev := c.platform.Device(name)
	if dev == nil {
		if dev, err = c.platform.Add(name); err != nil {
			return err
		}
	}
	var driver *bus.Driver
	var display *vkms.Driver
	switch described.Driver {
	case config.VGEM:
		driver = vgem.NewDriver(c.class).BusDriver()
	default:
		display = vkms.NewDriver(c.class, described.VKMS)
		driver = display.BusDriver()
	}
	if err := dev.Bind(driver); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plugged[name] = card
	if display != nil {
		c.drivers[name] = display
	}
	return nil
}

// unplug pulls the cable: the device is gone, its driver was not asked.
func (c *cards) unplug(card string) error {
	if _, name, err := c.describe(card); err == nil {
		c.mu.Lock()
		delete(c.plugged, name)
		c.mu.Unlock()
	}
	return c.withDevice(card, (*bus.Device).Remove)
}

// rescan brings the cards back that a program has removed although they are
// still plugged.
func (c *cards) rescan() error {
	c.mu.Lock()
	plugged := maps.Clone(c.plugged)
	c.mu.Unlock()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(plugged)) {
		if c.platform.Device(name) == nil {
			errs = append(errs, c.plug(plugged[name]))
		}
	}
	return errors.Join(errs...)
}

// unbind takes the driver off the device, which stays on the bus.
func (c *cards) unbind(card string) error { return c.withDevice(card, (*bus.Device).Unbind) }

func (c *cards) withDevice(card string, f func(*bus.Device, context.Context) error) error {
	_, name, err := c.describe(card)
	if err != nil {
		return err
	}
	dev := c.platform.Device(name)
	if dev == nil {
		return fmt.Errorf("%s is not plugged", card)
	}
	return f(dev, context.Background())
}

// driver returns the driver of a card that is a display, nil when it is none
// or was never plugged.
func (c *cards) driver(card string) *vkms.Driver {
	_, name, err := c.describe(card)
	if err != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drivers[name]
}

// display is driver, with an error.
func (c *cards) display(card string) (*vkms.Driver, error) {
	switch described, _, err := c.describe(card); {
	case err != nil:
		return nil, err
	case described.Driver != config.VKMS:
		return nil, fmt.Errorf("%s is a %s, which has no display", card, described.Driver)
	}
	driver := c.driver(card)
	if driver == nil {
		return nil, fmt.Errorf("%s is not plugged", card)
	}
	return driver, nil
}

// device returns the DRM device of a display that was plugged.
func (c *cards) device(card string) *drm.Device { return c.driver(card).Device() }

// hotplug changes what is plugged into a connector of a card: see
// [vkms.Driver.Hotplug].
func (c *cards) hotplug(card, connector string, connection uint32, monitor *kms.Monitor) error {
	driver, err := c.display(card)
	if err != nil {
		return err
	}
	return driver.Hotplug(connector, connection, monitor)
}

// screenshot writes what a display shows to a PNG file: on a connector, or
// with connector "" on its first CRTC.
func (c *cards) screenshot(card, connector, file string) (err error) {
	driver, err := c.display(card)
	if err != nil {
		return err
	}
	take := driver.Screenshot
	if connector != "" {
		take = func() (*image.NRGBA, error) { return driver.ScreenshotOf(connector) }
	}
	picture, err := take()
	if err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := png.Encode(f, picture); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// removeAll unplugs what is still there.
func (c *cards) removeAll() error {
	for _, dev := range c.platform.Devices() {
		if err := dev.Remove(context.Background()); err != nil {
			return err
		}
	}
	return nil
}
