package vgem

import (
	"sync"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/gem"
)

// A Driver drives one device at a time: make one for each. It is a bus.Driver,
// and the drm.Driver of the device that it makes. All methods may be called
// concurrently.
type Driver struct {
	class *drm.Class

	mu      sync.Mutex
	device  *drm.Device // the last one; nil before the first probe
	buffers *gem.Manager
}

// NewDriver returns a driver that makes its DRM devices in class.
func NewDriver(class *drm.Class) *Driver { return &Driver{class: class} }

// Name implements bus.Driver.
func (d *Driver) Name() string { return "vgem" }

// Probe implements bus.Driver.
func (d *Driver) Probe(parent *bus.BoundDevice) error {
	u, err := drm.NewDevice(d.class, d, parent, nil)
	if err != nil {
		return err
	}
	buffers := gem.New()
	for _, p := range []drm.Part{newFences(buffers), buffers} {
		if err := u.Attach(p); err != nil {
			return err
		}
	}
	d.mu.Lock()
	d.device, d.buffers = u.Device(), buffers
	d.mu.Unlock()
	_, err = u.Register(nil)
	return err
}

// Unbind implements bus.Driver: there is nothing to switch off.
func (d *Driver) Unbind(*bus.BoundDevice) {}

// Device returns the DRM device of the last probe, nil before the first.
func (d *Driver) Device() *drm.Device {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.device
}

// Buffers returns the buffers of the last probe, nil before the first.
func (d *Driver) Buffers() *gem.Manager {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.buffers
}

// Info implements drm.Driver.
func (d *Driver) Info() drm.DriverInfo {
	return drm.DriverInfo{Major: 1, Minor: 0, Patchlevel: 0, Name: "vgem", Desc: "Virtual GEM provider", Date: "0"}
}

// Features implements drm.Driver.
func (d *Driver) Features() drm.Features { return drm.FeatureGEM | drm.FeatureRender }

// Ioctls implements drm.Driver: they are those of its fences, a part.
func (d *Driver) Ioctls() []drm.Ioctl { return nil }
