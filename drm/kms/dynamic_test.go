package kms_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

var streamMonitor = kms.ConnectorConfig{
	Type:    uapi.ModeConnectorDisplayPort,
	Monitor: &kms.Monitor{Modes: []mode.Mode{mode1024}, EDID: []byte("an EDID"), WidthMM: 300},
}

// addConnector adds a connector as DisplayPort MST does.
func (f *fixture) addConnector(m *kms.ModeConfig) (c *kms.Connector) {
	f.Helper()
	f.guarded(func(dev *drm.RegisteredDevice) (err error) {
		c, err = m.AddDynamicConnector(dev, streamMonitor, "mst:39-1")
		return err
	})
	return c
}

func (f *fixture) removeConnector(m *kms.ModeConfig, c *kms.Connector) {
	f.Helper()
	f.guarded(func(dev *drm.RegisteredDevice) error { return m.RemoveConnector(dev, c) })
}

// TestDynamicConnector adds a connector to a device in use, lights it, and removes
// it while it is lit. It stays for clients until they switch it off.
func TestDynamicConnector(t *testing.T) {
	p, f := newBare(t, policy{})
	fb := f.enable()
	before := p.m.Objects()
	var heard []string
	t.Cleanup(p.Device().Class().Subscribe(func(e drm.Uevent) {
		heard = append(heard, strings.Join(append([]string{e.Action, e.Kobject.Name}, e.Env...), " "))
	}))
	c := f.addConnector(p.m)
	hotplug := fmt.Sprintf("change card0 HOTPLUG=1 CONNECTOR=%d", c.ID())
	const topology = "change card0 HOTPLUG=1"
	if want := []string{"add card0-DP-1", hotplug, topology}; !slices.Equal(heard, want) {
		t.Errorf("uevents %q, want %q", heard, want)
	}
	objects := p.m.Objects() // with an encoder for the CRTC

	got, err := f.kms().GetConnector(c.ID())
	f.must(err)
	if got.Type != uapi.ModeConnectorDisplayPort || got.TypeID != 1 || got.Connection != uapi.ModeConnected || len(got.Modes) != 1 || len(got.Encoders) != 1 {
		t.Errorf("connector %+v", got)
	}
	_, path := f.named(c, "PATH")
	if blob, err := f.kms().GetBlob(uint32(path)); err != nil || string(blob) != "mst:39-1\x00" {
		t.Errorf("PATH %q, %v", blob, err)
	}
	want(t, "a CRTC with two connectors", f.atomic(uapi.ModeAtomicTestOnly|uapi.ModeAtomicAllowModeset, 0, f.set(c, "CRTC_ID", uint64(p.crtc.ID()))), unix.EINVAL)
	f.must(f.blocking(func() error {
		return f.atomic(uapi.ModeAtomicAllowModeset, 0, f.set(p.connector, "CRTC_ID", 0), f.set(c, "CRTC_ID", uint64(p.crtc.ID())))
	}))
	if got, _ := f.kms().GetConnector(c.ID()); got.EncoderID != got.Encoders[0] {
		t.Errorf("lit: %+v", got)
	}

	heard = nil
	f.removeConnector(p.m, c)
	if want := []string{"remove card0-DP-1", topology}; !slices.Equal(heard, want) {
		t.Errorf("uevents %q, want %q", heard, want)
	}
	f.guarded(func(dev *drm.RegisteredDevice) error {
		want(t, "removing it twice", p.m.RemoveConnector(dev, c), unix.ENOENT)
		want(t, "removing the card's own", p.m.RemoveConnector(dev, p.connector), unix.EINVAL)
		return nil
	})
	// It is there for those whose state has it.
	r, err := f.kms().Resources()
	f.must(err)
	if !slices.Contains(r.Connectors, c.ID()) {
		t.Errorf("connectors %v lack %d, which is lit", r.Connectors, c.ID())
	}
	if got, err := f.kms().GetConnector(c.ID()); err != nil || got.Connection != uapi.ModeDisconnected || len(got.Modes) != 0 {
		t.Errorf("removed: %+v, %v", got, err)
	}
	f.must(f.atomic(uapi.ModeAtomicNonblock|uapi.ModePageFlipEvent, 0, f.set(p.primary, "FB_ID", uint64(fb))))
	f.step()
	f.event()
	f.must(f.blocking(func() error { return f.atomic(uapi.ModeAtomicAllowModeset, 0, f.set(p.crtc, "ACTIVE", 0)) }))
	want(t, "lighting it again", f.blocking(func() error {
		return f.atomic(uapi.ModeAtomicAllowModeset, 0, f.set(p.crtc, "ACTIVE", 1), f.set(c, "CRTC_ID", uint64(p.crtc.ID())))
	}), unix.EINVAL)
	// A further one has another id and name.
	other := f.addConnector(p.m)
	if other.ID() == c.ID() || other.Name() != "DP-2" {
		t.Errorf("%s with id %d beside %s with id %d", other.Name(), other.ID(), c.Name(), c.ID())
	}
	heard = nil
	f.removeConnector(p.m, other)
	if want := []string{"remove card0-DP-2", topology, topology}; !slices.Equal(heard, want) {
		t.Errorf("uevents of a dark one %q, want %q", heard, want)
	}
	heard = nil
	f.must(f.blocking(func() error {
		return f.atomic(uapi.ModeAtomicAllowModeset, 0, f.set(c, "CRTC_ID", 0), f.set(p.connector, "CRTC_ID", uint64(p.crtc.ID())))
	}))
	if want := []string{topology}; !slices.Equal(heard, want) {
		t.Errorf("uevents when no state has it %q, want %q", heard, want)
	}
	_, err = f.kms().GetConnector(c.ID())
	want(t, "GETCONNECTOR when no state has it", err, unix.ENOENT)
	want(t, "a commit when no state has it", f.atomic(uapi.ModeAtomicAllowModeset, 0, change{c.ID(), crtcPropID, 0}), unix.ENOENT)
	if n := p.m.Objects(); n != before+1 {
		t.Errorf("%d objects, want %d and the encoder; with the connector they were %d", n, before, objects)
	}
	if again := f.addConnector(p.m); again.Name() != "DP-1" || again.ID() != c.ID() {
		t.Errorf("the next connector is %s with id %d, want those that are free", again.Name(), again.ID())
	}
}

// TestDynamicConnectorEncoders lights two connectors, each on either CRTC. Programs
// believe that a connector works with those CRTCs that all its encoders can show.
func TestDynamicConnectorEncoders(t *testing.T) {
	f := newTwin(t)
	added := [2]*kms.Connector{f.addConnector(f.display.m), f.addConnector(f.display.m)}
	for i, c := range added {
		got, err := f.kms().GetConnector(c.ID())
		f.must(err)
		if len(got.Encoders) != 2 {
			t.Fatalf("encoders %d, want one for each CRTC", got.Encoders)
		}
		for _, id := range got.Encoders {
			encoder := uapi.ModeGetEncoder{EncoderID: id}
			f.must(ioctl(f.fixture, uapi.IoctlModeGetEncoder, &encoder))
			if encoder.PossibleCRTCs != 3 {
				t.Errorf("encoder %d can show CRTCs %#b, want 11", id, encoder.PossibleCRTCs)
			}
		}
		f.mustShow(1-i, c.ID())
		if got, _ := f.kms().GetConnector(c.ID()); got.EncoderID != got.Encoders[1-i] {
			t.Errorf("connector %d is fed by encoder %d, want %d of its CRTC", i, got.EncoderID, got.Encoders[1-i])
		}
	}
}

// TestDynamicConnectorLimit adds as many connectors as fit.
func TestDynamicConnectorLimit(t *testing.T) {
	p, f := newBare(t, policy{})
	var added []*kms.Connector
	for range 31 {
		added = append(added, f.addConnector(p.m))
	}
	f.guarded(func(dev *drm.RegisteredDevice) error {
		_, err := p.m.AddDynamicConnector(dev, streamMonitor, "mst:1-1")
		want(t, "the 33rd connector", err, unix.ENOSPC)
		return nil
	})
	for _, c := range added {
		f.removeConnector(p.m, c)
	}
	if n := len(p.m.Connectors()); n != 1 {
		t.Errorf("%d connectors", n)
	}
}

// TestDynamicConnectorStorm adds and removes connectors while clients look at
// them and light them.
func TestDynamicConnectorStorm(t *testing.T) {
	p, f := newBare(t, policy{})
	f.enable()
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 2 {
		other := f.open()
		other.setCap(uapi.ClientCapAtomic, 1)
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				r, err := other.kms().Resources()
				if err != nil {
					t.Error(err)
					return
				}
				for _, id := range r.Connectors {
					other.kms().GetConnector(id)
					other.atomic(uapi.ModeAtomicTestOnly|uapi.ModeAtomicAllowModeset, 0, change{id, crtcPropID, uint64(p.crtc.ID())})
				}
			}
		})
	}
	var lit *kms.Connector
	for range 50 {
		c := f.addConnector(p.m)
		from := p.connector
		if lit != nil {
			from = lit
		}
		f.must(f.blocking(func() error {
			return f.atomic(uapi.ModeAtomicAllowModeset, 0, change{from.ID(), crtcPropID, 0}, change{c.ID(), crtcPropID, uint64(p.crtc.ID())})
		}))
		f.removeConnector(p.m, c)
		lit = c
	}
	close(done)
	clients.Wait()
	if n := len(p.m.Connectors()); n != 2 {
		t.Errorf("%d connectors, want that of the card and the last one", n)
	}
}
