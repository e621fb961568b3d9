// Package panel drives an imaginary display controller, to show what a driver
// decides. It has one CRTC with four planes:
//
//   - a primary plane at the bottom, and a cursor on top;
//   - two overlays in between, in the order that clients choose. They can be
//     translucent, and enlarged or reduced by up to 4. There is one scaler for
//     both of them.
//
// The connector has a property of the driver's own, "backlight". One request of
// the driver's own makes a buffer with a test pattern.
//
// Start reading at probe, then display.go.
package panel

import (
	"errors"
	"fmt"
	"sync"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/syncobj"
)

// A Driver drives one device at a time. All methods may be called concurrently.
type Driver struct {
	class *drm.Class
	clock kms.Clock

	mu      sync.Mutex
	device  *drm.Device // the last one; nil before the first probe
	display *display
	buffers *gem.Manager
}

// New returns a driver that makes its DRM devices in class. Vblanks run on the
// clock; nil stands for the real one.
func New(class *drm.Class, clock kms.Clock) *Driver { return &Driver{class: class, clock: clock} }

// BusDriver returns the driver for bus.Device.Bind.
func (d *Driver) BusDriver() *bus.Driver {
	return &bus.Driver{Name: "panel", Probe: d.probe, Unbind: d.unbind}
}

// probe makes the parts of the device and registers it. All of it goes with the
// binding, newest first.
func (d *Driver) probe(parent *bus.BoundDevice) error {
	buffers := gem.New()
	display := newDisplay(buffers, d.clock)
	u, err := drm.NewDevice(d.class, &drm.Driver{
		Info:     drm.DriverInfo{Major: 1, Name: "panel", Desc: "Example of a display driver", Date: "0"},
		Features: drm.FeatureGEM | drm.FeatureModeset | drm.FeatureAtomic | drm.FeatureSyncobj | drm.FeatureSyncobjTimeline,
		Ioctls:   []drm.Ioctl{drm.NewIoctl(IoctlCreatePattern, drm.IoctlAuth, createPattern(buffers))},
	}, parent, nil)
	if err != nil {
		return err
	}
	for _, part := range []drm.Part{display.config, syncobj.NewManager(), buffers} {
		if err := u.Attach(part); err != nil {
			return err
		}
	}
	d.mu.Lock()
	d.device, d.display, d.buffers = u.Device(), display, buffers
	d.mu.Unlock()
	_, err = u.Register(new(Registers))
	return err
}

// unbind switches the display off before the device is removed.
func (d *Driver) unbind(*bus.BoundDevice) {
	err := d.Device().WithGuard(d.ModeConfig().Shutdown)
	if err != nil && !errors.Is(err, drm.ErrUnplugged) {
		panic(fmt.Sprintf("panel: switching the display off: %v", err))
	}
}

// Device returns the DRM device of the last probe, or nil.
func (d *Driver) Device() *drm.Device {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.device
}

// ModeConfig returns the display of the last probe, or nil.
func (d *Driver) ModeConfig() *kms.ModeConfig {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.display == nil {
		return nil
	}
	return d.display.config
}

// Buffers returns the buffers of the last probe, or nil.
func (d *Driver) Buffers() *gem.Manager {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.buffers
}

// Registers are the hardware of a device: they live as long as its
// registration.
type Registers struct {
	mu        sync.Mutex
	scanout   [planes]uint32 // the framebuffer of each plane, by id
	backlight uint64
}

// Backlight returns the brightness of the panel, in percent.
func Backlight(dev *drm.RegisteredDevice) uint64 {
	r := drm.RegistrationData[*Registers](dev)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.backlight
}
