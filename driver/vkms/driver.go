package vkms

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/syncobj"
)

// A Config describes the display. [DefaultConfig] is the kernel's default.
type Config struct {
	// Kernel is the version of Linux whose vkms the device is: see [ConfigOf]. ""
	// stands for [DefaultKernel].
	Kernel drm.Kernel

	// The default device has one CRTC and one connector. These are the kernel's
	// module parameters:
	Cursor        bool // a cursor plane
	Overlay       bool // eight overlay planes
	Writeback     bool // a writeback connector
	PlanePipeline bool // a colour pipeline for each plane; not on Linux 6.12

	// Console has the device lit while no client is master: see
	// [kms.Config.Console].
	Console bool

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

// DefaultKernel is the version of Linux whose vkms [DefaultConfig] returns.
const DefaultKernel = drm.Linux72

// DefaultConfig returns the default display of the default vkms.
func DefaultConfig() Config { return ConfigOf(DefaultKernel) }

// ConfigOf returns the display of vkms on a version of Linux with its default
// parameters. The one of 7.2 is on the faux bus, has 33 formats, colour
// properties and a background colour, and is lit by the console. The one of
// 6.12 is on the platform bus, has 5 formats, and is dark unless Console is set.
func ConfigOf(kernel drm.Kernel) Config {
	return Config{Kernel: kernel, Cursor: true, Writeback: true, Console: kernel == drm.Linux72}
}

// old reports whether the device is that of Linux 6.12.
func (c *Config) old() bool { return c.Kernel == drm.Linux612 }

// Check returns an error if the vkms of the kernel cannot be as c says. It does
// not look at the topology: see [Topology.Validate].
func (c *Config) Check() error {
	switch {
	case c.Kernel != "" && !slices.Contains(drm.Kernels, c.Kernel):
		return fmt.Errorf("vkms: there is no vkms of Linux %q; use one of %q: %w", c.Kernel, drm.Kernels, unix.EINVAL)
	case c.PlanePipeline && c.old():
		return fmt.Errorf("vkms: planes have no colour pipelines on Linux %s: %w", c.Kernel, unix.EINVAL)
	}
	return nil
}

// Bus returns the name of the bus that the device is on: faux, or platform on
// Linux 6.12.
func (c *Config) Bus() string {
	if c.old() {
		return "platform"
	}
	return "faux"
}

// Description says what programs find of the device on its bus.
func (c *Config) Description() (d bus.Description) {
	if !c.old() {
		d.Env = []string{} // a faux device has no MODALIAS
	}
	return d
}

// parameters returns the module parameters as files of sysfs.
func (c *Config) parameters() []bus.Attr {
	if c.old() {
		return nil
	}
	attr := func(name string, value bool) bus.Attr {
		if value {
			return bus.Attr{Name: name, Content: "Y\n"}
		}
		return bus.Attr{Name: name, Content: "N\n"}
	}
	return []bus.Attr{
		attr("create_default_dev", true),
		attr("enable_cursor", c.Cursor),
		attr("enable_overlay", c.Overlay),
		attr("enable_plane_pipeline", c.PlanePipeline),
		attr("enable_writeback", c.Writeback),
	}
}

// A Driver drives one virtual display; each device needs a driver of its own.
// All methods may be called concurrently.
type Driver struct {
	class  *drm.Class
	config Config

	mu       sync.Mutex
	device   *drm.Device // the last one; nil before the first probe
	display  *display
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
	name := "vkms"
	if !d.config.old() {
		name = "faux_driver" // of all devices on the faux bus
	}
	return &bus.Driver{Name: name, Module: "vkms", Parameters: d.config.parameters(), Probe: d.probe, Unbind: d.unbind}
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
	if !d.config.old() {
		features |= drm.FeatureColorPipeline
	}
	return &drm.Driver{
		Kernel:       cmp.Or(d.config.Kernel, DefaultKernel),
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
	for _, p := range []drm.Part{display.config, syncobj.NewManager(), buffers} {
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
	if d.display == nil {
		return nil
	}
	return d.display.config
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
