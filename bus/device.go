package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/devres"
)

// A Driver drives devices of a bus. It must not change once a device was bound
// to it.
type Driver struct {
	// Name is the name of the driver in /sys/bus/BUS/drivers.
	Name string

	// Module is the name of the kernel module in /sys/module; "" stands for
	// Name. Parameters are the files of its directory parameters.
	Module     string
	Parameters []Attr

	// Probe takes over the device. It adds whatever it acquires to dev.Devres.
	// When Probe returns an error or panics, the bus releases all of that,
	// newest first, and the device stays without a driver.
	Probe func(dev *BoundDevice) error

	// Unbind, if not nil, stops the hardware before a planned removal.
	// Everything that Probe set up still works, and is released right
	// afterwards. A surprise removal does not call Unbind.
	Unbind func(dev *BoundDevice)
}

// A Device is a device on a bus, bound to a driver or not. It is an object for
// names and logs: it may be there without its hardware.
type Device struct {
	bus         *Bus
	name        string
	description Description

	mu    sync.Mutex  // the device lock, see the package comment
	gone  atomic.Bool // removed from the bus; set with mu held
	left  chan struct{}
	bound atomic.Pointer[BoundDevice]
	last  atomic.Pointer[Driver] // the driver of the last Bind, or nil; set with mu held
}

// A BoundDevice is a device as bound hardware: the view of its driver.
//
// Invariant: it is bound. Why it holds: only Bind makes one, for the callbacks
// of the driver and for registrations. Before Unbind or Remove returns, every
// managed resource that could reach it has been released. A registration is
// such a resource, and its release waits for all guards.
type BoundDevice struct {
	dev    *Device
	driver *Driver
	devres devres.Set
	ended  atomic.Bool
}

// Name returns the name of the device on its bus.
func (d *Device) Name() string { return d.name }

// Bus returns the bus that the device is, or was, on.
func (d *Device) Bus() *Bus { return d.bus }

// Removed reports whether the device has left its bus, or is about to leave it.
func (d *Device) Removed() bool { return d.gone.Load() }

// Left returns a channel that is closed when the device has left the bus: its
// removal is complete, and another device can have its name.
func (d *Device) Left() <-chan struct{} { return d.left }

// Driver returns the name of the driver that the device is bound to, or "".
func (d *Device) Driver() string {
	if b := d.bound.Load(); b != nil {
		return b.driver.Name
	}
	return ""
}

// LastDriver returns the name of the driver that the device is or was bound to,
// or "" before the first Bind.
func (d *Device) LastDriver() string {
	if last := d.last.Load(); last != nil {
		return last.Name
	}
	return ""
}

// Module returns the kernel module of the driver that the device is or was bound
// to, with its parameters. The name is "" before the first Bind.
func (d *Device) Module() (name string, parameters []Attr) {
	last := d.last.Load()
	if last == nil {
		return "", nil
	}
	return last.module(), last.Parameters
}

func (d *Driver) module() string { return cmp.Or(d.Module, d.Name) }

// Bind binds the device to driver: it calls the driver's Probe. It fails with
// EBUSY if the device is bound, with ENODEV if it was removed, and with the
// error of Probe.
func (d *Device) Bind(driver *Driver) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.gone.Load():
		return d.refuse("bind to "+driver.Name, "it was removed", unix.ENODEV)
	case d.bound.Load() != nil:
		return d.refuse("bind to "+driver.Name, "it is bound to "+d.Driver(), unix.EBUSY)
	}
	d.last.Store(driver)
	d.bus.noteDriver(driver)
	b := &BoundDevice{dev: d, driver: driver}
	b.devres.OnRelease = func(name string) {
		d.bus.send(Event{Action: "release", Device: d, Resource: name})
	}
	d.bound.Store(b)
	if err := b.probe(); err != nil {
		err = errors.Join(fmt.Errorf("bus %s: %s: probe by %s: %w", d.bus.name, d.name, driver.Name, err), b.end())
		d.bound.Store(nil)
		return err
	}
	d.bus.send(Event{Action: "bind", Device: d})
	return nil
}

// Rebind binds the device to its last driver, as a write to the bind file of
// that driver does. It fails with ENODEV if the last driver has another name,
// and like [Device.Bind].
func (d *Device) Rebind(driver string) error {
	d.mu.Lock()
	last := d.last.Load()
	d.mu.Unlock()
	if last == nil || last.Name != driver {
		return d.refuse("rebind to "+driver, "that was not its last driver", unix.ENODEV)
	}
	return d.Bind(last)
}

// Unbind is the planned removal of the driver: it calls the driver's Unbind,
// then releases the managed resources, newest first. The device stays on the
// bus and can be bound again. It fails with ENODEV if the device is not bound.
//
// The end of ctx ends the wait, not the removal, which goes on. A context from
// [BoundDevice.WithinBinding] is refused.
func (d *Device) Unbind(ctx context.Context) error {
	return d.await(ctx, "unbind", func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		b := d.bound.Load()
		if b == nil {
			return d.refuse("unbind", "no driver is bound to it", unix.ENODEV)
		}
		return errors.Join(b.quiesce(), d.end(b))
	})
}

// Remove is the surprise removal, as of a cable that is pulled: it releases
// the managed resources of a bound driver, newest first, without calling the
// driver's Unbind, and takes the device off its bus for good. It fails with
// ENODEV if the device was removed before.
//
// The end of ctx ends the wait, not the removal, which goes on. A context from
// [BoundDevice.WithinBinding] is refused.
func (d *Device) Remove(ctx context.Context) error {
	return d.await(ctx, "remove", func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.gone.Load() {
			return d.refuse("remove", "it was removed before", unix.ENODEV)
		}
		d.gone.Store(true)
		var err error
		if b := d.bound.Load(); b != nil {
			err = d.end(b)
		}
		d.bus.send(Event{Action: "remove", Device: d})
		d.bus.drop(d) // last: a new device of this name must not be announced before
		return err
	})
}

// await runs end, and returns early at the end of ctx.
func (d *Device) await(ctx context.Context, what string, end func() error) error {
	if b := d.bound.Load(); b != nil {
		if refusal, ok := ctx.Value(withinBinding{b}).(error); ok {
			return fmt.Errorf("bus %s: %s: cannot %s: %w", d.bus.name, d.name, what, refusal)
		}
	}
	if ctx.Done() == nil {
		return end()
	}
	ended := make(chan error, 1)
	go func() { ended <- end() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return fmt.Errorf("bus %s: %s: %s goes on, but the wait for it ended: %w", d.bus.name, d.name, what, context.Cause(ctx))
	}
}

// withinBinding is the key of a context from WithinBinding.
type withinBinding struct{ b *BoundDevice }

// WithinBinding returns a context for code that the end of the binding waits
// for, such as a section of a registration guard. [Device.Unbind] and
// [Device.Remove] would wait for their own caller there: with such a context
// they return refusal at once and do nothing.
func (b *BoundDevice) WithinBinding(ctx context.Context, refusal error) context.Context {
	return context.WithValue(ctx, withinBinding{b}, refusal)
}

// end ends the binding b. The caller holds d.mu.
func (d *Device) end(b *BoundDevice) error {
	err := b.end()
	d.bound.Store(nil)
	d.bus.send(Event{Action: "unbind", Device: d})
	return err
}

func (d *Device) refuse(asked, why string, errno unix.Errno) error {
	return fmt.Errorf("bus %s: %s: cannot %s: %s: %w", d.bus.name, d.name, asked, why, errno)
}

// Device returns the object behind the bound view.
func (b *BoundDevice) Device() *Device { return b.dev }

// Name returns the name of the device on its bus.
func (b *BoundDevice) Name() string { return b.dev.name }

// Devres returns the managed resources of this binding.
func (b *BoundDevice) Devres() *devres.Set { return &b.devres }

// Bound reports whether the binding has not ended yet, for assertions in tests
// and drivers. Inside a registration guard it is always true.
func (b *BoundDevice) Bound() bool { return !b.ended.Load() }

func (b *BoundDevice) end() error {
	err := b.devres.ReleaseAll()
	b.ended.Store(true)
	return err
}

func (b *BoundDevice) probe() (err error) {
	defer recovered("probe", &err)
	return b.driver.Probe(b)
}

func (b *BoundDevice) quiesce() (err error) {
	if b.driver.Unbind == nil {
		return nil
	}
	defer recovered("unbind", &err)
	b.driver.Unbind(b)
	return nil
}

func recovered(callback string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s panicked: %v\n%s", callback, p, debug.Stack())
	}
}
