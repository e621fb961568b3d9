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
	c, err := d.connector(connector)
	if err != nil {
		return err
	}
	if monitor == nil {
		monitor = d.config.topology().Connectors[c.Index()].monitor()
	}
	return d.Device().WithGuard(func(dev *drm.RegisteredDevice) error {
		c.Hotplug(dev, connection, monitor)
		return nil
	})
}

// connector returns the connector with the given name. Writeback connectors,
// which come after those of the topology, do not count.
func (d *Driver) connector(name string) (*kms.Connector, error) {
	display := d.ModeConfig()
	if display == nil {
		return nil, fmt.Errorf("vkms: connector %s: the driver is not bound: %w", name, unix.ENODEV)
	}
	var names []string
	for _, c := range display.Connectors()[:len(d.config.topology().Connectors)] {
		if c.Name() == name {
			return c, nil
		}
		names = append(names, c.Name())
	}
	return nil, fmt.Errorf("vkms: no connector %s; the card has: %s: %w", name, strings.Join(names, ", "), unix.ENOENT)
}

// monitor returns the connector's monitor.
func (c *Connector) monitor() *kms.Monitor {
	if c.Monitor != nil {
		return c.Monitor
	}
	return &kms.Monitor{Modes: modes(true)}
}
