package vkms

import (
	"errors"
	"fmt"
	"image"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/syncobj"
)

// A Config says what the display has. [DefaultConfig] is the kernel's.
type Config struct {
	// The default device has one CRTC and one connector, and as the kernel's
	// module parameters say:
	Cursor    bool // a cursor plane
	Overlay   bool // eight overlay planes
	Writeback bool // a writeback connector

	// Topology is any other device, for which these three do not count; nil
	// for the default device.
	Topology *Topology

	Syncobj bool // sync objects and timelines
	Render  bool // a render node beside the card

	// Formats are pixel formats of planes and writeback beside the kernel's,
	// such as uapi.FormatXRGB2101010, which IGT's tests of writeback need.
	Formats []uint32

	// Clock is what vblanks run on; nil for the real one.
	Clock kms.Clock
	// Misuse is told when the hardware is touched without a guard or a bound
	// parent, right before it is. nil panics.
	Misuse func(err error)
}

// DefaultConfig returns the display of the kernel's vkms with its default
// parameters: cursor and writeback.
func DefaultConfig() Config { return Config{Cursor: true, Writeback: true} }

// A Driver drives one virtual display at a time: make one for each device. All
// methods may be called concurrently.
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

// unbind switches the display off, before a planned removal.
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

// Screenshot returns what the first CRTC shows; see
// [kms.ModeConfig.Screenshot].
func (d *Driver) Screenshot() (*image.NRGBA, error) {
	display := d.ModeConfig()
	if display == nil {
		return nil, fmt.Errorf("vkms: a screenshot of a driver that is not bound: %w", unix.ENODEV)
	}
	return display.Screenshot(display.CRTCs()[0])
}

// ScreenshotOf returns what a connector shows, which is named as clients see
// it. Errors: those of [kms.ModeConfig.Screenshot], and ENOENT for a connector
// that the display does not have.
func (d *Driver) ScreenshotOf(connector string) (*image.NRGBA, error) {
	c, err := d.connector(connector)
	if err != nil {
		return nil, err
	}
	display := d.ModeConfig()
	crtc := display.State().Connector(c).CRTC
	if crtc == nil {
		return nil, fmt.Errorf("vkms: %s shows nothing: %w", connector, unix.ENODEV)
	}
	return display.Screenshot(crtc)
}
