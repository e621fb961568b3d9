package bus_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
)

// monitor checks the events of a bus by name, as a program that mirrors it in
// a directory would: a name is added, bound and unbound any number of times,
// removed, and only then added again.
type monitor struct {
	t     *testing.T
	mu    sync.Mutex
	state map[string]string // the last action, "release" excepted
	dev   map[string]*bus.Device
	seen  map[string]int
}

var follows = map[string][]string{
	"add":    {"", "remove"},
	"bind":   {"add", "unbind"},
	"unbind": {"bind"},
	"remove": {"add", "unbind"},
}

func (m *monitor) event(e bus.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen[e.Action]++
	name := e.Device.Name()
	if e.Action == "release" {
		return // of a binding, or of a probe that fails
	}
	ok := false
	for _, before := range follows[e.Action] {
		ok = ok || m.state[name] == before
	}
	if !ok {
		m.t.Errorf("%s: %q follows %q", name, e.Action, m.state[name])
	}
	if e.Action == "add" {
		m.dev[name] = e.Device
	} else if m.dev[name] != e.Device {
		m.t.Errorf("%s: %q of another device than the one that was added last", name, e.Action)
	}
	m.state[name] = e.Action
}

// slot is a piece of hardware that can have one driver at a time.
type slot struct {
	drivers atomic.Int32 // that work with it
	probes  atomic.Int32
	unbinds atomic.Int32
}

func (s *slot) driver(t *testing.T) *bus.Driver {
	return &bus.Driver{Name: "toy",
		Probe: func(b *bus.BoundDevice) error {
			s.probes.Add(1)
			if n := s.drivers.Add(1); n != 1 {
				t.Errorf("%d drivers work with %s", n, b.Name())
			}
			if !b.Bound() {
				t.Error("probe of a device that is not bound")
			}
			if _, err := b.Devres().Add("slot", func() { s.drivers.Add(-1) }); err != nil {
				t.Error(err)
			}
			switch rand.IntN(10) {
			case 0:
				return errors.New("bad luck")
			case 1:
				panic("worse luck")
			}
			return nil
		},
		Unbind: func(b *bus.BoundDevice) {
			s.unbinds.Add(1)
			if s.drivers.Load() != 1 || !b.Bound() {
				t.Error("the driver is asked to unbind when it is not bound")
			}
		}}
}

func TestStorm(t *testing.T) {
	b := bus.New("platform")
	m := &monitor{t: t, state: map[string]string{}, dev: map[string]*bus.Device{}, seen: map[string]int{}}
	defer b.Subscribe(m.event)()
	names := []string{"a", "b", "c"}
	slots := map[string]*slot{}
	for _, name := range names {
		slots[name] = &slot{}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1500 {
				name := names[rand.IntN(len(names))]
				dev := b.Device(name)
				if dev == nil {
					if _, err := b.Add(name); err != nil && !errors.Is(err, unix.EEXIST) {
						t.Error(err)
					}
					continue
				}
				switch rand.IntN(8) {
				case 0:
					if err := dev.Remove(context.Background()); err != nil && !errors.Is(err, unix.ENODEV) {
						t.Error(err)
					}
				case 1, 2:
					if err := dev.Unbind(context.Background()); err != nil && !errors.Is(err, unix.ENODEV) {
						t.Error(err)
					}
				case 3:
					dev.Driver()
				default:
					dev.Bind(slots[name].driver(t))
				}
			}
		})
	}
	wg.Wait()
	for _, dev := range b.Devices() {
		if err := dev.Remove(context.Background()); err != nil {
			t.Error(err)
		}
	}
	for _, name := range names {
		if n := slots[name].drivers.Load(); n != 0 {
			t.Errorf("%s still has %d drivers", name, n)
		}
	}
	for _, action := range []string{"add", "bind", "unbind", "remove", "release"} {
		if m.seen[action] == 0 {
			t.Errorf("the storm had no %q", action)
		}
	}
}
