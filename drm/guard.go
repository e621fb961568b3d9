package drm

import (
	"context"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/srcu"
)

// A RegisteredDevice is a device as it is seen from inside a registration
// guard: registered, and its parent bound. It does all that a [Device] does.
//
// Invariant: whoever holds one is inside a guard of the device. Why it holds:
// only [RegistrationGuard.Device] hands it out, and handlers and parts receive
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

// valid panics when the guard has been exited, as far as that is known.
func (d *RegisteredDevice) valid() {
	if d.check != nil && d.check.exited.Load() {
		panic("drm: use of a registered view of " + d.Name() + " after its guard was exited" + d.check.takenAt())
	}
}

// Parent returns the parent as bound hardware. It hides [Device.Parent], the
// object.
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

// A RegistrationGuard is an open critical section of a device. It belongs to
// who took it and must not be copied; it may be passed on to another goroutine
// by pointer. Exit must be called exactly once, on every path: defer it.
type RegistrationGuard struct {
	_       noCopy
	section srcu.Section // or a stand-in: spent, or of the record of a guard that is known by name
	dev     *RegisteredDevice
}

// spent stands in for the section of a guard that is not open.
var spent = srcu.NewStandIn(func() {
	panic("drm: Exit of a registration guard that is not open: it was exited before, or RegistrationGuard had returned an error")
})

// noCopy makes go vet report copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// RegistrationGuard enters a critical section of the device: drm_dev_enter.
// It costs about two atomic additions together with Exit and does not
// allocate. Errors: [ErrNotRegistered] before the device is live,
// [ErrUnplugged] from the beginning of an unplug on; both are ENODEV.
//
// Invariant: while the guard is open the device is registered and its parent
// bound. Why it holds: the gate of the device lets sections in only between
// Live and Unplugging, and an unplug goes on from Unplugging to Drained only
// when the last section has exited; unregistering and unbinding come after.
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

// guarded runs f inside a guard, recorded in l, on behalf of a client. A panic in
// f becomes the EIO of that client, and is reported.
func (d *Device) guarded(l *records, p purpose, f func(dev *RegisteredDevice) error) (err error) {
	r, dev, err := l.enter(d, p)
	if err != nil {
		return err
	}
	defer r.exit()
	defer d.recoverTo(&err, p)
	return f(dev)
}

// refused says why the gate did not let a section in: a gate that is not closed
// by now was not open yet then. The state would be the wrong thing to ask, as
// the device may have become Live in between.
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
// would let an unplug return while somebody else is still inside.
//
// It is inlined into its caller, which leaves room for nothing more: what is
// rare has a stand-in for its section instead of a test here.
func (g *RegistrationGuard) Exit() {
	g.section.Exit()
	g.section = spent
}

// WithGuard runs f inside a guard. It is the form that cannot leak: the guard
// exits when f returns or panics. Errors: those of [Device.RegistrationGuard],
// or f's.
func (d *Device) WithGuard(f func(dev *RegisteredDevice) error) error {
	guard, err := d.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	return f(guard.Device())
}
