package machine

import (
	"context"
	"fmt"
	"image"
	"strings"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// display returns the modesetting of the card. After an unplug it is that of
// the device that went away.
func (c *Card) display() (*kms.ModeConfig, *drm.Device, error) {
	dev := c.Device()
	if dev == nil {
		return nil, nil, fmt.Errorf("%s is not plugged", c.label)
	}
	display, ok := drm.PartOf[*kms.ModeConfig](dev)
	if !ok {
		return nil, nil, fmt.Errorf("%s has no display: its driver is %s", c.label, c.description.Driver)
	}
	return display, dev, nil
}

// withDisplay calls f inside a guard of the card.
func (c *Card) withDisplay(f func(*drm.RegisteredDevice, *kms.ModeConfig) error) error {
	display, dev, err := c.display()
	if err != nil {
		return err
	}
	var refused error
	if dev.WithGuard(func(dev *drm.RegisteredDevice) error { refused = f(dev, display); return nil }) != nil {
		return fmt.Errorf("%s is not plugged", c.label)
	}
	return refused
}

// withConnector is withDisplay for the connector with that name.
func (c *Card) withConnector(name string, f func(*drm.RegisteredDevice, *kms.ModeConfig, *kms.Connector) error) error {
	return c.withDisplay(func(dev *drm.RegisteredDevice, display *kms.ModeConfig) error {
		connector, err := c.connector(display, name)
		if err != nil {
			return err
		}
		return f(dev, display, connector)
	})
}

// plugs returns the connectors that a monitor can be plugged into, without those
// that are gone.
func plugs(display *kms.ModeConfig) (list []*kms.Connector) {
	for _, c := range display.Connectors() {
		if c.Config().Type != uapi.ModeConnectorWriteback && c.Registered() {
			list = append(list, c)
		}
	}
	return list
}

// connector returns the connector with that name.
func (c *Card) connector(display *kms.ModeConfig, name string) (*kms.Connector, error) {
	var names []string
	for _, connector := range plugs(display) {
		if connector.Name() == name {
			return connector, nil
		}
		names = append(names, connector.Name())
	}
	return nil, fmt.Errorf("%s has no connector %s; it has %s", c.label, name, strings.Join(names, ", "))
}

// CheckConnector returns an error if the card has no connector with that name.
func (c *Card) CheckConnector(name string) error {
	display, _, err := c.display()
	if err == nil {
		_, err = c.connector(display, name)
	}
	return err
}

// Connect plugs a monitor into a connector: programs get a uevent and find the
// new monitor. A nil monitor is the one that the connector is described with.
func (c *Card) Connect(ctx context.Context, connector string, monitor *kms.Monitor) error {
	return c.hotplug(connector, uapi.ModeConnected, monitor)
}

// Disconnect pulls the monitor out of a connector: programs get a uevent. What
// the CRTC shows stays as it is until a program changes it. It is an error if
// there is no monitor.
func (c *Card) Disconnect(ctx context.Context, connector string) error {
	for _, info := range c.ConnectorInfos() {
		if info.Name == connector && !info.Connected && c.Plugged() {
			return fmt.Errorf("%s has no monitor on %s", c.label, connector)
		}
	}
	return c.hotplug(connector, uapi.ModeDisconnected, nil)
}

// LoseLink lets the link of a connector to its monitor fail: the property
// link-status becomes Bad, and programs get a uevent. A modeset repairs it.
func (c *Card) LoseLink(ctx context.Context, name string) error {
	err := c.withConnector(name, func(dev *drm.RegisteredDevice, _ *kms.ModeConfig, connector *kms.Connector) error {
		connector.LoseLink(dev)
		return nil
	})
	if err == nil {
		c.machine.log.Info(fmt.Sprintf("%s: the link of %s failed", c.label, name))
	}
	return err
}

// Wedge tells programs that the card hangs, by a uevent with WEDGED=recovery, such as
// rebind. See [drm.CheckRecovery].
func (c *Card) Wedge(ctx context.Context, recovery string) error {
	dev := c.Device()
	if dev == nil {
		return fmt.Errorf("%s is not plugged", c.label)
	}
	var err error
	if dev.WithGuard(func(dev *drm.RegisteredDevice) error { err = dev.Wedge(recovery); return nil }) != nil {
		return fmt.Errorf("%s is not plugged", c.label)
	}
	if err == nil {
		c.machine.log.Info(fmt.Sprintf("%s: wedged (%s)", c.label, recovery))
	}
	return err
}

func (c *Card) hotplug(name string, connection uint32, monitor *kms.Monitor) error {
	err := c.withConnector(name, func(dev *drm.RegisteredDevice, _ *kms.ModeConfig, connector *kms.Connector) error {
		if monitor == nil {
			monitor = connector.Config().Monitor
		}
		connector.Hotplug(dev, connection, monitor)
		return nil
	})
	if err != nil {
		return err
	}
	word := "connected"
	if connection == uapi.ModeDisconnected {
		word = "disconnected"
	}
	c.machine.log.Info(fmt.Sprintf("%s: %s %s", c.label, name, word))
	return nil
}

// Screenshot returns the picture on a connector, as its monitor shows it (see
// [kms.Connector.MonitorPicture]). Its pixels have the alpha 255.
// With the name "" it is the only connector of the card that shows a picture. A
// console that no program has drawn on is no picture.
//
// After an unplug, Screenshot returns the last picture as long as a program has
// the card open.
func (c *Card) Screenshot(connector string) (*image.NRGBA, error) {
	display, _, err := c.display()
	if err != nil {
		return nil, err
	}
	shown, _, err := c.lit(display, connector)
	if err != nil {
		return nil, err
	}
	picture, err := shown.MonitorPicture(nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.label, err)
	}
	return picture, nil
}

// lit returns a connector and the CRTC that feeds it. With the name "" it is the
// only CRTC that shows a picture on a connector of the card.
func (c *Card) lit(display *kms.ModeConfig, name string) (*kms.Connector, *kms.CRTC, error) {
	state := display.State()
	active := func(connector *kms.Connector) *kms.CRTC {
		crtc := state.Connector(connector).CRTC
		if crtc == nil || !display.ShowsPicture(crtc) {
			return nil
		}
		return crtc
	}
	if name != "" {
		connector, err := c.connector(display, name)
		if err != nil {
			return nil, nil, err
		}
		if crtc := active(connector); crtc != nil {
			return connector, crtc, nil
		}
		return nil, nil, &darkError{c.label + ":" + name}
	}
	var first *kms.Connector
	var only *kms.CRTC
	var names []string
	for _, connector := range plugs(display) {
		if crtc := active(connector); crtc != nil && crtc != only {
			first, only = connector, crtc
			names = append(names, connector.Name())
		}
	}
	switch len(names) {
	case 0:
		return nil, nil, &darkError{c.label}
	case 1:
		return first, only, nil
	}
	return nil, nil, fmt.Errorf("%s shows pictures on %s; name one of them", c.label, strings.Join(names, " and "))
}

// A darkError says that a card or connector shows no picture.
type darkError struct{ what string }

func (e *darkError) Error() string { return e.what + " shows no picture" }
