package drm

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/devres"
)

// A Registration is the time during which a device is registered. It ends with
// an unplug: after Close has returned, no guard of the device is open, and none
// can be taken.
//
// It is a managed resource of the parent, so unbinding the parent ends it, in
// its turn: newest first.
type Registration struct {
	dev      *Device
	resource *devres.Resource
	ended    chan struct{} // closed when the unplug is done

	mu sync.Mutex // held while nodes and parts are announced or withdrawn
}

// A Releaser is registration data whose Release is called after the last guard
// has exited.
type Releaser interface{ Release() }

// Register registers the device: nodes appear, clients can open it, and guards
// can be taken. data is the registration's data, for [RegistrationData].
//
// Register uses u up, even if it fails: a second call fails with EBUSY. If it
// fails half-way, it waits for the requests that already run, as an unplug
// does, and releases data. It fails with ENODEV if the parent's binding has
// ended or ends meanwhile.
//
// Register may be called after probe, by any goroutine.
//
// Why no guard is taken without a bound parent: the registration becomes one of
// the parent's managed resources before the gate opens. From then on the
// binding cannot end without closing the gate.
func (u *UnregisteredDevice) Register(data any) (*Registration, error) {
	d := u.dev
	if u.used.Swap(true) {
		return nil, fmt.Errorf("drm: registering %s: it was registered before; create a new device: %w", d.Name(), unix.EBUSY)
	}
	d.registered = RegisteredDevice{Device: d, parent: u.parent, data: data}
	d.registered.ctx = d.inside(d.ctx)
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
		return nil, errors.Join(fmt.Errorf("drm: registering %s: %w", d.Name(), err), r.close())
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
	d.Tracepoint(TraceEvent{Kind: EventRegistered})
	for _, p := range d.parts {
		p, ok := p.(RegisterPart)
		if !ok {
			continue
		}
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
// same device, for which it would have to wait. It is EDEADLK.
var ErrInsideGuard = fmt.Errorf("drm: this would wait for the caller's own registration guard; exit it first, or use CloseLater: %w", unix.EDEADLK)

// Close ends the registration before the parent's binding ends, and returns
// when that is done. Closing again, or while the parent is being unbound, waits
// for the first one.
//
// The end of ctx ends the wait, not the unplug, which goes on.
//
// From inside a guard of the device, Close returns [ErrInsideGuard] at once and
// does nothing: it knows the guard from ctx, which must then be, or derive
// from, the context of the request or view ([Request.Context],
// [RegisteredDevice.Context]). With any other context, Close waits for the
// guard that its caller holds; the [DrainWatch] reports that, and with
// [ClassOptions].CheckGuards Close refuses it.
func (r *Registration) Close(ctx context.Context) error {
	if r.dev.isInside(ctx) || r.dev.holds() {
		return fmt.Errorf("closing %s: %w", r.dev.Name(), ErrInsideGuard)
	}
	if ctx.Done() == nil {
		return r.close()
	}
	select {
	case err := <-r.CloseLater():
		return err
	case <-ctx.Done():
		return fmt.Errorf("drm: the unplug of %s goes on, but the wait for it ended: %w", r.dev.Name(), context.Cause(ctx))
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
	<-r.ended // another goroutine may have been first
	return err
}

// unplug unplugs the device. The order is: stop entry, wake sleepers, leave no
// client waiting, drain, unregister, release. Mappings of clients are ordinary
// memory and stay.
//
// A panic in a part is reported, and the next step follows all the same: above
// all, the drain must not be left out.
//
// It is the release of a managed resource, so it is called once.
func (r *Registration) unplug() {
	defer close(r.ended)
	r.dev.drain()
	r.withdraw()
	r.dev.releaseData()
	r.dev.Tracepoint(TraceEvent{Kind: EventUnplugged})
	r.dev.Put()
}

// drain stops entry and waits for every open guard.
func (d *Device) drain() {
	d.advance(Unplugging)
	d.gate.Close()
	d.cancel(ErrUnplugged)
	d.Tracepoint(TraceEvent{Kind: EventUnplug})
	for _, p := range d.parts {
		if p, ok := p.(UnplugPart); ok {
			d.callPart("Unplug", p, func() { p.Unplug(d) })
		}
	}
	d.awaitGuards()
	d.Tracepoint(TraceEvent{Kind: EventDrained})
	d.advance(Drained)
	d.hangUp()
}

// withdraw takes back what announce has shown, even if that failed half-way.
func (r *Registration) withdraw() {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.dev
	for i := len(d.parts) - 1; i >= 0; i-- {
		if p, ok := d.parts[i].(RegisterPart); ok {
			d.callPart("Unregister", p, func() { p.Unregister(d) })
		}
	}
	d.class.withdraw(d)
}

// releaseData releases the data of the registration.
func (d *Device) releaseData() {
	data := d.registered.data
	d.registered.parent, d.registered.data = nil, nil
	if releaser, ok := data.(Releaser); ok {
		d.callPart("Release", data, releaser.Release)
	}
}

// callPart calls a method of a part or of registration data. It recovers from a
// panic, which it reports.
func (d *Device) callPart(method string, of any, call func()) {
	var err error
	defer d.recoverPart(&err, method, of)
	call()
}
