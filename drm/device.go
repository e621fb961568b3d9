package drm

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/srcu"
)

// A Device is a DRM device in general: it may be registered or not. It is
// reference-counted: a registration, each open file and each exported buffer
// have a reference. All methods may be called concurrently.
type Device struct {
	class   *Class
	driver  *Driver
	parent  *bus.Device
	binding *bus.BoundDevice // only to mark contexts with: it may have ended
	data    any
	parts   []Part
	ioctls  ioctlTable

	gate  *srcu.Domain
	state atomic.Uint32

	// registered is the view of guards. It is written before the gate opens and
	// after it is drained, and read inside guards only.
	registered RegisteredDevice
	checked    bool    // see ClassOptions
	records    records // but for those of the files
	made       time.Time

	ctx    context.Context
	cancel context.CancelCauseFunc

	refs            atomic.Int64
	primary, render *Minor // render is nil without FeatureRender

	masterMu sync.Mutex             // guards the mastership of all files of the device
	master   atomic.Pointer[Master] // changed with masterMu held

	fileMu sync.Mutex
	files  map[*File]struct{} // until they are released
}

// An UnregisteredDevice is a device that was just made. Only its creator has
// it. The creator attaches the parts, then registers the device, which uses the
// UnregisteredDevice up.
type UnregisteredDevice struct {
	dev    *Device
	parent *bus.BoundDevice
	used   atomic.Bool
}

// NewDevice makes a device of driver on parent. data is the driver's own data,
// for [Data]. The device is a managed resource of parent: without a
// registration it goes away with the binding. NewDevice fails with ENOSPC if
// the class has no free minor number.
func NewDevice(class *Class, driver *Driver, parent *bus.BoundDevice, data any) (*UnregisteredDevice, error) {
	d := &Device{
		class:   class,
		driver:  driver,
		parent:  parent.Device(),
		binding: parent,
		data:    data,
		gate:    srcu.NewShutDomain(),
		checked: class.options.CheckGuards,
		files:   make(map[*File]struct{}),
		made:    time.Now(),
	}
	d.ctx, d.cancel = context.WithCancelCause(context.Background())
	d.refs.Store(1)
	if err := d.ioctls.add(d, coreIoctls); err != nil {
		return nil, err
	}
	if err := d.ioctls.add(d, driver.Ioctls); err != nil {
		return nil, err
	}
	if err := class.reserve(d); err != nil {
		return nil, fmt.Errorf("drm: making a %s device on %s: %w", driver.Info.Name, parent.Name(), err)
	}
	if _, err := parent.Devres().Add("drm device", d.Put); err != nil {
		return nil, fmt.Errorf("drm: making a %s device on %s: %w: %w", driver.Info.Name, parent.Name(), err, unix.ENODEV)
	}
	return &UnregisteredDevice{dev: d, parent: parent}, nil
}

// Device returns the general view. Guards of it fail with [ErrNotRegistered].
func (u *UnregisteredDevice) Device() *Device { return u.dev }

// Attach adds a part to the device. The creator calls it before Register. It
// fails with EEXIST if another part answers one of the part's requests.
func (u *UnregisteredDevice) Attach(p Part) error {
	if u.used.Load() {
		return fmt.Errorf("drm: attaching a part to %s: it is registered already: %w", u.dev.Name(), unix.EBUSY)
	}
	if err := u.dev.ioctls.add(u.dev, p.Ioctls()); err != nil {
		return err
	}
	u.dev.parts = append(u.dev.parts, p)
	return nil
}

// Name returns the name of the device's primary node, such as "card0".
func (d *Device) Name() string { return d.primary.Name() }

// Unique returns the name of the device on its bus (DRM_IOCTL_GET_UNIQUE).
func (d *Device) Unique() string { return d.parent.Name() }

// busID returns the name of the device as GET_UNIQUE answers it
// (drm_set_busid).
func (d *Device) busID() string {
	if d.parent.Bus().Name() == "pci" {
		return "pci:" + d.Unique()
	}
	return d.Unique()
}

// Class returns the class that the device belongs to.
func (d *Device) Class() *Class { return d.class }

// Driver returns the driver of the device.
func (d *Device) Driver() *Driver { return d.driver }

// Has reports whether the driver offers all the features.
func (d *Device) Has(features Features) bool { return d.driver.Features&features == features }

// Parent returns the parent as an object: for names and logs. The bound view
// is [RegisteredDevice.Parent].
func (d *Device) Parent() *bus.Device { return d.parent }

// Primary returns the primary node (cardN).
func (d *Device) Primary() *Minor { return d.primary }

// Render returns the render node (renderDN), or nil.
func (d *Device) Render() *Minor { return d.render }

// State returns the state at this moment, for reports. To decide something,
// take a guard: the state may change at any moment.
func (d *Device) State() State { return State(d.state.Load()) }

// Guards returns how many guards are open at this moment, for reports.
func (d *Device) Guards() int { return d.gate.Sections() }

// InUse reports whether a client uses the device: it has an open file, or
// something that a [UsePart] knows of. A driver cannot be unloaded then.
func (d *Device) InUse() bool {
	if d.Files() > 0 {
		return true
	}
	return slices.ContainsFunc(d.parts, func(p Part) bool {
		u, ok := p.(UsePart)
		return ok && u.InUse()
	})
}

// Files returns how many files are open on the device.
func (d *Device) Files() int {
	return len(d.openFiles())
}

// openFiles returns the files that are not closed.
func (d *Device) openFiles() (open []*File) {
	d.fileMu.Lock()
	defer d.fileMu.Unlock()
	for f := range d.files {
		if !f.closed.Load() {
			open = append(open, f)
		}
	}
	return open
}

// Get takes a reference, for a software object that outlives files and
// registration, such as an exported buffer. The caller must have a reference
// already, or be inside a guard.
func (d *Device) Get() {
	if !d.tryGet() {
		panic("drm: Get of a device without a reference")
	}
}

// tryGet takes a reference unless the last one was put already.
func (d *Device) tryGet() bool {
	for {
		refs := d.refs.Load()
		if refs == 0 {
			return false
		}
		if d.refs.CompareAndSwap(refs, refs+1) {
			return true
		}
	}
}

// Put drops a reference. The last one makes the device Gone and frees its minor
// numbers.
func (d *Device) Put() {
	switch refs := d.refs.Add(-1); {
	case refs < 0:
		panic("drm: Put of a device without a reference")
	case refs == 0:
		d.gate.Close() // a device that was never registered
		d.class.release(d)
		d.advance(Gone) // last: the numbers are free now
	}
}

// advance brings the device to a state, unless it is in a later one already.
func (d *Device) advance(to State) {
	for {
		state := d.state.Load()
		if State(state) >= to || d.state.CompareAndSwap(state, uint32(to)) {
			return
		}
	}
}
