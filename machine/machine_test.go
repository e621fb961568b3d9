package machine_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
)

func newMachine(t *testing.T, cards []config.Card, opts machine.Options) *machine.Machine {
	t.Helper()
	m, err := machine.New(cards, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Kill(context.Background()); err != nil {
			t.Error(err)
		}
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

func card(t *testing.T, m *machine.Machine, label string) *machine.Card {
	t.Helper()
	c, err := m.Card(label)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestLabels checks which cards exist, with and without a template.
func TestLabels(t *testing.T) {
	def := config.DefaultCard()
	vgem := config.Card{Name: "vgem", Driver: config.VGEM, Enabled: true}
	m := newMachine(t, []config.Card{def, vgem, def}, machine.Options{})
	var labels, devices []string
	for _, c := range m.Cards() {
		labels = append(labels, c.Label()+"="+c.Node())
	}
	for _, name := range []string{"faux", "platform"} {
		for _, dev := range m.Bus(name).Devices() {
			devices = append(devices, dev.Name())
		}
	}
	slices.Sort(devices)
	if got := strings.Join(labels, " "); got != "card0=card0 card1=card1 card2=card2" {
		t.Errorf("the cards are %s", got)
	}
	if got := strings.Join(devices, " "); got != "vgem vkms vkms.1" {
		t.Errorf("the devices are %s", got)
	}
	for label, want := range map[string]string{
		"card3":  "there is no card3: card0 to card2 are described",
		"card":   `"card" is not a card: cards are card0 to card63`,
		"card00": `"card00" is not a card: cards are card0 to card63`,
		"card64": `"card64" is not a card: cards are card0 to card63`,
	} {
		if _, err := m.Card(label); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", label, err, want)
		}
	}
	with := newMachine(t, nil, machine.Options{Template: &def})
	c := card(t, with, "card7")
	if c.Plugged() || c.Node() != "" || c.Device() != nil {
		t.Error("a card of the template is plugged")
	}
	if err := c.Plug(t.Context()); err != nil || c.Node() != "card0" || c.String() != "card7 (/dev/dri/card0)" || with.Bus("faux").Device("vkms.7") == nil {
		t.Errorf("%s: %v", c, err)
	}
	if again := card(t, with, "card7"); again != c {
		t.Error("a card is made twice")
	}
}

// TestRescan brings back the cards that are plugged, and no others.
func TestRescan(t *testing.T) {
	def := config.DefaultCard()
	m := newMachine(t, []config.Card{def, def}, machine.Options{})
	if err := card(t, m, "card1").Unplug(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.Bus("faux").Device("vkms").Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.Bus("faux").Rescan(); err != nil {
		t.Fatal(err)
	}
	if len(m.Bus("faux").Devices()) != 1 || card(t, m, "card0").Node() != "card0" || card(t, m, "card1").Node() != "" {
		t.Errorf("after a rescan the bus has %d devices", len(m.Bus("faux").Devices()))
	}
}

// TestUnplugDuringPlug pulls a card out before Plug has returned.
func TestUnplugDuringPlug(t *testing.T) {
	quick := machine.Driver{Name: "quick", New: func(*drm.Class, config.Card) *bus.Driver {
		return &bus.Driver{Name: "quick", Probe: func(*bus.BoundDevice) error { return nil }}
	}}
	m := newMachine(t, []config.Card{{Driver: "quick"}}, machine.Options{Drivers: []machine.Driver{quick}})
	c := card(t, m, "card0")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	removed := make(chan struct{})
	m.Bus("platform").Subscribe(func(e bus.Event) {
		switch e.Action {
		case "bind": // Plug waits for this function, and the removal for Plug
			if err := c.Unplug(over); !errors.Is(err, context.Canceled) {
				t.Errorf("Unplug: %v", err)
			}
		case "remove":
			close(removed)
		}
	})
	if err := c.Plug(t.Context()); err != nil {
		t.Error(err)
	}
	<-removed
	if c.Plugged() {
		t.Error("the card is plugged after Unplug")
	}
}

// TestPlugWaits plugs a card in while an unplug of it waits for a guard.
func TestPlugWaits(t *testing.T) {
	m := newMachine(t, []config.Card{config.DefaultCard()}, machine.Options{})
	c := card(t, m, "card0")
	dev := c.Device()
	entered, begun, exit := make(chan struct{}), make(chan struct{}), make(chan struct{})
	guarded := make(chan error, 1)
	go func() {
		guarded <- dev.WithGuard(func(dev *drm.RegisteredDevice) error {
			close(entered)
			<-dev.Context().Done()
			close(begun)
			<-exit
			return nil
		})
	}()
	<-entered
	unplugged := make(chan error, 1)
	go func() { unplugged <- c.Unplug(context.Background()) }()
	<-begun
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Plug(over); err == nil || !strings.Contains(err.Error(), "card0 is still being unplugged") || !errors.Is(err, context.Canceled) {
		t.Errorf("Plug gives up with %v", err)
	}
	plugged := make(chan error, 1)
	go func() { plugged <- c.Plug(context.Background()) }()
	close(exit)
	for what, done := range map[string]chan error{"the request": guarded, "Unplug": unplugged, "Plug": plugged} {
		if err := <-done; err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !c.Plugged() || c.Device() == dev || c.Node() != "card0" {
		t.Errorf("the card is %v, its node %q", c.State(), c.Node())
	}
}

// TestCloseAgain closes a machine twice.
func TestCloseAgain(t *testing.T) {
	m, err := machine.New([]config.Card{config.DefaultCard()}, machine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestOwnDriver has a driver that fails to probe, and an unknown one.
func TestOwnDriver(t *testing.T) {
	broken := machine.Driver{Name: "broken", New: func(*drm.Class, config.Card) *bus.Driver {
		return &bus.Driver{Name: "broken", Probe: func(*bus.BoundDevice) error { return errors.New("out of order") }}
	}}
	m := newMachine(t, []config.Card{{Driver: "broken"}, {Driver: "unknown"}}, machine.Options{Drivers: []machine.Driver{broken}})
	if err := card(t, m, "card0").Plug(t.Context()); err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("a driver that fails: %v", err)
	}
	if err := card(t, m, "card1").Plug(t.Context()); err == nil || err.Error() != `card1: there is no driver "unknown"` {
		t.Errorf("an unknown driver: %v", err)
	}
	if len(m.Bus("faux").Devices()) != 0 {
		t.Error("a card that could not be bound stays plugged")
	}
	if _, err := machine.New([]config.Card{{Driver: "unknown", Enabled: true}}, machine.Options{}); err == nil {
		t.Error("a machine with a card that cannot be plugged")
	}
}

// TestClose waits for programs, but not longer than its context.
func TestClose(t *testing.T) {
	m := newMachine(t, nil, machine.Options{AdoptOrphans: true})
	p, err := m.Start(exec.Command("sleep", "1000"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Close(ctx); err == nil || err.Error() != "machine: sleep has not ended: context canceled" {
		t.Errorf("Close with a program: %v", err)
	}
	p.Signal(os.Kill)
	if status, err := p.Wait(); status != 137 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
}

// TestLeftovers tells the leftovers of two machines apart.
func TestLeftovers(t *testing.T) {
	var machines [2]*machine.Machine
	for i := range machines {
		machines[i] = newMachine(t, nil, machine.Options{AdoptOrphans: true})
		// A process that a program has just forked has no environment while it
		// executes another one: wait until it says that it runs.
		out, in, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sh", "-c", "setsid sh -c 'echo ready; kill -STOP $$' &")
		cmd.Stdout = in
		p, err := machines[i].Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		_, err = out.Read(make([]byte, 100))
		if err := errors.Join(err, out.Close(), in.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	first, second := machines[0].Leftovers(), machines[1].Leftovers()
	if len(first) != 1 || len(second) != 1 || first[0] == second[0] {
		t.Errorf("the leftovers are %d and %d", first, second)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := machines[0].Kill(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Kill with a context that has ended: %v", err)
	}
	if err := machines[0].Kill(t.Context()); err != nil {
		t.Error(err)
	}
	if first, second := machines[0].Leftovers(), machines[1].Leftovers(); len(first) != 0 || len(second) != 1 {
		t.Errorf("after a Kill, the leftovers are %d and %d", first, second)
	}
}

// TestExecutingLeftover never takes a leftover for one of another machine, though
// it has no environment while it executes a program, which it does all the time.
func TestExecutingLeftover(t *testing.T) {
	first, second := newMachine(t, nil, machine.Options{AdoptOrphans: true}), newMachine(t, nil, machine.Options{AdoptOrphans: true})
	script := filepath.Join(t.TempDir(), "again.sh")
	if err := os.WriteFile(script, []byte(`exec sh "$0"`), 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := first.Start(exec.Command("sh", "-c", `setsid sh "$0" &`, script))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if own, other := first.Leftovers(), second.Leftovers(); len(own) != 1 || len(other) != 0 {
			t.Fatalf("the leftovers are %d, and %d of a machine without programs", own, other)
		}
	}
	if err := first.Kill(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestWaitFrames ends with its context, and at once if nothing can be waited
// for.
func TestWaitFrames(t *testing.T) {
	m := newMachine(t, []config.Card{config.DefaultCard()}, machine.Options{})
	c := card(t, m, "card0")
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error)
	go func() { waited <- c.WaitFrames(ctx, "Virtual-1", 1) }()
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "waiting for frame 1: card0:Virtual-1 shows no picture") {
		t.Errorf("a cancelled wait: %v", err)
	}
	if err := c.WaitLit(t.Context(), "DP-1"); err == nil || err.Error() != "card0 has no connector DP-1; it has Virtual-1" {
		t.Errorf("an unknown connector: %v", err)
	}
	go func() { waited <- c.WaitLit(t.Context(), "") }()
	if err := c.Unplug(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err == nil || err.Error() != "waiting for a picture: card0 shows no picture, and the card is unplugged" {
		t.Errorf("an unplugged card: %v", err)
	}
}
