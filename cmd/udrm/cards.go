package main

import (
	"errors"
	"fmt"
	"image/png"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
)

// cards are the virtual cards of this process: vkms devices on a platform
// bus. A card is known by its node, "card0"; the device behind it is "vkms",
// and "vkms.1", "vkms.2" … for the others.
type cards struct {
	class    *drm.Class
	platform *bus.Bus
	config   vkms.Config // of the cards that are plugged from now on

	mu      sync.Mutex
	drivers map[string]*vkms.Driver // by the name of the device
	plugged map[string]string       // cards, likewise; a rescan of the bus finds them
}

// newCards plugs count cards.
func newCards(count int, config vkms.Config) (*cards, error) {
	c := &cards{
		class: drm.NewClass(), platform: bus.New("platform"), config: config,
		drivers: make(map[string]*vkms.Driver), plugged: make(map[string]string),
	}
	c.platform.OnRescan(c.rescan)
	for i := range count {
		if err := c.plug(fmt.Sprintf("card%d", i)); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// maxCards is how many primary nodes a class has numbers for.
const maxCards = 64

// cardIndex returns N of "cardN".
func cardIndex(card string) (int, error) {
	digits, ok := strings.CutPrefix(card, "card")
	i, err := strconv.Atoi(digits)
	if !ok || err != nil || i < 0 || i >= maxCards || digits != strconv.Itoa(i) {
		return 0, fmt.Errorf("%q is not a card: cards are card0 to card%d", card, maxCards-1)
	}
	return i, nil
}

// deviceName returns the name of the device of a card on the platform bus.
func deviceName(card string) string {
	i, err := cardIndex(card)
	if err != nil || i == 0 {
		return "vkms"
	}
	return fmt.Sprintf("vkms.%d", i)
}

// plug puts a new device on the bus and binds it. A card that comes back while
// a client still holds the old one gets the lowest free node, as it does in
// the kernel, which need not be the one that it had.
func (c *cards) plug(card string) error {
	name := deviceName(card)
	dev := c.platform.Device(name)
	if dev == nil {
		var err error
		if dev, err = c.platform.Add(name); err != nil {
			return err
		}
	}
	driver := vkms.NewDriver(c.class, c.config)
	if err := dev.Bind(driver); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drivers[name], c.plugged[name] = driver, card
	return nil
}

// unplug pulls the cable: the device is gone, its driver was not asked.
func (c *cards) unplug(card string) error {
	c.mu.Lock()
	delete(c.plugged, deviceName(card))
	c.mu.Unlock()
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

func (c *cards) withDevice(card string, f func(*bus.Device) error) error {
	dev := c.platform.Device(deviceName(card))
	if dev == nil {
		return fmt.Errorf("%s is not plugged", card)
	}
	return f(dev)
}

// driver returns the driver of a card, nil when it was never plugged.
func (c *cards) driver(card string) *vkms.Driver {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drivers[deviceName(card)]
}

// device returns the DRM device of a card that was plugged.
func (c *cards) device(card string) *drm.Device { return c.driver(card).Device() }

// screenshot writes what the card shows to a PNG file.
func (c *cards) screenshot(card, file string) (err error) {
	driver := c.driver(card)
	if driver == nil {
		return fmt.Errorf("%s is not plugged", card)
	}
	picture, err := driver.Screenshot()
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
		if err := dev.Remove(); err != nil {
			return err
		}
	}
	return nil
}
