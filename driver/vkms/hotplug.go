package vkms

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
)

// Hotplug plugs a monitor into a connector, or unplugs it, while clients use
// the device: see [kms.Connector.Hotplug]. connector is its name for clients,
// such as "HDMI-A-1". A nil monitor is the one of the configuration. Errors:
// ENODEV without a device, ENOENT for an unknown connector.
func (d *Driver) Hotplug(connector string, connection uint32, monitor *kms.Monitor) error {
	c, index, err := d.connector(connector)
	if err != nil {
		return err
	}
	if monitor == nil {
		monitor = d.config.topology().Connectors[index].monitor()
	}
	return d.Device().WithGuard(func(dev *drm.RegisteredDevice) error {
		c.Hotplug(dev, connection, monitor)
		return nil
	})
}

// connector returns the connector with the given name, and its position in the
// topology. Writeback connectors do not count.
func (d *Driver) connector(name string) (c *kms.Connector, index int, err error) {
	d.mu.Lock()
	display := d.display
	d.mu.Unlock()
	if display == nil {
		return nil, 0, fmt.Errorf("vkms: connector %s: the driver is not bound: %w", name, unix.ENODEV)
	}
	var names []string
	for i, c := range display.connectors {
		if c.Name() == name {
			return c, i, nil
		}
		names = append(names, c.Name())
	}
	return nil, 0, fmt.Errorf("vkms: no connector %s; the card has: %s: %w", name, strings.Join(names, ", "), unix.ENOENT)
}

// monitor returns the connector's monitor.
func (c *Connector) monitor() *kms.Monitor {
	if c.Monitor != nil {
		return c.Monitor
	}
	return &kms.Monitor{Modes: modes(true)}
}
