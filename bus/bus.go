// Package bus is the driver model: buses, the devices on them, and the
// bindings between a device and its driver.
//
// A [Device] is an object: it lives as long as somebody refers to it, and is
// good for names and logs only. What a driver works with is the device *as
// bound hardware*, a [BoundDevice]: it exists from the moment that probe is
// called until the last managed resource of the binding has been released,
// and a new binding makes a new one. Keeping the two apart is what the
// registration guards of package drm stand on.
//
// A binding ends in one of two ways. A planned removal ([Device.Unbind])
// calls the driver first, while everything still works, so that it can bring
// the hardware to rest. A surprise removal ([Device.Remove]) does not: the
// hardware is gone. Both then release the managed resources of the binding,
// newest first.
//
// Package drm takes a bound device as the parent of a DRM device; package
// host shows buses and devices under /sys.
//
// Lock order: [Device].mu (the device lock: held while a driver probes,
// quiesces and releases) → [Bus].mu → devres.Set. Subscribers are called with
// the device lock held and must not bind or unbind.
//
// Start reading at [Device.Bind] and [Device.end].
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
	devices     []*Device // in the order of their arrival
	drivers     []string  // the names of all that were ever bound
	rescan      func() error
	subscribers []*func(Event)
}

// New returns an empty bus.
func New(name string) *Bus { return &Bus{name: name} }

// Name returns the name of the bus as /sys/bus shows it.
func (b *Bus) Name() string { return b.name }

// Devices returns the devices on the bus, in the order of their arrival.
func (b *Bus) Devices() []*Device {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.devices)
}

// Device returns the device of that name, nil when there is none.
func (b *Bus) Device(name string) *Device {
	for _, d := range b.Devices() {
		if d.name == name {
			return d
		}
	}
	return nil
}

// Drivers returns the names of the drivers that devices on the bus are, or
// were, bound to, in the order of their arrival: a driver stays loaded.
func (b *Bus) Drivers() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.drivers)
}

func (b *Bus) noteDriver(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(b.drivers, name) {
		b.drivers = append(b.drivers, name)
	}
}

// OnRescan says how the devices that are plugged are found: f adds and binds
// those that are not on the bus. It belongs to whoever plugs devices.
func (b *Bus) OnRescan(f func() error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rescan = f
}

// Rescan looks for devices that are plugged and not on the bus, such as one
// that was removed although its cable was not pulled. EOPNOTSUPP when there is
// no way to find them ([Bus.OnRescan]).
func (b *Bus) Rescan() error {
	b.mu.Lock()
	f := b.rescan
	b.mu.Unlock()
	if f == nil {
		return fmt.Errorf("bus %s: rescanning: its devices cannot be found: %w", b.name, unix.EOPNOTSUPP)
	}
	return f()
}

// Add puts a new device on the bus, without a driver. The name must be free
// (EEXIST).
func (b *Bus) Add(name string) (*Device, error) {
	d := &Device{bus: b, name: name}
	d.mu.Lock() // whoever finds it before it is announced must wait to bind it
	defer d.mu.Unlock()
	b.mu.Lock()
	if slices.ContainsFunc(b.devices, func(other *Device) bool { return other.name == name }) {
		b.mu.Unlock()
		return nil, fmt.Errorf("bus %s: adding %s: the name is taken: %w", b.name, name, unix.EEXIST)
	}
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
}
