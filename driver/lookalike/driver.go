package lookalike

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/syncobj"
	"github.com/udrm/udrm/drm/uapi"
)

// A Driver drives one card; each device needs a driver of its own.
type Driver struct {
	class  *drm.Class
	config Config

	mu      sync.Mutex
	device  *drm.Device // of the last probe
	display *kms.ModeConfig
}

// NewDriver returns a driver that makes its DRM devices in class.
func NewDriver(class *drm.Class, config Config) *Driver {
	return &Driver{class: class, config: config}
}

// fauxDriver is the name of the only driver of the bus faux.
const fauxDriver = "faux_driver"

// BusDriver returns the driver for bus.Device.Bind.
func (d *Driver) BusDriver() *bus.Driver {
	c := &d.config
	name := cmp.Or(c.Bus.Driver, c.Info.Name)
	if c.Bus.Type == "faux" {
		name = fauxDriver
	}
	return &bus.Driver{
		Name: name, Module: cmp.Or(c.Module.Name, c.Info.Name), Parameters: c.Module.Parameters,
		Probe: d.probe, Unbind: d.unbind,
	}
}

// drmDriver returns the driver of the DRM device.
func (d *Driver) drmDriver() *drm.Driver {
	features := drm.FeatureGEM | drm.FeatureModeset
	caps := &d.config.Caps
	for _, f := range []struct {
		has      bool
		features drm.Features
	}{
		{!caps.NoAtomic, drm.FeatureAtomic}, {caps.Render, drm.FeatureRender}, {caps.Syncobj, drm.FeatureSyncobj},
		{caps.SyncobjTimeline, drm.FeatureSyncobjTimeline}, {caps.CursorHotspot, drm.FeatureCursorHotspot},
		{slices.ContainsFunc(d.config.Planes, func(p Plane) bool { return len(p.Pipelines) > 0 }), drm.FeatureColorPipeline},
	} {
		if f.has {
			features |= f.features
		}
	}
	return &drm.Driver{Info: d.config.Info, Features: features}
}

func (d *Driver) probe(parent *bus.BoundDevice) error {
	if err := d.config.Validate(); err != nil {
		return fmt.Errorf("lookalike: %w", err)
	}
	buffers := gem.New()
	driver := d.drmDriver()
	if lines := fdInfos[driver.Info.Name]; lines != nil {
		driver.FDInfo = func(_ *drm.RegisteredDevice, f *drm.File) string { return lines(f, buffers.MemoryStats(f)) }
	}
	u, err := drm.NewDevice(d.class, driver, parent, nil)
	if err != nil {
		return err
	}
	if d.config.Caps.NoDumb {
		buffers.RefuseDumb()
	}
	buffers.LimitPrime(d.config.Caps.prime())
	display := newDisplay(&d.config, buffers)
	driver.DebugfsFiles = func(*drm.Device) []drm.DebugfsFile { return protectionFiles(driver.Info.Name, display) }
	d.mu.Lock()
	d.device, d.display = u.Device(), display
	d.mu.Unlock()
	for _, p := range []drm.Part{display, syncobj.NewManager(), buffers} {
		if err := u.Attach(p); err != nil {
			return err
		}
	}
	_, err = u.Register(nil)
	return err
}

// prime returns DRM_CAP_PRIME.
func (c *Caps) prime() (caps uint64) {
	if !c.NoImport {
		caps |= uapi.PrimeCapImport
	}
	if !c.NoExport {
		caps |= uapi.PrimeCapExport
	}
	return caps
}

// unbind switches the display off before the device is removed.
func (d *Driver) unbind(*bus.BoundDevice) {
	d.mu.Lock()
	device, display := d.device, d.display
	d.mu.Unlock()
	if err := device.WithGuard(display.Shutdown); err != nil && !errors.Is(err, drm.ErrUnplugged) {
		panic(fmt.Sprintf("lookalike: switching the display off: %v", err))
	}
}
