package machine

import (
	"context"
	"fmt"
	"slices"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// AddConnector adds a connector to a plugged card, as a hub of DisplayPort MST
// does, with a monitor plugged in, or nil. connectorType is uapi.ModeConnector*.
// AddConnector returns the name of the connector. Programs get uevents. The
// connector is gone when the card is plugged in again.
func (c *Card) AddConnector(_ context.Context, connectorType uint32, monitor *kms.Monitor) (name string, err error) {
	display, dev, err := c.display()
	if err != nil {
		return "", err
	}
	config := kms.ConnectorConfig{Type: connectorType, Monitor: monitor, Connection: uapi.ModeConnected}
	if monitor == nil {
		config.Connection = uapi.ModeDisconnected
	}
	var refused error
	err = dev.WithGuard(func(dev *drm.RegisteredDevice) error {
		c.hub.Lock() // so that no other connector gets the path
		defer c.hub.Unlock()
		var added *kms.Connector
		if added, refused = display.AddDynamicConnector(dev, config, streamPath(display)); refused == nil {
			name = added.Name()
		}
		return nil
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("%s is not plugged", c.label)
	case refused != nil:
		return "", fmt.Errorf("%s: %w", c.label, refused)
	}
	c.machine.log.Info(fmt.Sprintf("%s: connector %s added", c.label, name))
	return name, nil
}

// streamPath returns the property PATH of a new connector: the id of the connector
// of the card that the hub is plugged into, and the lowest free port of the hub.
func streamPath(display *kms.ModeConfig) string {
	list := display.Connectors()
	root := list[0]
	for _, c := range list {
		if c.Config().Type == uapi.ModeConnectorDisplayPort && c.Path() == "" {
			root = c
			break
		}
	}
	for port := 1; ; port++ {
		path := fmt.Sprintf("mst:%d-%d", root.ID(), port)
		if !slices.ContainsFunc(list, func(c *kms.Connector) bool { return c.Path() == path }) {
			return path
		}
	}
}

// RemoveConnector removes a connector that AddConnector has added. Programs get
// uevents. A CRTC goes on to feed it until the program switches it off.
func (c *Card) RemoveConnector(_ context.Context, name string) error {
	display, dev, err := c.display()
	if err != nil {
		return err
	}
	connector, err := c.connector(display, name)
	if err != nil {
		return err
	}
	var refused error
	err = dev.WithGuard(func(dev *drm.RegisteredDevice) error {
		refused = display.RemoveConnector(dev, connector)
		return nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("%s is not plugged", c.label)
	case refused != nil:
		return fmt.Errorf("%s: %w", c.label, refused)
	}
	c.machine.log.Info(fmt.Sprintf("%s: connector %s removed", c.label, name))
	return nil
}
