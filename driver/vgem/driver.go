package vgem

import (
	"sync"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/gem"
)

// A Driver drives one device; each device needs a driver of its own. All
// methods may be called concurrently.
type Driver struct {
	class *drm.Class

	mu      sync.Mutex
	device  *drm.Device // the last one; nil before the first probe
	buffers *gem.Manager
}

// NewDriver returns a driver that makes its DRM devices in class.
func NewDriver(class *drm.Class) *Driver { return &Driver{class: class} }

// BusDriver returns the driver for bus.Device.Bind.
func (d *Driver) BusDriver() *bus.Driver { return &bus.Driver{Name: "vgem", Probe: d.probe} }

// vgem has the name and the version of the kernel's driver.
var vgem = &drm.Driver{
	Info:     drm.DriverInfo{Major: 1, Minor: 0, Patchlevel: 0, Name: "vgem", Desc: "Virtual GEM provider", Date: "0"},
	Features: drm.FeatureGEM | drm.FeatureRender,
}

func (d *Driver) probe(parent *bus.BoundDevice) error {
	u, err := drm.NewDevice(d.class, vgem, parent, nil)
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
