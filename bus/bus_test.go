package bus_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
)

// accept is the probe of a driver that acquires nothing.
func accept(*bus.BoundDevice) error { return nil }

// logbook writes down what happens, events of a bus among it.
type logbook struct {
	mu    sync.Mutex
	lines []string
}

func (l *logbook) write(words ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, strings.Join(words, " "))
}

func (l *logbook) subscribe(b *bus.Bus) (cancel func()) {
	return b.Subscribe(func(e bus.Event) {
		if e.Resource != "" {
			l.write("event:", e.Action, e.Device.Name(), e.Resource)
		} else {
			l.write("event:", e.Action, e.Device.Name())
		}
	})
}

func (l *logbook) expect(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.lines, want) {
		t.Errorf("it happened:\n\t%s\nwant:\n\t%s", strings.Join(l.lines, "\n\t"), strings.Join(want, "\n\t"))
	}
	l.lines = nil
}

func acquire(t *testing.T, l *logbook, dev *bus.BoundDevice, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := dev.Devres().Add(name, func() {
			if !dev.Bound() {
				t.Errorf("%s is released after the binding ended", name)
			}
			l.write("release", name, "of", dev.Device().Driver())
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func newDevice(t *testing.T) (*bus.Device, *logbook) {
	t.Helper()
	b := bus.New("platform")
	dev, err := b.Add("card")
	if err != nil {
		t.Fatal(err)
	}
	l := &logbook{}
	l.subscribe(b)
	return dev, l
}

func TestFailingProbe(t *testing.T) {
	broken := errors.New("the fuse is blown")
	for _, tc := range []struct {
		name string
		fail func() error
		want string
	}{
		{"error", func() error { return broken }, broken.Error()},
		{"panic", func() error { panic("no registers") }, "no registers"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dev, l := newDevice(t)
			var bound *bus.BoundDevice
			err := dev.Bind(&bus.Driver{Name: "toy", Probe: func(b *bus.BoundDevice) error {
				bound = b
				acquire(t, l, b, "registers", "memory")
				return tc.fail()
			}, Unbind: func(*bus.BoundDevice) { l.write("quiesce") }})
			if err == nil || !strings.Contains(err.Error(), tc.want) || tc.name == "error" && !errors.Is(err, broken) {
				t.Errorf("Bind: %v, want %q", err, tc.want)
			}
			l.expect(t,
				"release memory of toy", "event: release card memory",
				"release registers of toy", "event: release card registers")
			if bound.Bound() || dev.Driver() != "" {
				t.Errorf("after the failed probe: bound %v, driver %q", bound.Bound(), dev.Driver())
			}
			if err := dev.Unbind(context.Background()); !errors.Is(err, unix.ENODEV) {
				t.Errorf("unbinding it: %v, want ENODEV", err)
			}
			if err := dev.Bind(&bus.Driver{Name: "other", Probe: accept}); err != nil || dev.Driver() != "other" {
				t.Errorf("binding it to another driver: %v, driver %q", err, dev.Driver())
			}
		})
	}
}

func TestPlannedAndSurprise(t *testing.T) {
	for _, tc := range []struct {
		name  string
		end   func(*bus.Device, context.Context) error
		first []string // what happens before the resources are released
		last  []string
	}{
		{"planned", (*bus.Device).Unbind, []string{"quiesce with registers,memory"}, nil},
		{"surprise", (*bus.Device).Remove, nil, []string{"event: remove card"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dev, l := newDevice(t)
			var bound *bus.BoundDevice
			err := dev.Bind(&bus.Driver{Name: "toy",
				Probe: func(b *bus.BoundDevice) error {
					bound = b
					acquire(t, l, b, "registers", "memory")
					return nil
				},
				Unbind: func(b *bus.BoundDevice) {
					if b != bound || !b.Bound() {
						t.Error("the driver is asked to unbind what is not bound")
					}
					l.write("quiesce with", strings.Join(b.Devres().Names(), ","))
				}})
			if err != nil {
				t.Fatal(err)
			}
			if !bound.Bound() || bound.Device() != dev || bound.Name() != "card" {
				t.Errorf("bound view: bound %v, device %p, name %q", bound.Bound(), bound.Device(), bound.Name())
			}
			if err := tc.end(dev, context.Background()); err != nil {
				t.Error(err)
			}
			want := append([]string{"event: bind card"}, tc.first...)
			want = append(want,
				"release memory of toy", "event: release card memory",
				"release registers of toy", "event: release card registers",
				"event: unbind card")
			l.expect(t, append(want, tc.last...)...)
			if bound.Bound() || dev.Driver() != "" {
				t.Errorf("afterwards: bound %v, driver %q", bound.Bound(), dev.Driver())
			}
		})
	}
}

func TestPanicInUnbind(t *testing.T) {
	dev, l := newDevice(t)
	err := dev.Bind(&bus.Driver{Name: "toy",
		Probe:  func(b *bus.BoundDevice) error { acquire(t, l, b, "registers"); return nil },
		Unbind: func(*bus.BoundDevice) { panic("the hardware does not answer") }})
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Unbind(context.Background()); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("Unbind: %v, want the panic", err)
	}
	l.expect(t, "event: bind card", "release registers of toy", "event: release card registers", "event: unbind card")
}

func TestRebind(t *testing.T) {
	dev, _ := newDevice(t)
	var views []*bus.BoundDevice
	toy := &bus.Driver{Name: "toy", Probe: func(b *bus.BoundDevice) error { views = append(views, b); return nil }}
	for range 2 {
		if err := dev.Bind(toy); err != nil {
			t.Fatal(err)
		}
		if err := dev.Bind(toy); !errors.Is(err, unix.EBUSY) {
			t.Errorf("binding a bound device: %v, want EBUSY", err)
		}
		if err := dev.Unbind(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if err := dev.Bind(toy); err != nil {
		t.Fatal(err)
	}
	if len(views) != 3 || views[0] == views[1] || views[1] == views[2] {
		t.Fatalf("three bindings had the views %p", views)
	}
	if views[0].Bound() || views[1].Bound() || !views[2].Bound() {
		t.Errorf("bound: %v %v %v, want only the last", views[0].Bound(), views[1].Bound(), views[2].Bound())
	}
	if views[2].Devres() == views[0].Devres() {
		t.Error("a new binding has the resources of the old one")
	}
}

func TestRemoved(t *testing.T) {
	b := bus.New("platform")
	if b.Name() != "platform" {
		t.Errorf("the bus is called %q", b.Name())
	}
	l := &logbook{}
	cancel := l.subscribe(b)
	dev, err := b.Add("card")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Add("card"); !errors.Is(err, unix.EEXIST) {
		t.Errorf("adding the same name: %v, want EEXIST", err)
	}
	if b.Device("card") != dev || dev.Bus() != b || len(b.Devices()) != 1 || b.Device("other") != nil {
		t.Error("the bus does not know the device that was added")
	}
	if err := dev.Remove(context.Background()); err != nil {
		t.Error(err)
	}
	l.expect(t, "event: add card", "event: remove card")
	cancel()
	for what, err := range map[string]error{
		"remove": dev.Remove(context.Background()), "bind": dev.Bind(&bus.Driver{Name: "toy", Probe: accept}), "unbind": dev.Unbind(context.Background()),
	} {
		if !errors.Is(err, unix.ENODEV) {
			t.Errorf("%s of a removed device: %v, want ENODEV", what, err)
		}
	}
	again, err := b.Add("card")
	if err != nil || again == dev || b.Device("card") != again {
		t.Errorf("a device of the name that was freed: %v", err)
	}
	l.expect(t) // cancelled
}
