package drm

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

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
	inside   atomic.Bool   // Close was called from inside a guard
	ended    chan struct{} // closed when the unplug is done

	mu sync.Mutex // held while nodes and parts are announced, and taken back
}

// A Releaser is registration data that wants to be told of its end: Release
// is called when the last guard has exited.
type Releaser interface{ Release() }

// Register registers the device: nodes appear, clients can open it, guards
// can be had. data is the registration's data ([RegisteredDevice.RegistrationData]).
//
// It uses u up, whether it succeeds or not: a second call is EBUSY. When it
// fails half-way the requests that already run are waited for, as in an
// unplug, and data is released. ENODEV when the parent's binding has ended,
// or ends meanwhile.
//
// Register may be called after probe, by any goroutine.
//
// Why no guard is had without a bound parent: the registration joins the
// parent's managed resources before the gate opens, so from then on the
// binding cannot end without closing it.
func (u *UnregisteredDevice) Register(data any) (*Registration, error) {
	d := u.dev
	if u.used.Swap(true) {
		return nil, fmt.Errorf("drm: registering %s: it was registered before; make a new device: %w", d.Name(), unix.EBUSY)
	}
	d.registered = RegisteredDevice{Device: d, parent: u.parent, data: data}
	if !d.tryGet() {
		d.releaseData()
		return nil, fmt.Errorf("drm: registering %s: the parent was unbound: %w", d.Name(), ErrUnplugged)
	}
	d.advance(Registering)
	r := &Registration{dev: d, ended: make(chan struct{})}
	var err error
	if r.resource, err = u.parent.Devres().Add("drm registration", r.unplug); err != nil {
		return nil, fmt.Errorf("drm: registering %s: %w: %w", d.Name(), err, ErrUnplugged) // unplugged by Add
	}
	if err := r.announce(); err != nil {
		return nil, errors.Join(fmt.Errorf("drm: registering %s: %w", d.Name(), err), r.Close())
	}
	return r, nil
}

// announce lets sections in, then shows the device to clients, nodes first.
func (r *Registration) announce() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.dev
	d.gate.Open()
	if d.gate.Closed() {
		return ErrUnplugged
	}
	d.advance(Live)
	d.class.publish(d)
	for _, p := range d.parts {
		err := d.WithGuard(func(dev *RegisteredDevice) (err error) {
			defer d.recoverPart(&err, "Register", p)
			return p.Register(dev)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Device returns the device that is, or was, registered.
func (r *Registration) Device() *Device { return r.dev }

// ErrInsideGuard says that an unplug was asked for from inside a guard of the
// same device, which it has to wait for.
var ErrInsideGuard = fmt.Errorf("drm: closing a registration from inside one of its own guards: %w", unix.EDEADLK)

// Close ends the registration ahead of the end of the parent's binding, and
// returns when that is done. Closing again, or while the parent is being
// unbound, waits for the first one.
//
// From inside a guard of the device, Close returns [ErrInsideGuard]: at once
// when guards are checked ([Class.CheckGuards]); otherwise, in handlers and in
// WithGuard of any device, when it takes longer than the time of the
// [DrainWatch]. The unplug is under way then, and done when the last guard has
// exited. Who wants that calls [Registration.CloseLater].
func (r *Registration) Close() error {
	var limit time.Duration
	switch {
	case r.dev.Guards() == 0: // the caller's neither; looking for it takes longer than the rest
		return r.close()
	case r.dev.holds():
	case insideGuard():
		limit = r.dev.class.drainWatch().After
	default:
		return r.close()
	}
	r.inside.Store(true)
	select {
	case err := <-r.CloseLater():
		return err
	case <-time.After(limit):
		<-r.dev.ctx.Done() // under way
		return fmt.Errorf("%w: it ends when that guard exits", ErrInsideGuard)
	}
}

// CloseLater begins to end the registration and returns at once, with a
// channel that gets the result of Close when it is done. It may be called from
// inside a guard of the device.
func (r *Registration) CloseLater() (done <-chan error) {
	result := make(chan error, 1)
	go func() { result <- r.close() }()
	return result
}

func (r *Registration) close() error {
	_, err := r.resource.Release()
	<-r.ended // somebody else may be at it
	return err
}

// unplug is the order of an unplug (see guard.md and hotunplug.md): stop
// entry, wake sleepers, leave no client waiting, drain, unregister, release.
// Mappings of clients are ordinary memory and stay.
//
// A panic in a part is reported and passed over: what comes after it must not
// be left out, the drain least of all.
//
// It is the release of a managed resource, so it is called once. From inside a
// guard of the device it waits for itself, which is reported: the caller is
// about to take away what that guard protects.
func (r *Registration) unplug() {
	defer close(r.ended)
	r.dev.drain(func() bool { return r.inside.Load() || r.dev.holds() || insideGuard() })
	r.withdraw()
	r.dev.releaseData()
	r.dev.Put()
}

// drain stops entry and waits for every open guard.
//
// inside tells whether the caller is inside a guard, should that matter.
func (d *Device) drain(inside func() bool) {
	d.advance(Unplugging)
	d.gate.Close()
	d.cancel(ErrUnplugged)
	for _, p := range d.parts {
		d.callPart("Unplug", p, func() { p.Unplug(d) })
	}
	d.awaitGuards(inside)
	d.advance(Drained)
	d.hangUp()
}

// withdraw takes back what announce has shown, as far as it came.
func (r *Registration) withdraw() {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.dev
	for i := len(d.parts) - 1; i >= 0; i-- {
		d.callPart("Unregister", d.parts[i], func() { d.parts[i].Unregister(d) })
	}
	d.class.withdraw(d)
}

// releaseData ends the data of the registration.
func (d *Device) releaseData() {
	data := d.registered.data
	d.registered.parent, d.registered.data = nil, nil
	if releaser, ok := data.(Releaser); ok {
		d.callPart("Release", data, releaser.Release)
	}
}

// callPart calls a method of a part, or of registration data, in an unplug.
func (d *Device) callPart(method string, of any, call func()) {
	var err error
	defer d.recoverPart(&err, method, of)
	call()
}
