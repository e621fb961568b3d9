package machine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
	"github.com/udrm/udrm/internal/loglimit"
	"github.com/udrm/udrm/machine/config"
)

// Options are the options of a [Machine]. The zero value is ready for use.
type Options struct {
	// Template describes the cards after the last described one, which Card
	// adds on demand. nil: the machine has only the described cards.
	Template *config.Card

	// Drivers are the drivers besides vkms and vgem. A driver called vkms or
	// vgem replaces that one.
	Drivers []Driver

	// Clock says what makes the vblanks of all vkms displays happen; "": real
	// time.
	Clock ClockMode

	// Tracer is attached to the cards before they are plugged; nil: none.
	Tracer drm.Tracer

	// HangUp delivers POLLHUP to programs when a card is unplugged, and ends
	// their reads. The kernel does neither.
	HangUp bool

	// Logger receives the story of the machine at level Info, each refused
	// request and each open at level Debug, and problems at higher levels.
	// nil discards them. Of what a client causes again and again, it receives
	// some hundred records a second.
	Logger *slog.Logger

	// Cleaner is a command that ends the programs if this process is killed:
	// see [host.Options].
	Cleaner []string

	// Launcher starts the programs: see [host.Confine]. nil: this process does.
	Launcher *host.Launcher

	// AdoptOrphans, RaiseGOMAXPROCS, RaiseDescriptorLimit and ReserveThreads change
	// this process: see [host.Options]. Without AdoptOrphans, Leftovers and Kill miss the
	// processes that a program leaves behind.
	AdoptOrphans, RaiseGOMAXPROCS, RaiseDescriptorLimit, ReserveThreads bool

	// Files is how programs see the files of the cards. The default is Calls.
	Files Files

	// EveryUser and EveryRoot widen who sees and controls the cards: see
	// [host.Options].
	EveryUser, EveryRoot bool

	// Seat gives the machine a seat, from which compositors get the cards:
	// see package seat. Programs find it by their environment.
	Seat bool
}

// maxRecords is how many records of one message and client are logged in a
// second.
const maxRecords = 100

// A Machine is a set of cards and the programs that run on them. All methods
// may be called concurrently.
type Machine struct {
	opts    Options
	log     *slog.Logger
	class   *drm.Class
	buses   map[string]*bus.Bus // by name; does not change
	host    *host.Host
	drivers map[config.Driver]Driver
	marker  string // see leftovers.go
	clock   *clock
	seating *seating // nil: no seat

	mu        sync.Mutex
	described int              // the number of described cards
	cards     map[string]*Card // by label
	processes []*Process
	starts    []*func(program string) // see BeforeStart
}

// New returns a machine with the described cards. It plugs those that are
// enabled.
func New(cards []config.Card, opts Options) (*Machine, error) {
	m := &Machine{
		opts: opts, log: opts.Logger, buses: newBuses(), marker: newMarker(),
		drivers: drivers(opts.Drivers), described: len(cards), cards: make(map[string]*Card),
	}
	m.clock = newClock(m, opts.Clock)
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	} else {
		m.log = slog.New(loglimit.New(m.log.Handler(), maxRecords))
	}
	if len(cards) > config.MaxCards {
		return nil, fmt.Errorf("machine: %d cards (limit %d)", len(cards), config.MaxCards)
	}
	m.class = drm.NewClass(drm.ClassOptions{Logger: m.log})
	if opts.Tracer != nil {
		m.class.Trace(opts.Tracer)
	}
	for _, b := range m.buses {
		b.OnRescan(m.rescan)
		b.Subscribe(m.busEvent)
	}
	count := make(map[config.Driver]int)
	for i, description := range cards {
		label := fmt.Sprintf("card%d", i)
		m.cards[label] = m.newCard(label, description, count[description.Driver])
		count[description.Driver]++
	}
	var err error
	if opts.Seat {
		if m.seating, err = m.newSeating(); err != nil {
			m.clock.end()
			return nil, fmt.Errorf("machine: %w", err)
		}
	}
	if m.host, err = host.New(m.class, host.Options{
		Configfs: m.newConfigfs(cards), Marker: m.marker, Cleaner: opts.Cleaner, Launcher: opts.Launcher,
		HangUp: opts.HangUp, Logger: m.log, AdoptOrphans: opts.AdoptOrphans, RaiseGOMAXPROCS: opts.RaiseGOMAXPROCS, RaiseDescriptorLimit: opts.RaiseDescriptorLimit, ReserveThreads: opts.ReserveThreads,
		EveryUser: opts.EveryUser, EveryRoot: opts.EveryRoot, FileServer: opts.fileServer(), MountsOptional: opts.Files == CallsOrMounts, Files: m.seating.files(), Terminals: m.seating.terminals(),
	}); err != nil {
		m.clock.end()
		return nil, errors.Join(err, m.seating.close())
	}
	if m.seating != nil {
		m.seating.watchCards(m.class)
		m.host.RemoveIfKilled(m.seating.dir.Path())
	}
	for _, c := range m.Cards() {
		if !c.description.Enabled {
			continue
		}
		if err := c.Plug(context.Background()); err != nil {
			return nil, errors.Join(err, m.Close(context.Background()))
		}
	}
	return m, nil
}

// Cards returns the cards in the order of their labels.
func (m *Machine) Cards() []*Card {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.cards), func(a, b *Card) int { return a.index() - b.index() })
}

// Card returns the card with a label, such as "card0".
func (m *Machine) Card(label string) (*Card, error) {
	i, err := cardIndex(label)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.cards[label]; c != nil {
		return c, nil
	}
	if m.opts.Template == nil {
		return nil, fmt.Errorf("there is no %s: %s", label, m.labels())
	}
	c := m.newCard(label, *m.opts.Template, i)
	m.cards[label] = c
	return c, nil
}

// KnownCard returns the card with a label, if it is described or Card has added
// it.
func (m *Machine) KnownCard(label string) (*Card, error) {
	if err := CheckLabel(label); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.cards[label]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("there is no %s: %s", label, m.labels())
}

// CardOf returns the card that the device is, or was, a device of. It returns
// nil for a device that no card of the machine has made.
func (m *Machine) CardOf(dev *drm.Device) *Card {
	return m.CardAt(dev.Parent().Bus(), dev.Parent().Name())
}

// CardAt is [Machine.CardOf] for the bus and the name of the device's parent.
func (m *Machine) CardAt(b *bus.Bus, parent string) *Card {
	for _, c := range m.Cards() {
		if c.bus == b && c.device == parent {
			return c
		}
	}
	return nil
}

// labels tells which cards the description has.
func (m *Machine) labels() string {
	switch m.described {
	case 0:
		return "no cards are described"
	case 1:
		return "only card0 is described"
	}
	return fmt.Sprintf("card0 to card%d are described", m.described-1)
}

// cardIndex returns N of "cardN".
func cardIndex(label string) (int, error) {
	digits, ok := strings.CutPrefix(label, "card")
	i, err := strconv.Atoi(digits)
	if !ok || err != nil || i < 0 || i >= config.MaxCards || digits != strconv.Itoa(i) {
		return 0, fmt.Errorf("%q is not a card: cards are card0 to card%d", label, config.MaxCards-1)
	}
	return i, nil
}

// CheckLabel returns an error if no card can have the label.
func CheckLabel(label string) error {
	_, err := cardIndex(label)
	return err
}

// Class returns the class that the DRM devices of the cards belong to.
func (m *Machine) Class() *drm.Class { return m.class }

// Bus returns the bus of that name. vkms cards are on the bus faux, those of Linux
// 6.12 and of most other drivers on the bus platform.
func (m *Machine) Bus(name string) *bus.Bus { return m.buses[name] }

// SubscribeBuses calls f for every event on any bus, until cancel is called: see
// [bus.Bus.Subscribe].
func (m *Machine) SubscribeBuses(f func(bus.Event)) (cancel func()) {
	var cancels []func()
	for _, b := range m.buses {
		cancels = append(cancels, b.Subscribe(f))
	}
	return func() {
		for _, cancel := range cancels {
			cancel()
		}
	}
}

// newBuses returns the buses of a machine.
func newBuses() map[string]*bus.Bus {
	buses := make(map[string]*bus.Bus)
	for _, name := range lookalike.BusTypes {
		buses[name] = bus.New(name)
	}
	return buses
}

// Denied returns an error if the machine was not allowed to look into a program,
// so that the program cannot use the cards. The log has the reason.
func (m *Machine) Denied() error { return m.host.Denied(host.DenialMemory) }

// RemoveIfKilled makes the cleaner remove a directory or a socket of this process
// when that was killed: see [host.Host.RemoveIfKilled].
func (m *Machine) RemoveIfKilled(path string) { m.host.RemoveIfKilled(path) }

// Close waits until all programs have ended, ends the host and unplugs the
// cards. If ctx ends before the last program, Close returns an error that names
// a program, and the machine stays as it is. See [Machine.Kill]. Closing a
// closed machine does nothing.
func (m *Machine) Close(ctx context.Context) error {
	m.mu.Lock()
	processes := slices.Clone(m.processes)
	m.mu.Unlock()
	for _, p := range processes {
		select {
		case <-p.Done():
		case <-ctx.Done():
			return fmt.Errorf("machine: %s has not ended: %w", p.name, context.Cause(ctx))
		}
	}
	err := errors.Join(m.seating.close(), m.host.Close())
	for _, b := range m.buses {
		for _, dev := range b.Devices() {
			err = errors.Join(err, dev.Remove(ctx))
		}
	}
	m.clock.end()
	return err
}
