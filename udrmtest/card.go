package udrmtest

import (
	"context"

	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
)

// A Card is a card of a [Machine]. Its methods inherited from [Screen] are about
// the only connector that shows a picture.
type Card struct {
	Screen
}

// Card returns a card by its label: "card0" is the first card.
func (m *Machine) Card(label string) *Card {
	m.t.Helper()
	c, err := m.Machine.Card(label)
	m.check(err)
	return &Card{Screen{m: m, card: c}}
}

// check fails the test if err is not nil.
func (m *Machine) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatalf("udrmtest: %v", err)
	}
}

// do calls an action with the context of a wait.
func (m *Machine) do(action func(context.Context) error) {
	m.t.Helper()
	ctx, cancel := m.context()
	defer cancel()
	m.check(action(ctx))
}

// Machine returns the card in package machine, whose methods return errors.
func (c *Card) Machine() *machine.Card { return c.card }

// Path returns the path of the card for programs, such as "/dev/dri/card0".
func (c *Card) Path() string { return "/dev/dri/" + c.card.Node() }

// Plug plugs the card in.
func (c *Card) Plug() { c.m.t.Helper(); c.m.do(c.card.Plug) }

// Unplug pulls the card out. When it returns, no request is in flight any more.
func (c *Card) Unplug() { c.m.t.Helper(); c.m.do(c.card.Unplug) }

// Bind binds the driver to the card again, after Unbind.
func (c *Card) Bind() { c.m.t.Helper(); c.m.do(c.card.Bind) }

// Unbind unbinds the driver from the card, a planned removal.
func (c *Card) Unbind() { c.m.t.Helper(); c.m.do(c.card.Unbind) }

// Connect plugs a monitor into a connector, such as "DP-1". The monitor is
// written as in udrm run --monitor, without the connector; "" is the one that the
// connector had first.
func (c *Card) Connect(connector, monitor string) {
	c.m.t.Helper()
	m, err := config.ParsePluggedMonitor(monitor)
	c.m.check(err)
	c.m.do(func(ctx context.Context) error { return c.card.Connect(ctx, connector, m) })
}

// Disconnect pulls the monitor out of a connector.
func (c *Card) Disconnect(connector string) {
	c.m.t.Helper()
	c.m.do(func(ctx context.Context) error { return c.card.Disconnect(ctx, connector) })
}

// AddConnector adds a connector of a type, such as "DP", as a hub of DisplayPort
// MST does. The monitor is written as for [Card.Connect]; "" leaves it out.
// AddConnector returns the name of the connector.
func (c *Card) AddConnector(connectorType, monitor string) (name string) {
	c.m.t.Helper()
	kind, err := config.ParseConnectorType(connectorType)
	c.m.check(err)
	m, err := config.ParsePluggedMonitor(monitor)
	c.m.check(err)
	c.m.do(func(ctx context.Context) error {
		name, err = c.card.AddConnector(ctx, kind, m)
		return err
	})
	return name
}

// RemoveConnector removes a connector that AddConnector has added. What it shows
// goes on until the program switches it off.
func (c *Card) RemoveConnector(connector string) {
	c.m.t.Helper()
	c.m.do(func(ctx context.Context) error { return c.card.RemoveConnector(ctx, connector) })
}

// On returns the screen of a connector, such as "DP-1".
func (c *Card) On(connector string) *Screen {
	c.m.t.Helper()
	c.m.check(c.card.CheckConnector(connector))
	return &Screen{m: c.m, card: c.card, connector: connector}
}
