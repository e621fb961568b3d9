package vkms

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/syncobj"
)

// A Config describes the display. [DefaultConfig] is the kernel's default.
type Config struct {
	// The default device has one CRTC and one connector. These are the kernel's
	// module parameters:
	Cursor    bool // a cursor plane
	Overlay   bool // eight overlay planes
	Writeback bool // a writeback connector

	// Topology describes any other device, for which the fields above do not
	// count. nil is the default device.
	Topology *Topology

	Syncobj bool // sync objects and timelines
	Render  bool // a render node beside the card

	// Formats are additional pixel formats of planes and writeback, such as
	// uapi.FormatXRGB2101010, which IGT's tests of writeback need.
	Formats []uint32

	// Clock drives the vblanks; nil is the real clock.
	Clock kms.Clock
	// Misuse is called right before an access to the hardware without a guard
	// or a bound parent. nil panics.
	Misuse func(err error)
}

// DefaultConfig returns the display of the kernel's vkms with its default
// parameters: a cursor plane and writeback.
func DefaultConfig() Config { return Config{Cursor: true, Writeback: true} }

// A Driver drives one virtual display; each device needs a driver of its own.
// All methods may be called concurrently.
type Driver struct {
	class  *drm.Class
	config Config

	mu       sync.Mutex
	device   *drm.Device // the last one; nil before the first probe
	display  *kms.ModeConfig
	buffers  *gem.Manager
	acquired []string
}

// NewDriver returns a driver that makes its DRM devices in class.
func NewDriver(class *drm.Class, config Config) *Driver {
	if config.Misuse == nil {
		config.Misuse = func(err error) { panic(err) }
	}
	return &Driver{class: class, config: config}
}

// BusDriver returns the driver for bus.Device.Bind.
func (d *Driver) BusDriver() *bus.Driver {
	return &bus.Driver{Name: "vkms", Probe: d.probe, Unbind: d.unbind}
}

// drmDriver returns the driver of the DRM device.
func (d *Driver) drmDriver() *drm.Driver {
	features := drm.FeatureGEM | drm.FeatureModeset | drm.FeatureAtomic
	if d.config.Syncobj {
		features |= drm.FeatureSyncobj | drm.FeatureSyncobjTimeline
	}
	if d.config.Render {
		features |= drm.FeatureRender
	}
	return &drm.Driver{
		Info:         drm.DriverInfo{Major: 1, Minor: 0, Patchlevel: 0, Name: "vkms", Desc: "Virtual Kernel Mode Setting", Date: "0"},
		Features:     features,
		DebugfsFiles: d.debugfsFiles,
	}
}

// probe sets up the registers, then the DRM device with its parts, then its
// registration. The end of the binding takes them back in the opposite order.
func (d *Driver) probe(parent *bus.BoundDevice) error {
	registers, err := mapRegisters(parent, d.config.Misuse)
	if err != nil {
		return err
	}
	u, err := drm.NewDevice(d.class, d.drmDriver(), parent, nil)
	if err != nil {
		return err
	}
	buffers := gem.New()
	display, err := newDisplay(&d.config, buffers)
	if err != nil {
		return err
	}
	for _, p := range []drm.Part{display, syncobj.NewManager(), buffers} {
		if err := u.Attach(p); err != nil {
			return err
		}
	}
	d.mu.Lock()
	d.device, d.display, d.buffers = u.Device(), display, buffers
	d.mu.Unlock()
	if _, err = u.Register(registers); err != nil {
		return err
	}
	d.mu.Lock()
	d.acquired = parent.Devres().Names()
	d.mu.Unlock()
	return nil
}

// unbind switches the display off before the device is removed.
func (d *Driver) unbind(*bus.BoundDevice) {
	err := d.Device().WithGuard(d.ModeConfig().Shutdown)
	if err != nil && !errors.Is(err, drm.ErrUnplugged) {
		panic(fmt.Sprintf("vkms: switching the display off: %v", err))
	}
}

// Device returns the DRM device of the last probe, nil before the first.
func (d *Driver) Device() *drm.Device {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.device
}

// ModeConfig returns the modesetting of the last probe, nil before the first.
func (d *Driver) ModeConfig() *kms.ModeConfig {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.display
}

// Buffers returns the buffers of the last probe, nil before the first.
func (d *Driver) Buffers() *gem.Manager {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.buffers
}

// Acquired returns the names of the managed resources of the last probe that
// succeeded, oldest first.
func (d *Driver) Acquired() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.acquired)
}
