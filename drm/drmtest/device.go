package drmtest

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
)

// Driver is a driver without hardware, for tests of the core and of parts: it
// makes one device with the given parts and registers it.
type Driver struct {
	Class            *drm.Class
	Parts            []drm.Part
	Own              []drm.Ioctl  // the driver's own requests
	Offers           drm.Features // none when zero
	RegistrationData any

	// Set when a device is bound.
	Device       *drm.Device
	Registration *drm.Registration
}

// BusDriver returns the driver for [Bind] and bus.Device.Bind.
func (d *Driver) BusDriver() *bus.Driver {
	return &bus.Driver{Name: "drmtest", Probe: d.probe}
}

func (d *Driver) probe(parent *bus.BoundDevice) error {
	u, err := drm.NewDevice(d.Class, &drm.Driver{
		Info:     drm.DriverInfo{Major: 1, Name: "drmtest", Desc: "Driver without hardware", Date: "0"},
		Features: d.Offers,
		Ioctls:   d.Own,
	}, parent, d)
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

// Bind puts a new device called name on b and binds it to d. The end of the
// test removes the device, unless it is gone already.
func Bind(t testing.TB, b *bus.Bus, name string, d *bus.Driver) *bus.Device {
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
			// ENODEV: another goroutine is removing it just now.
			if err := dev.Remove(context.Background()); err != nil && !errors.Is(err, unix.ENODEV) {
				t.Errorf("removing %s at the end of the test: %v", name, err)
			}
		}
	})
	return dev
}
