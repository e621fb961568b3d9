package drm

import (
	"context"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/srcu"
)

// A RegisteredDevice is the view of a device from inside a registration guard:
// registered, and its parent bound. It has all methods of a [Device].
//
// Invariant: code that has one is inside a guard of the device. Why it holds:
// only [RegistrationGuard.Device] returns one, and handlers and parts receive
// it from code that holds a guard around the call. It must not be kept beyond
// the guard: not in a field, a global, a channel or a goroutine that outlives
// it.
type RegisteredDevice struct {
	*Device
	parent *bus.BoundDevice
	data   any
	ctx    context.Context // of guards; see Context
	check  *check          // of the guard of this view, when guards are checked
}

// valid panics if it is known that the guard has been exited.
func (d *RegisteredDevice) valid() {
	if d.check != nil && d.check.exited.Load() {
		panic("drm: use of a registered view of " + d.Name() + " after its guard was exited" + d.check.takenAt())
	}
}

// Parent returns the parent as bound hardware. [Device.Parent] is the parent as
// an object.
//
// Invariant: the parent stays bound until the guard exits. Why it holds: the
// registration is a managed resource of that binding, and its release waits
// for the guard before it returns.
func (d *RegisteredDevice) Parent() *bus.BoundDevice {
	d.valid()
	return d.parent
}

// Context returns a context that ends when the unplug of the device begins.
// Its cause is then [ErrUnplugged]. A section that waits for the device must
// wait for the context as well, or it holds up the unplug.
//
// The context carries the guard: [Registration.Close], bus.Device.Unbind and
// bus.Device.Remove, called with it or a context derived from it, return
// [ErrInsideGuard] instead of waiting for their own caller. Like the view, it
// must not be kept beyond the guard.
func (d *RegisteredDevice) Context() context.Context {
	d.valid()
	return d.ctx
}

// guardOf is the key of a context that carries a guard of dev.
type guardOf struct{ dev *Device }

// inside returns ctx as the context of code inside a guard of the device.
func (d *Device) inside(ctx context.Context) context.Context {
	return d.binding.WithinBinding(context.WithValue(ctx, guardOf{d}, true), ErrInsideGuard)
}

// isInside reports whether ctx carries a guard of the device.
func (d *Device) isInside(ctx context.Context) bool { return ctx.Value(guardOf{d}) != nil }

// A RegistrationGuard is an open critical section of a device. It must not be
// copied, but may be passed to another goroutine by pointer. Exit must be
// called exactly once, on every path: defer it.
type RegistrationGuard struct {
	_       noCopy
	section srcu.Section // or a stand-in: spent, or that of a checked guard
	dev     *RegisteredDevice
}

// spent is the section of a guard that is not open.
var spent = srcu.NewStandIn(func() {
	panic("drm: Exit of a registration guard that is not open: it was exited before, or RegistrationGuard had returned an error")
})

// noCopy makes go vet report copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// RegistrationGuard enters a critical section of the device: drm_dev_enter.
// With Exit, it costs about two atomic additions, and does not allocate. It
// fails with [ErrNotRegistered] before the device is live, and with
// [ErrUnplugged] once an unplug has begun; both are ENODEV.
//
// Invariant: while the guard is open the device is registered and its parent
// bound. Why it holds: the gate of the device lets sections in only between
// Live and Unplugging. An unplug goes from Unplugging to Drained only when the
// last section has exited; unregistering and unbinding come after that.
func (d *Device) RegistrationGuard() (RegistrationGuard, error) {
	if d.checked {
		return d.checkedGuard()
	}
	section, ok := d.gate.Enter()
	if !ok {
		return RegistrationGuard{section: spent}, d.refused()
	}
	return RegistrationGuard{section: section, dev: &d.registered}, nil
}

// checkedGuard takes a guard whose use is checked.
func (d *Device) checkedGuard() (RegistrationGuard, error) {
	r, view, err := d.records.enter(d, purpose{what: "guard"})
	if err != nil {
		return RegistrationGuard{section: spent}, err
	}
	return RegistrationGuard{section: srcu.NewStandIn(r.exit), dev: view}, nil
}

// guarded runs f inside a guard, recorded in l, on behalf of a client. A panic
// in f becomes the EIO of that client, and is reported.
func (d *Device) guarded(l *records, p purpose, f func(dev *RegisteredDevice) error) (err error) {
	r, dev, err := l.enter(d, p)
	if err != nil {
		return err
	}
	defer r.exit()
	defer d.recoverTo(&err, p)
	return f(dev)
}

// refused returns why the gate did not let a section in. A gate that is not
// closed now was not open yet then. The state of the device does not tell: it
// may have become Live in between.
func (d *Device) refused() error {
	if d.gate.Closed() {
		return ErrUnplugged
	}
	return ErrNotRegistered
}

// Device returns the registered view, valid until Exit.
func (g *RegistrationGuard) Device() *RegisteredDevice {
	if g.section == spent {
		return nil
	}
	return g.dev
}

// Exit leaves the critical section: drm_dev_exit. A second Exit panics: it
// would let an unplug return while another section is still open.
//
// It is just short enough to be inlined. Rare cases have a stand-in for their
// section, so this path needs no branch for them.
func (g *RegistrationGuard) Exit() {
	g.section.Exit()
	g.section = spent
}

// WithGuard runs f inside a guard, which exits when f returns or panics. It
// fails like [Device.RegistrationGuard], and with the error of f.
func (d *Device) WithGuard(f func(dev *RegisteredDevice) error) error {
	guard, err := d.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	return f(guard.Device())
}
