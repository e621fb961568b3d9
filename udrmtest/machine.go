package udrmtest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
)

// DefaultTimeout is how long methods wait unless Options.Timeout is set.
const DefaultTimeout = 30 * time.Second

// Options are the options of a [Machine]. The zero value describes a machine
// with one card, as the kernel's vkms makes it.
type Options struct {
	// Cards is the number of cards; 0: one.
	Cards int
	// Monitors are the monitors of each card, as in udrm run --monitor. nil: the
	// monitor of the kernel's vkms, on the connector Virtual-1.
	Monitors []string
	// VKMS is the version of Linux whose vkms the cards are, as in udrm run
	// --vkms; "": the default.
	VKMS drm.Kernel
	// NoConsole leaves the cards dark while no program is master, as in udrm run
	// --no-console.
	NoConsole bool
	// Config is the name of a file that describes the cards; see package
	// config. It replaces all the above.
	Config string
	// Described are descriptions of the cards. They replace all the above.
	Described []config.Card
	// Drivers are the drivers besides vkms and vgem.
	Drivers []machine.Driver

	// StepClock stops the clock of the displays: vblanks happen only in
	// [Machine.Step].
	StepClock bool
	// Seat gives the machine a seat, as udrm run --seat does. The method Seat of
	// the machine steers it.
	Seat bool
	// HangUp delivers POLLHUP to programs when a card is unplugged.
	HangUp bool
	// Timeout is how long methods wait; 0: DefaultTimeout.
	Timeout time.Duration
	// Verbose logs every refused request with its reason, and every open.
	Verbose bool
}

// A Machine is a machine of a test.
type Machine struct {
	*machine.Machine

	t        testing.TB
	timeout  time.Duration
	started  []*Process
	expected []func() // what Expect checks at the end
}

// New returns a machine that ends with the test.
func New(t testing.TB, opts Options) *Machine {
	t.Helper()
	cards, err := opts.cards()
	if err != nil {
		t.Fatalf("udrmtest: %v", err)
	}
	m := &Machine{t: t, timeout: cmp.Or(opts.Timeout, DefaultTimeout)}
	level := slog.LevelWarn
	if opts.Verbose {
		level = slog.LevelDebug
	}
	mopts := machine.Options{
		Drivers: opts.Drivers, HangUp: opts.HangUp, AdoptOrphans: true, Seat: opts.Seat,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level, ReplaceAttr: withoutTime})),
	}
	if opts.StepClock {
		mopts.Clock = machine.ClockStep
	}
	if m.Machine, err = machine.New(cards, mopts); err != nil {
		t.Fatalf("udrmtest: %v", err)
	}
	t.Cleanup(m.end)
	return m
}

// withoutTime drops the time of log records.
func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// cards returns the descriptions of the cards.
func (o *Options) cards() ([]config.Card, error) {
	if o.Described != nil {
		return o.Described, nil
	}
	if o.Config != "" {
		var names []config.Driver
		for _, d := range o.Drivers {
			names = append(names, d.Name)
		}
		return config.ReadFile(o.Config, names...)
	}
	card := config.DefaultCard()
	card.VKMS = vkms.ConfigOf(cmp.Or(o.VKMS, vkms.DefaultKernel))
	if err := card.VKMS.Check(); err != nil {
		return nil, err
	}
	card.VKMS.Console = !o.NoConsole
	if len(o.Drivers) > 0 {
		card.Driver = o.Drivers[0].Name
	}
	var connectors []vkms.Connector
	for i, spec := range o.Monitors {
		c, err := config.ParseMonitor(spec, i+1)
		if err != nil {
			return nil, err
		}
		c.Name = fmt.Sprintf("connector%d", i)
		connectors = append(connectors, c)
	}
	if connectors != nil {
		card.VKMS.Topology = vkms.NewTopology(len(connectors), connectors, &card.VKMS)
	}
	cards := make([]config.Card, max(o.Cards, 1))
	for i := range cards {
		cards[i] = card
	}
	return cards, nil
}

// endTimeout is how long killed programs may take to end. Only one that hangs in
// the kernel needs more.
const endTimeout = 2 * time.Minute

// end ends the programs and the machine.
func (m *Machine) end() {
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	for _, p := range m.started {
		p.checkCrash()
	}
	if err := m.Kill(ctx); err != nil {
		m.t.Errorf("udrmtest: %v", err)
		return
	}
	for _, p := range m.started {
		p.CloseStdin()
		<-p.logged // the log takes no lines after the end of the test
	}
	for _, check := range m.expected {
		check()
	}
	if err := m.Close(context.Background()); err != nil {
		m.t.Errorf("udrmtest: %v", err)
	}
}

// context returns a context for a wait.
func (m *Machine) context() (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(m.t.Context(), m.timeout, fmt.Errorf("timed out after %v", m.timeout))
}

// Step lets n vblanks happen, one after the other. Before each of them, it waits
// until a program waits for one. It needs Options.StepClock.
func (m *Machine) Step(n int) {
	m.t.Helper()
	m.do(func(ctx context.Context) error { return m.StepClock(ctx, n) })
}
