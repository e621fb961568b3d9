// Package escape holds views, bound parents and registration data that
// outlive their guard.
package escape

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
)

type regs struct{ status uint32 }

type plane struct{ dev *drm.RegisteredDevice }

type card struct {
	dev     *drm.RegisteredDevice
	parent  *bus.BoundDevice
	regs    *regs
	any     any
	views   []*drm.RegisteredDevice
	byName  map[string]*drm.RegisteredDevice
	plane   *plane
	vblank  func()
	pending chan *drm.RegisteredDevice
}

var current *drm.RegisteredDevice

// A part that keeps what it gets when it is opened is the mistake of a driver
// that comes from reference-counted devices.
func (c *card) Open(dev *drm.RegisteredDevice, f *drm.File) (any, error) {
	c.dev = dev // want `the registered view escapes its guard: it is stored in field dev; keep the Device, and take a guard when it is needed`
	return nil, nil
}

func (c *card) keepParent(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	c.parent = dev.Parent() // want `the bound parent escapes its guard: it is stored in field parent`
	return nil
}

func (c *card) keepData(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	c.regs = drm.RegistrationData[*regs](dev) // want `the registration data escapes its guard: it is stored in field regs`
	return nil
}

func (c *card) keepDataOk(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	if r := drm.RegistrationData[*regs](dev); r != nil {
		c.regs = r // want `the registration data escapes its guard`
	}
	return nil
}

// keepNumber keeps a number, which leads to nothing of the registration.
func (c *card) keepNumber(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	*arg = drm.RegistrationData[uint32](dev)
	return nil
}

func (c *card) keepInterface(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	c.any = dev // want `the registered view escapes its guard: it is stored in field any`
	return nil
}

func global(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	current = guard.Device() // want `the registered view escapes its guard: it is stored in package variable current`
	return nil
}

func (c *card) inMap(dev *drm.RegisteredDevice) error {
	c.byName[dev.Name()] = dev // want `it is stored in a map`
	return nil
}

func (c *card) inSlice(dev *drm.RegisteredDevice) error {
	c.views[0] = dev // want `it is stored in an element of a slice`
	return nil
}

func (c *card) appended(dev *drm.RegisteredDevice) error {
	c.views = append(c.views, dev) // want `it is stored in field views`
	return nil
}

func (c *card) inNewStruct(dev *drm.RegisteredDevice) error {
	p := &plane{dev: dev}
	c.plane = p // want `it is stored in field plane`
	return nil
}

func (c *card) inStructOfFile(dev *drm.RegisteredDevice, f *drm.File, part drm.Part) error {
	p := drm.FileState[*plane](f, part)
	p.dev = dev // want `it is stored in field dev`
	return nil
}

func fill(dev *drm.RegisteredDevice, out **drm.RegisteredDevice) {
	*out = dev // want `it is stored in memory behind`
}

func send(dev *drm.RegisteredDevice, work chan<- *drm.RegisteredDevice) error {
	work <- dev // want `it is sent on a channel`
	return nil
}

func (c *card) trySend(dev *drm.RegisteredDevice, req *drm.Request) error {
	select { // want `it is sent on a channel`
	case c.pending <- dev:
	case <-req.Context().Done():
	}
	return nil
}

func sendInStruct(dev *drm.RegisteredDevice, work chan<- plane) error {
	work <- plane{dev} // want `it is sent on a channel`
	return nil
}

func flip(dev *drm.RegisteredDevice) {}

func goroutine(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	go flip(dev) // want `it is used by a goroutine that the function does not wait for`
	return nil
}

func goroutineClosure(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	go func() { // want `it is used by a goroutine that the function does not wait for`
		flip(dev)
	}()
	return nil
}

// The wait can end before the goroutine does.
func goroutineOrInterrupt(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	done := make(chan struct{})
	go func() { // want `it is used by a goroutine that the function does not wait for`
		defer close(done)
		flip(dev)
	}()
	select {
	case <-done:
		return nil
	case <-req.Context().Done():
		return context.Cause(req.Context())
	}
}

func goroutineInWithGuard(dev *drm.Device) error {
	return dev.WithGuard(func(dev *drm.RegisteredDevice) error {
		go flip(dev) // want `it is used by a goroutine that the function does not wait for`
		return nil
	})
}

// The goroutine uses the guard, and this function exits it.
func goroutineOfGuard(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	go func() { // want `it is used by a goroutine that the function does not wait for`
		flip(guard.Device())
	}()
	return nil
}

func waitGroupGo(dev *drm.RegisteredDevice, wg *sync.WaitGroup) error {
	wg.Go(func() { flip(dev) }) // want `it is used by a goroutine that the function does not wait for`
	return nil
}

func errgroupGo(dev *drm.RegisteredDevice, g *errgroup.Group) error {
	g.Go(func() error { flip(dev); return nil }) // want `it is used by a goroutine that the function does not wait for`
	return nil
}

// Stop does not wait for a callback that is running.
func timer(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	t := time.AfterFunc(time.Second/60, func() { flip(dev) }) // want `it is used by a callback that may run later; take a guard in the callback`
	defer t.Stop()
	<-req.Context().Done()
	return nil
}

func afterContext(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	context.AfterFunc(req.Context(), func() { flip(dev) }) // want `it is used by a callback that may run later`
	return nil
}

func (c *card) callback(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	c.vblank = func() { flip(dev) } // want `it is stored in field vblank`
	return nil
}

func (c *card) methodValue(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	c.any = dev.Context // want `it is stored in field any`
	return nil
}

func returned(dev *drm.Device) (*drm.RegisteredDevice, error) {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return nil, err
	}
	defer guard.Exit()
	return guard.Device(), nil // want `the registered view escapes its guard: it is returned by the function that opened the guard`
}

func returnedParent(dev *drm.Device) *bus.BoundDevice {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return nil
	}
	defer guard.Exit()
	return guard.Device().Parent() // want `the bound parent escapes its guard: it is returned`
}

func returnedInStruct(dev *drm.Device) (*plane, error) {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return nil, err
	}
	defer guard.Exit()
	return &plane{dev: guard.Device()}, nil // want `it is returned`
}

func returnedNamed(dev *drm.Device) (view *drm.RegisteredDevice, err error) {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return nil, err
	}
	defer guard.Exit()
	view = guard.Device()
	return // want `it is returned`
}

func returnedClosure(dev *drm.Device) func() {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return nil
	}
	defer guard.Exit()
	view := guard.Device()
	return func() { flip(view) } // want `it is returned`
}

func outOfWithGuard(dev *drm.Device) *drm.RegisteredDevice {
	var view *drm.RegisteredDevice
	_ = dev.WithGuard(func(dev *drm.RegisteredDevice) error {
		view = dev // want `it is stored in captured variable view`
		return nil
	})
	return view
}

func dataOutOfWithGuard(dev *drm.Device) (uint32, error) {
	var r *regs
	err := dev.WithGuard(func(dev *drm.RegisteredDevice) error {
		r = drm.RegistrationData[*regs](dev) // want `the registration data escapes its guard: it is stored in captured variable r`
		return nil
	})
	return r.status, err
}

func structOutOfWithGuard(dev *drm.Device) error {
	var c card
	return dev.WithGuard(func(dev *drm.RegisteredDevice) error {
		c.parent = dev.Parent() // want `the bound parent escapes its guard: it is stored in field parent`
		return nil
	})
}

func (c *card) inConditional(dev *drm.RegisteredDevice, first bool) {
	var target *card
	if first {
		target = &card{}
	} else {
		target = c
	}
	target.dev = dev // want `it is stored in field dev`
}

func inClosure(dev *drm.RegisteredDevice, each func(func(string))) {
	each(func(name string) {
		current = dev // want `it is stored in package variable current`
	})
}

// A closure makes p a variable in memory.
func (c *card) inCapturedPointer(dev *drm.RegisteredDevice, f *drm.File, part drm.Part) error {
	p := drm.FileState[*plane](f, part)
	defer func() { p.dev = nil }()
	p.dev = dev // want `it is stored in field dev`
	return nil
}

func (c *card) behindLocal(dev *drm.RegisteredDevice) error {
	local := struct{ card *card }{c}
	local.card.dev = dev // want `it is stored in field dev`
	return nil
}

func (c *card) inLocalAlias(dev *drm.RegisteredDevice, each func(func())) error {
	views := c.views
	each(func() { _ = views })
	views[0] = dev // want `it is stored in an element of a slice`
	return nil
}
