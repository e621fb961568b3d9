package udrmcmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
	"github.com/udrm/udrm/machine/picture"
)

// A timedAction is an action of --at: something to do to a card at a time after
// the start of the program.
type timedAction struct {
	after     time.Duration
	action    *action
	card      string // "card0"
	connector string // "HDMI-A-1"; "" for none
	argument  string // the file of a screenshot; the monitor to connect, "" for the connector's own
}

// An action is something that --at can do.
type action struct {
	name      string
	form      string // how it is written, after the time
	help      string
	connector need // CARD:CONNECTOR
	argument  need // =ARGUMENT behind it
	do        func(ctx context.Context, c *machine.Card, a *timedAction) error
}

// A need says whether an action takes something.
type need int

const (
	never need = iota
	optional
	always
)

// actions are all actions, in the order of the help.
var actions = []*action{
	{
		name: "unplug", form: "unplug=CARD",
		help: "Pull the card out. The driver is not asked.",
		do:   func(ctx context.Context, c *machine.Card, _ *timedAction) error { return c.Unplug(ctx) },
	}, {
		name: "plug", form: "plug=CARD",
		help: "Plug the card in (again).",
		do:   func(ctx context.Context, c *machine.Card, _ *timedAction) error { return c.Plug(ctx) },
	}, {
		name: "unbind", form: "unbind=CARD",
		help: "Unbind the driver from the card, a planned removal. The driver switches the display off first.",
		do:   func(ctx context.Context, c *machine.Card, _ *timedAction) error { return c.Unbind(ctx) },
	}, {
		name: "bind", form: "bind=CARD",
		help: "Bind the driver to the card, after unbind.",
		do:   func(ctx context.Context, c *machine.Card, _ *timedAction) error { return c.Bind(ctx) },
	}, {
		name: "disconnect", form: "disconnect=CARD:CONNECTOR", connector: always,
		help: "Pull the monitor out of the connector.",
		do: func(ctx context.Context, c *machine.Card, a *timedAction) error {
			return c.Disconnect(ctx, a.connector)
		},
	}, {
		name: "connect", form: "connect=CARD:CONNECTOR[=MONITOR]", connector: always, argument: optional,
		help: "Plug a monitor into the connector: MONITOR as in --monitor, or the monitor that the connector is described with.",
		do: func(ctx context.Context, c *machine.Card, a *timedAction) error {
			monitor, err := a.monitor()
			if err != nil {
				return err
			}
			return c.Connect(ctx, a.connector, monitor)
		},
	}, {
		name: "screenshot", form: "screenshot=CARD[:CONNECTOR]=FILE.png", connector: optional, argument: always,
		help: "Write the picture on the connector to a PNG file. CONNECTOR can be left out if the card shows only one picture.",
		do: func(_ context.Context, c *machine.Card, a *timedAction) error {
			shown, err := c.Screenshot(a.connector)
			if err != nil {
				return err
			}
			return picture.Write(a.argument, shown)
		},
	},
}

func actionNamed(name string) *action {
	for _, a := range actions {
		if a.name == name {
			return a
		}
	}
	return nil
}

// atUsage says how an action is written.
const atUsage = "TIME:ACTION=CARD, such as 2s:unplug=card0; see \"help at\""

// atHelp is the help of --at.
func atHelp() string {
	var names []string
	for _, a := range actions {
		names = append(names, a.name)
	}
	return "Do something at a time after the start of the program, such as 2s:unplug=card0. Repeat the flag for more actions. ACTION is " +
		strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1] + `; see "${name} help at".`
}

// monitor returns the monitor to connect, nil for the connector's own.
func (a *timedAction) monitor() (*kms.Monitor, error) {
	if a.argument == "" {
		return nil, nil
	}
	c, err := config.ParseMonitor(a.argument, 1)
	if err == nil && (c.Type != 0 || c.Status != 0) {
		err = fmt.Errorf("%q: connect changes the monitor; leave out the type of the connector and \"disconnected\"", a.argument)
	}
	return c.Monitor, err
}

// UnmarshalText parses "2s:unplug=card0" or "1s:screenshot=card0=out.png".
func (a *timedAction) UnmarshalText(text []byte) error {
	refuse := func(why string) error {
		return fmt.Errorf("%q: %s; write %s", text, why, atUsage)
	}
	when, what, ok := strings.Cut(string(text), ":")
	if !ok {
		return refuse("there is no colon after the time")
	}
	after, err := time.ParseDuration(when)
	if err != nil || after < 0 {
		return refuse(fmt.Sprintf("%q is not a time", when))
	}
	name, target, ok := strings.Cut(what, "=")
	if !ok {
		return refuse("there is no card")
	}
	act := actionNamed(name)
	if act == nil {
		return refuse(fmt.Sprintf("unknown action %q", name))
	}
	target, argument, hasArgument := strings.Cut(target, "=")
	card, connector, hasConnector := strings.Cut(target, ":")
	if err := machine.CheckLabel(card); err != nil {
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
	*a = timedAction{after: after, action: act, card: card, connector: connector, argument: argument}
	if name == "connect" {
		if _, err := a.monitor(); err != nil {
			return refuse(err.Error())
		}
	}
	return nil
}

// check returns what is wrong if given does not fulfil the need, or "".
func (n need) check(given bool, value, action, what string) string {
	switch {
	case n == never && given:
		return fmt.Sprintf("%s takes no %s", action, what)
	case n == always && !given, given && value == "":
		return fmt.Sprintf("%s takes a %s", action, what)
	}
	return ""
}

// String returns the action as it is written after --at.
func (a *timedAction) String() string {
	s := fmt.Sprintf("%v:%s=%s", a.after, a.action.name, a.card)
	if a.connector != "" {
		s += ":" + a.connector
	}
	if a.argument != "" {
		s += "=" + a.argument
	}
	return s
}

// do does the action.
func (a *timedAction) do(ctx context.Context, m *machine.Machine) error {
	card, err := m.Card(a.card)
	if err != nil {
		return err
	}
	return a.action.do(ctx, card, a)
}
