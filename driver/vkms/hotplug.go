package vkms

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
)

// Hotplug changes what is plugged into a connector while clients are at work:
// see [kms.Connector.Hotplug]. The connector is named as clients see it, such
// as "HDMI-A-1". A nil monitor is the one that it was made with. Errors:
// ENODEV when the device is not there, ENOENT for a connector that it does not
// have.
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

// connector returns the connector of that name among those of the topology,
// which come first.
func (d *Driver) connector(name string) (*kms.Connector, error) {
	display := d.ModeConfig()
	if display == nil {
		return nil, fmt.Errorf("vkms: connector %s of a driver that is not bound: %w", name, unix.ENODEV)
	}
	var names []string
	for _, c := range display.Connectors()[:len(d.config.topology().Connectors)] {
		if c.Name() == name {
			return c, nil
		}
		names = append(names, c.Name())
	}
	return nil, fmt.Errorf("vkms: there is no connector %s; there are: %s: %w", name, strings.Join(names, ", "), unix.ENOENT)
}

// monitor returns what is plugged in, or will be.
func (c *Connector) monitor() *kms.Monitor {
	if c.Monitor != nil {
		return c.Monitor
	}
	return &kms.Monitor{Modes: modes(true)}
}
