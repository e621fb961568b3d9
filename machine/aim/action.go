package aim

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
	"github.com/udrm/udrm/machine/picture"
	"github.com/udrm/udrm/seat"
)

// An Action is something to do to a card.
type Action struct {
	Kind      *ActionKind
	Card      string // "card0"; "": the card of the event
	Connector string // "HDMI-A-1"; the type of a connector to add; "" for none
	Argument  string // the file of a screenshot; the monitor to connect, "" for the connector's own
}

// An ActionKind is a kind of [Action].
type ActionKind struct {
	Name string
	Form string // how it is written
	Help string

	connector need   // CARD:CONNECTOR
	argument  need   // =ARGUMENT behind it
	what      string // the argument, in errors; "" for a monitor
	check     func(argument string) error
	do        func(ctx context.Context, c *machine.Card, a *Action) error

	// Of an action on the machine, which has no card: NAME=ARGUMENT or NAME.
	doMachine func(m *machine.Machine, argument string) error
}

// A need says whether an action takes something.
type need int

const (
	never need = iota
	optional
	always
)

// Actions returns all kinds of actions, in the order of the help.
func Actions() []*ActionKind { return actions }

var actions = []*ActionKind{
	{
		Name: "unplug", Form: "unplug=CARD",
		Help: "Pull the card out. The driver is not asked.",
		do:   func(ctx context.Context, c *machine.Card, _ *Action) error { return c.Unplug(ctx) },
	}, {
		Name: "plug", Form: "plug=CARD",
		Help: "Plug the card in (again).",
		do:   func(ctx context.Context, c *machine.Card, _ *Action) error { return c.Plug(ctx) },
	}, {
		Name: "unbind", Form: "unbind=CARD",
		Help: "Unbind the driver from the card, a planned removal. The driver switches the display off first.",
		do:   func(ctx context.Context, c *machine.Card, _ *Action) error { return c.Unbind(ctx) },
	}, {
		Name: "bind", Form: "bind=CARD",
		Help: "Bind the driver to the card, after unbind.",
		do:   func(ctx context.Context, c *machine.Card, _ *Action) error { return c.Bind(ctx) },
	}, {
		Name: "disconnect", Form: "disconnect=CARD:CONNECTOR", connector: always,
		Help: "Pull the monitor out of the connector.",
		do: func(ctx context.Context, c *machine.Card, a *Action) error {
			return c.Disconnect(ctx, a.Connector)
		},
	}, {
		Name: "connect", Form: "connect=CARD:CONNECTOR[=MONITOR]", connector: always, argument: optional,
		Help: "Plug a monitor into the connector: MONITOR as in --monitor, or the monitor that the connector is described with.",
		do: func(ctx context.Context, c *machine.Card, a *Action) error {
			monitor, err := config.ParsePluggedMonitor(a.Argument)
			if err != nil {
				return err
			}
			return c.Connect(ctx, a.Connector, monitor)
		},
	}, {
		Name: addConnector, Form: "add-connector=CARD:TYPE[=MONITOR]", connector: always, argument: optional,
		Help: "Add a connector of the type, such as DP, with the monitor, as a hub of DisplayPort MST does.",
		do: func(ctx context.Context, c *machine.Card, a *Action) error {
			connectorType, err := config.ParseConnectorType(a.Connector)
			if err != nil {
				return err
			}
			monitor, err := config.ParsePluggedMonitor(a.Argument)
			if err != nil {
				return err
			}
			_, err = c.AddConnector(ctx, connectorType, monitor)
			return err
		},
	}, {
		Name: removeConnector, Form: "remove-connector=CARD:CONNECTOR", connector: always,
		Help: "Remove a connector that add-connector has added.",
		do: func(ctx context.Context, c *machine.Card, a *Action) error {
			return c.RemoveConnector(ctx, a.Connector)
		},
	}, {
		Name: "badlink", Form: "badlink=CARD:CONNECTOR", connector: always,
		Help: "Let the link to the monitor fail: link-status becomes Bad, until a modeset.",
		do: func(ctx context.Context, c *machine.Card, a *Action) error {
			return c.LoseLink(ctx, a.Connector)
		},
	}, {
		Name: "wedge", Form: "wedge=CARD=RECOVERY", argument: always, what: "recovery, such as rebind",
		Help:  "Tell programs that the card hangs, by a uevent with WEDGED=RECOVERY: unknown, or some of none, rebind, bus-reset and vendor-specific with commas between them. The card itself goes on.",
		check: drm.CheckRecovery,
		do: func(ctx context.Context, c *machine.Card, a *Action) error {
			return c.Wedge(ctx, a.Argument)
		},
	}, {
		Name: "screenshot", Form: "screenshot=CARD[:CONNECTOR]=FILE.png", connector: optional, argument: always, what: "file",
		Help:  "Write the picture on the connector to a PNG file. CONNECTOR can be left out if the card shows only one picture.",
		check: picture.CheckName,
		do: func(_ context.Context, c *machine.Card, a *Action) error {
			if err := picture.CheckFile(a.Argument); err != nil {
				return err
			}
			shown, err := c.Screenshot(a.Connector)
			if err != nil {
				return err
			}
			return picture.Write(a.Argument, shown)
		},
	}, {
		Name: "step", Form: "step=N",
		Help: "Let N vblanks happen, each as soon as a program waits for it. The action does not wait for them. The clock must be stopped.",
		check: func(argument string) error {
			_, err := parseSteps(argument)
			return err
		},
		doMachine: func(m *machine.Machine, argument string) error {
			n, _ := parseSteps(argument) // check has checked it
			return m.StepClockLater(n)
		},
	}, {
		Name: "clock", Form: "clock=MODE",
		Help: "Change the mode of the clock: step stops it, real and fast let it run.",
		check: func(argument string) error {
			_, err := machine.ParseClockMode(argument)
			return err
		},
		doMachine: func(m *machine.Machine, argument string) error {
			m.SetClock(machine.ClockMode(argument))
			return nil
		},
	}, {
		Name: seatAction, Form: "seat=DO",
		Help:  "Steer the seat of --seat: pause switches to an empty terminal, resume switches back, revoke takes the cards away from the active session without a word, restore gives them back.",
		check: seat.CheckAction,
		doMachine: func(m *machine.Machine, argument string) error {
			return m.Seat().Do(argument) // Check has checked both
		},
	},
}

const seatAction = "seat"

// parseSteps parses the number of steps of the clock.
func parseSteps(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("step=%s is not a number of vblanks", text)
	}
	return int(n), nil
}

// ofMachine reports whether the action is one on the machine, not on a card.
func (k *ActionKind) ofMachine() bool { return k.doMachine != nil }

// newMachineAction parses the argument of an action on the machine.
func newMachineAction(kind *ActionKind, argument string) (Action, error) {
	if err := kind.check(argument); err != nil {
		return Action{}, err
	}
	return Action{Kind: kind, Argument: argument}, nil
}

func actionNamed(name string) *ActionKind {
	for _, k := range actions {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// actionNames lists the actions.
func actionNames() string {
	var names []string
	for _, k := range Actions() {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}

// ParseAction parses an action that names its card, such as "unplug=card0" or
// "screenshot=card0:DP-1=out.png".
func ParseAction(text string) (Action, error) {
	name, target, ok := strings.Cut(text, "=")
	kind := actionNamed(name)
	switch {
	case kind != nil && kind.ofMachine():
		return newMachineAction(kind, target)
	case !ok:
		return Action{}, fmt.Errorf("there is no card")
	case kind == nil:
		return Action{}, fmt.Errorf("unknown action %q: actions are %s", name, actionNames())
	}
	target, argument, hasArgument := strings.Cut(target, "=")
	card, connector, hasConnector := strings.Cut(target, ":")
	if err := machine.CheckLabel(card); err != nil {
		return Action{}, err
	}
	return newAction(kind, card, connector, hasConnector, argument, hasArgument)
}

// parseOwnAction parses an action that may leave out the card, which is then
// that of the event: "unplug", "disconnect=DP-1", "screenshot=out.png".
func parseOwnAction(text string) (Action, error) {
	name := wordName(text)
	kind := actionNamed(name)
	if strings.HasPrefix(text[len(name):], ":") {
		return Action{}, fmt.Errorf("%s is not the last word", name)
	}
	_, target, hasTarget := strings.Cut(text, "=")
	if kind.ofMachine() {
		return newMachineAction(kind, target)
	}
	first, argument, hasArgument := strings.Cut(target, "=")
	card, connector, hasConnector := strings.Cut(first, ":")
	switch {
	case hasTarget && machine.CheckLabel(card) == nil:
		return ParseAction(text)
	case kind.connector == always:
		return newAction(kind, "", first, hasTarget, argument, hasArgument)
	case kind.connector == optional && hasArgument: // screenshot=DP-1=out.png
		return newAction(kind, "", first, true, argument, true)
	case kind.argument != never:
		return newAction(kind, "", "", false, target, hasTarget)
	case !hasTarget:
		return newAction(kind, "", connector, hasConnector, "", false)
	}
	return ParseAction(text) // whose error says what is wrong
}

func newAction(kind *ActionKind, card, connector string, hasConnector bool, argument string, hasArgument bool) (Action, error) {
	example := card
	if example == "" {
		example = "card0"
	}
	if why := kind.connector.check(hasConnector, connector, kind.Name, "connector, such as "+example+":Virtual-1"); why != "" {
		return Action{}, fmt.Errorf("%s", why)
	}
	if strings.ContainsRune(connector, ':') {
		return Action{}, fmt.Errorf("%q is not a connector", connector)
	}
	what := cmp.Or(kind.what, "monitor")
	if why := kind.argument.check(hasArgument, argument, kind.Name, what); why != "" {
		return Action{}, fmt.Errorf("%s", why)
	}
	if kind.check != nil {
		if err := kind.check(argument); err != nil {
			return Action{}, err
		}
	}
	a := Action{Kind: kind, Card: card, Connector: connector, Argument: argument}
	if kind.Name == addConnector {
		if _, err := config.ParseConnectorType(connector); err != nil {
			return Action{}, err
		}
	}
	if kind.argument == optional {
		if _, err := config.ParsePluggedMonitor(a.Argument); err != nil {
			return Action{}, err
		}
	}
	return a, nil
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

// String returns the action as it is written.
func (a *Action) String() string {
	target := a.Card
	switch {
	case target == "":
		target = a.Connector
	case a.Connector != "":
		target += ":" + a.Connector
	}
	s := a.Kind.Name
	for _, part := range []string{target, a.Argument} {
		if part != "" {
			s += "=" + part
		}
	}
	return s
}

// The names of actions on connectors that come and go.
const addConnector, removeConnector = "add-connector", "remove-connector"

// Check returns an error if the action names a card or a connector that does
// not exist. See [machine.Card.KnownConnector] for connectors that exist later.
func (a *Action) Check(m *machine.Machine) error {
	if a.Kind.Name == seatAction && m.Seat() == nil {
		return fmt.Errorf("the machine has no seat; add --seat")
	}
	if a.Card == "" {
		return nil
	}
	find := m.KnownCard
	if a.Kind.Name == "plug" {
		find = m.Card
	}
	card, err := find(a.Card)
	if err == nil && a.Connector != "" && a.Kind.Name != addConnector && a.Kind.Name != removeConnector {
		err = card.KnownConnector(a.Connector)
	}
	return err
}

// AddedConnectors returns the type of the connectors that the action adds, such as
// "DP", or "" for another action.
func (a *Action) AddedConnectors() string {
	if a.Kind.Name != addConnector {
		return ""
	}
	return a.Connector
}

// Do does the action. own is the card of the event, for an action that names no
// card.
func (a *Action) Do(ctx context.Context, m *machine.Machine, own *machine.Card) error {
	if a.Kind.ofMachine() {
		return a.Kind.doMachine(m, a.Argument)
	}
	card := own
	if a.Card != "" {
		var err error
		if card, err = m.Card(a.Card); err != nil {
			return err
		}
	}
	if card == nil {
		return fmt.Errorf("the event has no card; write %s", a.Kind.Form)
	}
	return a.Kind.do(ctx, card, a)
}
