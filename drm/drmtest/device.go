package drmtest

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
)

// Driver is a driver of nothing, for tests of the core and of parts: it makes
// one device with the given parts and registers it. It is a bus.Driver and a
// drm.Driver at once.
type Driver struct {
	Class            *drm.Class
	Parts            []drm.Part
	Own              []drm.Ioctl  // the driver's own requests
	Offers           drm.Features // none when zero
	RegistrationData any

	// Set by Probe.
	Device       *drm.Device
	Registration *drm.Registration
	// Quiesced counts the calls of Unbind.
	Quiesced int
}

// Name implements bus.Driver.
func (d *Driver) Name() string { return "drmtest" }

// Probe implements bus.Driver.
func (d *Driver) Probe(parent *bus.BoundDevice) error {
	u, err := drm.NewDevice(d.Class, d, parent, d)
	if err != nil {
		return err
	}
	for _, p := range d.Parts {
		if err := u.Attach(p); err != nil {
			return err
		}
	}
	d.Device = u.Device()
	d.Registration, err = u.Register(d.RegistrationData)
	return err
}

// Unbind implements bus.Driver.
func (d *Driver) Unbind(*bus.BoundDevice) { d.Quiesced++ }

// Info implements drm.Driver.
func (d *Driver) Info() drm.DriverInfo {
	return drm.DriverInfo{Major: 1, Name: "drmtest", Desc: "Driver of nothing", Date: "0"}
}

// Features implements drm.Driver.
func (d *Driver) Features() drm.Features { return d.Offers }

// Ioctls implements drm.Driver.
func (d *Driver) Ioctls() []drm.Ioctl { return d.Own }

// Bind puts a new device called name on b and binds d to it. The device is
// removed at the end of the test, unless it is gone by then.
func Bind(t testing.TB, b *bus.Bus, name string, d bus.Driver) *bus.Device {
	t.Helper()
	dev, err := b.Add(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Bind(d); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if b.Device(name) == dev {
			// ENODEV: somebody else is removing it just now.
			if err := dev.Remove(); err != nil && !errors.Is(err, unix.ENODEV) {
				t.Errorf("removing %s at the end of the test: %v", name, err)
			}
		}
	})
	return dev
}
