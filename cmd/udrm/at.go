package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/machine/config"
)

// A timedAction is what the user asked for with --at: do something to a card,
// some time after the program was started.
type timedAction struct {
	after     time.Duration
	action    string // one of actions
	card      string // "card0"
	connector string // "HDMI-A-1"; "" for none
	argument  string // the file of a screenshot; the monitor to connect, "" for the connector's own
}

// An action is what --at can do.
type action struct {
	do        func(c *cards, a timedAction) error
	connector need // CARD:CONNECTOR
	argument  need // =ARGUMENT behind it
}

// A need is whether an action takes something.
type need int

const (
	never need = iota
	optional
	always
)

var actions = map[string]action{
	"unplug":     {do: func(c *cards, a timedAction) error { return c.unplug(a.card) }},
	"unbind":     {do: func(c *cards, a timedAction) error { return c.unbind(a.card) }},
	"plug":       {do: func(c *cards, a timedAction) error { return c.plug(a.card) }},
	"screenshot": {do: func(c *cards, a timedAction) error { return c.screenshot(a.card, a.connector, a.argument) }, connector: optional, argument: always},
	"connect":    {do: connect, connector: always, argument: optional},
	"disconnect": {do: func(c *cards, a timedAction) error {
		return c.hotplug(a.card, a.connector, uapi.ModeDisconnected, nil)
	}, connector: always},
}

// connect plugs a monitor into a connector.
func connect(c *cards, a timedAction) error {
	monitor, err := a.monitor()
	if err != nil {
		return err
	}
	return c.hotplug(a.card, a.connector, uapi.ModeConnected, monitor)
}

// monitor returns the monitor to connect, nil for the connector's own.
func (a *timedAction) monitor() (*kms.Monitor, error) {
	if a.argument == "" {
		return nil, nil
	}
	c, err := config.ParseMonitor(a.argument, 1)
	if err == nil && (c.Type != 0 || c.Status != 0) {
		err = fmt.Errorf("%q: it is the monitor that changes: the type of the connector and \"disconnected\" are no part of it", a.argument)
	}
	return c.Monitor, err
}

const atUsage = `TIME:ACTION=CARD, such as 2s:unplug=card0; ACTION is unplug (the cable is pulled), unbind (planned), plug, ` +
	`disconnect or connect (a monitor: CARD:CONNECTOR, and for another monitor =MONITOR) or screenshot (which takes =CARD=FILE.png or =CARD:CONNECTOR=FILE.png)`

// UnmarshalText parses "2s:unplug=card0" or "1s:screenshot=card0=out.png".
func (a *timedAction) UnmarshalText(text []byte) error {
	refuse := func(why string) error {
		return fmt.Errorf("%q: %s; it must read %s", text, why, atUsage)
	}
	when, what, ok := strings.Cut(string(text), ":")
	if !ok {
		return refuse("no colon after the time")
	}
	after, err := time.ParseDuration(when)
	if err != nil || after < 0 {
		return refuse(fmt.Sprintf("%q is not a time", when))
	}
	name, target, ok := strings.Cut(what, "=")
	if !ok {
		return refuse("no card")
	}
	act, ok := actions[name]
	if !ok {
		return refuse(fmt.Sprintf("unknown action %q", name))
	}
	target, argument, hasArgument := strings.Cut(target, "=")
	card, connector, hasConnector := strings.Cut(target, ":")
	if _, err := cardIndex(card); err != nil {
		return refuse(err.Error())
	}
	if why := act.connector.check(hasConnector, connector, name, "connector, such as "+card+":Virtual-1"); why != "" {
		return refuse(why)
	}
	what = "file"
	if name != "screenshot" {
		what = "monitor"
	}
	if why := act.argument.check(hasArgument, argument, name, what); why != "" {
		return refuse(why)
	}
	*a = timedAction{after: after, action: name, card: card, connector: connector, argument: argument}
	if name == "connect" {
		if _, err := a.monitor(); err != nil {
			return refuse(err.Error())
		}
	}
	return nil
}

// check says why what was given is not what is needed.
func (n need) check(given bool, value, action, what string) string {
	switch {
	case n == never && given:
		return fmt.Sprintf("%s takes no %s", action, what)
	case n == always && !given, given && value == "":
		return fmt.Sprintf("%s takes a %s", action, what)
	}
	return ""
}

func (a timedAction) String() string {
	s := fmt.Sprintf("%v:%s=%s", a.after, a.action, a.card)
	if a.connector != "" {
		s += ":" + a.connector
	}
	if a.argument != "" {
		s += "=" + a.argument
	}
	return s
}
