// Package bus is the driver model: buses, the devices on them, and the
// bindings between a device and its driver.
//
// A [Device] is an object: it lives as long as it is referred to, and is good
// for names and logs only. A driver works with the device as bound hardware, a
// [BoundDevice]: it exists from the call of probe until the last managed
// resource of the binding has been released. A new binding makes a new one. The
// registration guards of package drm rely on this distinction.
//
// A binding ends in one of two ways. A planned removal ([Device.Unbind]) first
// calls the driver, while everything still works, so that it can stop the
// hardware. A surprise removal ([Device.Remove]) does not: the hardware is
// gone. Both then release the managed resources of the binding, newest first.
//
// The parent of a DRM device (package drm) is a bound device. Package host
// shows buses and devices in /sys.
//
// Lock order: [Device].mu (the device lock, held during probe, Unbind and
// release) → [Bus].mu → devres.Set. Subscribers are called with the device lock
// held and must not bind or unbind.
//
// Start reading at [Device.Bind] and Device.end.
package bus

import (
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// A Bus is a named collection of devices, such as "platform". All methods may
// be called concurrently.
type Bus struct {
	name string

	mu          sync.Mutex
	devices     []*Device // oldest first
	drivers     []string  // the names of all drivers that were ever bound
	modules     []string  // their modules
	rescan      func() error
	subscribers []*func(Event)
}

// New returns an empty bus.
func New(name string) *Bus { return &Bus{name: name} }

// Name returns the name of the bus as /sys/bus shows it.
func (b *Bus) Name() string { return b.name }

// Devices returns the devices on the bus, oldest first.
func (b *Bus) Devices() []*Device {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.devices)
}

// Device returns the device of that name, or nil.
func (b *Bus) Device(name string) *Device {
	for _, d := range b.Devices() {
		if d.name == name {
			return d
		}
	}
	return nil
}

// Drivers returns the names of the drivers that devices on the bus are or were
// bound to, oldest first: a driver stays loaded.
func (b *Bus) Drivers() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.drivers)
}

// Modules returns the names of the kernel modules of these drivers.
func (b *Bus) Modules() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.modules)
}

func (b *Bus) noteDriver(driver *Driver) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(b.drivers, driver.Name) {
		b.drivers = append(b.drivers, driver.Name)
	}
	if module := driver.module(); !slices.Contains(b.modules, module) {
		b.modules = append(b.modules, module)
	}
}

// OnRescan sets the function that [Bus.Rescan] calls: f adds and binds the
// plugged devices that are not on the bus.
func (b *Bus) OnRescan(f func() error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rescan = f
}

// Rescan finds devices that are plugged and not on the bus, such as one that
// was removed although its cable was not pulled. It fails with EOPNOTSUPP
// unless [Bus.OnRescan] was called.
func (b *Bus) Rescan() error {
	b.mu.Lock()
	f := b.rescan
	b.mu.Unlock()
	if f == nil {
		return fmt.Errorf("bus %s: cannot rescan: no function to find its devices is set: %w", b.name, unix.EOPNOTSUPP)
	}
	return f()
}

// Add puts a new device on the bus, without a driver. It fails with EEXIST if
// the name is taken.
func (b *Bus) Add(name string) (*Device, error) { return b.add(&Device{bus: b, name: name}) }

func (b *Bus) add(d *Device) (*Device, error) {
	d.mu.Lock() // a goroutine that finds it before it is announced must wait to bind it
	defer d.mu.Unlock()
	b.mu.Lock()
	if slices.ContainsFunc(b.devices, func(other *Device) bool { return other.name == d.name }) {
		b.mu.Unlock()
		return nil, fmt.Errorf("bus %s: cannot add %s: the name is taken: %w", b.name, d.name, unix.EEXIST)
	}
	d.left = make(chan struct{})
	b.devices = append(b.devices, d)
	b.mu.Unlock()
	b.send(Event{Action: "add", Device: d})
	return d, nil
}

func (b *Bus) drop(d *Device) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.devices, d)
	b.devices = slices.Delete(b.devices, i, i+1)
	close(d.left)
}
