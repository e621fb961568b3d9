package machine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// AddConnector adds a connector to a plugged card, as a hub of DisplayPort MST
// does, with a monitor plugged in, or nil. connectorType is uapi.ModeConnector*.
// AddConnector returns the name of the connector. Programs get uevents. The
// connector is gone when the card is plugged in again.
func (c *Card) AddConnector(_ context.Context, connectorType uint32, monitor *kms.Monitor) (name string, err error) {
	config := kms.ConnectorConfig{Type: connectorType, Monitor: monitor, Connection: uapi.ModeConnected}
	if monitor == nil {
		config.Connection = uapi.ModeDisconnected
	}
	err = c.withDisplay(func(dev *drm.RegisteredDevice, display *kms.ModeConfig) error {
		c.hub.Lock() // so that no other connector gets the path
		defer c.hub.Unlock()
		added, err := display.AddDynamicConnector(dev, config, streamPath(display))
		if err != nil {
			return fmt.Errorf("%s: %w", c.label, err)
		}
		name = added.Name()
		return nil
	})
	if err == nil {
		c.machine.log.Info(fmt.Sprintf("%s: connector %s added", c.label, name))
	}
	return name, err
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

// ExpectConnectors tells that connectors of the type, such as "DP", may be added to
// the card. See [Card.KnownConnector].
func (c *Card) ExpectConnectors(connectorType string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.later = append(c.later, connectorType)
}

// KnownConnector returns an error if the card has no connector with that name, and
// none is expected. The connectors of a card that is not plugged are unknown.
func (c *Card) KnownConnector(name string) error {
	if !c.Plugged() {
		return nil
	}
	err := c.CheckConnector(name)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, connectorType := range c.later {
		number, ok := strings.CutPrefix(name, connectorType+"-")
		if n, notNumber := strconv.Atoi(number); ok && notNumber == nil && n > 0 {
			return nil
		}
	}
	return err
}

// RemoveConnector removes a connector that AddConnector has added. Programs get
// uevents. A CRTC goes on to feed it until the program switches it off.
func (c *Card) RemoveConnector(_ context.Context, name string) error {
	err := c.withConnector(name, func(dev *drm.RegisteredDevice, display *kms.ModeConfig, connector *kms.Connector) error {
		if err := display.RemoveConnector(dev, connector); err != nil {
			return fmt.Errorf("%s: %w", c.label, err)
		}
		return nil
	})
	if err == nil {
		c.machine.log.Info(fmt.Sprintf("%s: connector %s removed", c.label, name))
	}
	return err
}
