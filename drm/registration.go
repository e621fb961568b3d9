package drm

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/devres"
)

// A Registration is a device being registered. Its end is an unplug: when
// Close has returned, no guard of the device is open and none can be had.
//
// It is a managed resource of the parent, so unbinding the parent ends it, in
// its turn: newest first.
type Registration struct {
	dev      *Device
	resource *devres.Resource
	once     sync.Once
}

// A Releaser is registration data that wants to be told of its end: Release
// is called when the last guard has exited.
type Releaser interface{ Release() }

// Register registers the device: nodes appear, clients can open it, guards
// can be had. data is the registration's data ([RegisteredDevice.RegistrationData]).
//
// It uses u up, whether it succeeds or not: a second call is EBUSY. When it
// fails half-way the requests that already run are waited for, as in an
// unplug.
func (u *UnregisteredDevice) Register(data any) (*Registration, error) {
	d := u.dev
	if u.used.Swap(true) {
		return nil, fmt.Errorf("drm: registering %s: it was registered before; make a new device: %w", d.Name(), unix.EBUSY)
	}
	d.state.Store(uint32(Registering))
	d.registered = RegisteredDevice{Device: d, parent: u.parent, data: data}
	d.Get()
	d.gate.Open()
	d.state.Store(uint32(Live))
	d.class.publish(d)

	r := &Registration{dev: d}
	err := d.registerParts()
	if err == nil {
		r.resource, err = u.parent.Devres().Add("drm registration", r.unplug)
	}
	if err != nil {
		r.unplug()
		return nil, fmt.Errorf("drm: registering %s: %w", d.Name(), err)
	}
	return r, nil
}

func (d *Device) registerParts() error {
	for _, p := range d.parts {
		if err := d.WithGuard(p.Register); err != nil {
			return err
		}
	}
	return nil
}

// Device returns the device that is, or was, registered.
func (r *Registration) Device() *Device { return r.dev }

// Close ends the registration ahead of the end of the parent's binding. It
// must not be called from inside a guard of the device, for which it would
// wait for ever. Closing again, or while the parent is being unbound, waits
// for the first one.
func (r *Registration) Close() error {
	_, err := r.resource.Release()
	r.unplug()
	return err
}

// unplug is the order of an unplug (see guard.md and hotunplug.md): stop
// entry, wake sleepers, leave no client waiting, drain, unregister, release.
// Mappings of clients are ordinary memory and stay.
func (r *Registration) unplug() { r.once.Do(r.dev.unplug) }

func (d *Device) unplug() {
	d.state.Store(uint32(Unplugging))
	d.gate.Close()
	d.cancel(ErrUnplugged)
	for _, p := range d.parts {
		p.Unplug(d)
	}
	d.hangUp()
	if err := d.gate.Drain(context.Background()); err != nil {
		panic(errors.Join(errors.New("drm: a drain without deadline was cut short"), err))
	}
	d.state.Store(uint32(Drained))

	for i := len(d.parts) - 1; i >= 0; i-- {
		d.parts[i].Unregister(d)
	}
	d.class.withdraw(d)

	data := d.registered.data
	d.registered.parent, d.registered.data = nil, nil
	if releaser, ok := data.(Releaser); ok {
		releaser.Release()
	}
	d.Put()
}
