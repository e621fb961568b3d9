// Package inside holds what is right: nothing here is reported.
package inside

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
)

type regs struct{ control, status uint32 }

func (r *regs) write(v uint32) error { r.control = v; return nil }

// The common form.
func common(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	return drm.RegistrationData[*regs](guard.Device()).write(1)
}

func closureForm(dev *drm.Device) (status uint32, err error) {
	err = dev.WithGuard(func(dev *drm.RegisteredDevice) error {
		status = drm.RegistrationData[*regs](dev).status
		return nil
	})
	return status, err
}

func ifForm(dev *drm.Device) {
	if guard, err := dev.RegistrationGuard(); err == nil {
		defer guard.Exit()
		guard.Device().Parent().Name()
	}
}

func ifElseForm(dev *drm.Device) error {
	if guard, err := dev.RegistrationGuard(); err != nil {
		return err
	} else {
		defer guard.Exit()
		return drm.RegistrationData[*regs](guard.Device()).write(1)
	}
}

func switchForm(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	switch {
	case errors.Is(err, drm.ErrNotRegistered):
		return nil
	case err != nil:
		return err
	}
	defer guard.Exit()
	return drm.RegistrationData[*regs](guard.Device()).write(1)
}

func onlyUnplugged(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if errors.Is(err, drm.ErrUnplugged) || errors.Is(err, drm.ErrNotRegistered) {
		return err
	}
	defer guard.Exit()
	return drm.RegistrationData[*regs](guard.Device()).write(1)
}

func asErrno(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if errno := drm.Errno(err); errno != 0 {
		return errno
	}
	defer guard.Exit()
	return nil
}

// With or without a guard, as when a file is closed.
func release(dev *drm.Device, part drm.FilePart, f *drm.File) {
	guard, err := dev.RegistrationGuard()
	var view *drm.RegisteredDevice
	if err == nil {
		defer guard.Exit()
		view = guard.Device()
	}
	part.Release(view, f)
}

func byTheView(dev *drm.Device) {
	var view *drm.RegisteredDevice
	guard, err := dev.RegistrationGuard()
	if err == nil {
		view = guard.Device()
	}
	if view != nil {
		view.Context()
		guard.Exit()
	}
}

func byAFlag(dev *drm.Device) {
	entered := false
	guard, err := dev.RegistrationGuard()
	if err == nil {
		entered = true
	}
	if entered {
		guard.Exit()
	}
}

func byTheErrorAgain(dev *drm.Device) {
	guard, err := dev.RegistrationGuard()
	if err == nil {
		guard.Device().Context()
	}
	if err == nil {
		guard.Exit()
	}
}

func byABool(dev *drm.Device, wanted bool) {
	guard, err := dev.RegistrationGuard()
	live := err == nil && wanted
	if err == nil && !wanted {
		guard.Exit()
	}
	if live {
		defer guard.Exit()
	}
}

// A named result that a deferred function may replace.
func namedResult(dev *drm.Device) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v: %w", p, unix.EIO)
		}
	}()
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	err = drm.RegistrationData[*regs](guard.Device()).write(1)
	return err
}

func deferredClosure(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	defer func() {
		guard.Exit()
		log.Print("exited")
	}()
	return nil
}

// Exits unless somebody else has got it by then.
func deferredUnless(dev *drm.Device, keep func(*drm.RegistrationGuard) bool) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	kept := false
	defer func() {
		if !kept {
			guard.Exit()
		}
	}()
	kept = keep(&guard)
	return nil
}

// What comes between cannot panic.
func shortSection(dev *drm.Device, count *atomic.Int64) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	count.Add(1)
	guard.Exit()
	return nil
}

func polling(ctx context.Context, dev *drm.Device, ticks <-chan struct{}, count *atomic.Int64) {
	for {
		select {
		case <-ticks:
			guard, err := dev.RegistrationGuard()
			if err != nil {
				return
			}
			count.Add(1)
			guard.Exit()
		case <-ctx.Done():
			return
		}
	}
}

func everyDevice(devices []*drm.Device) {
	for _, dev := range devices {
		func() {
			guard, err := dev.RegistrationGuard()
			if err != nil {
				return
			}
			defer guard.Exit()
			log.Print(guard.Device().Name())
		}()
	}
}

// The loop ends with the guard.
func firstLive(devices []*drm.Device) error {
	for _, dev := range devices {
		guard, err := dev.RegistrationGuard()
		if err != nil {
			continue
		}
		defer guard.Exit()
		return drm.RegistrationData[*regs](guard.Device()).write(1)
	}
	return drm.ErrUnplugged
}

func twoDevices(a, b *drm.Device) error {
	first, err := a.RegistrationGuard()
	if err != nil {
		return err
	}
	defer first.Exit()
	second, err := b.RegistrationGuard()
	if err != nil {
		return err
	}
	defer second.Exit()
	return nil
}

func oneOfTwo(a, b *drm.Device, second bool) (err error) {
	var guard drm.RegistrationGuard
	if second {
		guard, err = b.RegistrationGuard()
	} else {
		guard, err = a.RegistrationGuard()
	}
	if err != nil {
		return err
	}
	defer guard.Exit()
	return nil
}

func fatal(dev *drm.Device) {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		log.Fatal(err)
	}
	defer guard.Exit()
	if drm.RegistrationData[*regs](guard.Device()) == nil {
		os.Exit(1)
	}
}

// Handing over.

func exits(guard *drm.RegistrationGuard) { guard.Exit() }

func handOver(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	exits(&guard)
	return nil
}

func toGoroutine(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	view := guard.Device()
	go func() {
		defer guard.Exit()
		flip(view)
	}()
	return nil
}

func flip(dev *drm.RegisteredDevice) {}

func enter(dev *drm.Device) (drm.RegistrationGuard, error) { return dev.RegistrationGuard() }

func enterLogged(dev *drm.Device) (view *drm.RegisteredDevice, exit func(), err error) {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return nil, nil, err
	}
	log.Print("entered")
	return guard.Device(), guard.Exit, nil
}

func cleanup(dev *drm.Device, later func(func())) error {
	guard, err := enter(dev)
	if err != nil {
		return err
	}
	later(guard.Exit)
	return nil
}

type session struct{ guard drm.RegistrationGuard }

func (s *session) begin(dev *drm.Device) (err error) {
	s.guard, err = dev.RegistrationGuard()
	return err
}

func (s *session) end() { s.guard.Exit() }

func newSession(dev *drm.Device) (*session, error) {
	s := new(session)
	if err := s.begin(dev); err != nil {
		return nil, err
	}
	return s, nil
}

func byPointer(dev *drm.Device) (*drm.RegistrationGuard, error) {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return nil, err
	}
	return &guard, nil
}

// Views that stay inside.

type card struct {
	dev    *drm.Device
	parent *bus.Device
	name   string
	status uint32
}

type update struct {
	dev  *drm.RegisteredDevice
	regs *regs
	n    int
}

func (u *update) commit() error { return u.regs.write(uint32(u.n)) }

func newUpdate(n int) *update { return &update{n: n} }

func (c *card) handler(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	if err := c.check(dev, *arg); err != nil {
		return err
	}
	return drm.RegistrationData[*regs](dev).write(*arg)
}

func (c *card) check(dev *drm.RegisteredDevice, v uint32) error {
	if v > 1 {
		return fmt.Errorf("%s: %d: %w", dev.Name(), v, unix.EINVAL)
	}
	return nil
}

// What may be kept.
func (c *card) keep(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	c.dev = dev.Device
	c.parent = dev.Parent().Device()
	c.name = dev.Name()
	c.status = drm.RegistrationData[*regs](dev).status
	return nil
}

func localStruct(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	u := &update{dev: dev, regs: drm.RegistrationData[*regs](dev)}
	return u.commit()
}

func (c *card) localStructParts(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	u := update{dev: dev, n: 3}
	c.status = uint32(u.n)
	return nil
}

func constructed(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	u := newUpdate(1)
	u.dev, u.regs = dev, drm.RegistrationData[*regs](dev)
	return u.commit()
}

func localSlice(dev *drm.RegisteredDevice, n int) error {
	var updates []update
	for i := range n {
		updates = append(updates, update{dev: dev, regs: drm.RegistrationData[*regs](dev), n: i})
	}
	for _, u := range updates {
		if err := u.commit(); err != nil {
			return err
		}
	}
	return nil
}

func localMap(dev *drm.RegisteredDevice, names []string) int {
	seen := make(map[string]*drm.RegisteredDevice)
	for _, name := range names {
		seen[name] = dev
	}
	return len(seen)
}

// Returned to where the guard is.
func parentOf(dev *drm.RegisteredDevice) *bus.BoundDevice { return dev.Parent() }

func regsOf(dev *drm.RegisteredDevice) (*regs, error) {
	r := drm.RegistrationData[*regs](dev)
	if r == nil {
		return nil, unix.EINVAL
	}
	return r, nil
}

func valueReturned(dev *drm.Device) (string, error) {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return "", err
	}
	defer guard.Exit()
	return guard.Device().Parent().Name(), nil
}

func generalReturned(dev *drm.Device) (*drm.Device, error) {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return nil, err
	}
	defer guard.Exit()
	return guard.Device().Device, nil
}

func closureInside(dev *drm.RegisteredDevice, each func(func(int) error) error) error {
	var last *drm.RegisteredDevice
	err := each(func(i int) error {
		last = dev
		return drm.RegistrationData[*regs](dev).write(uint32(i))
	})
	if last != nil {
		flip(last)
	}
	return err
}

// Goroutines that end inside the guard.

func waited(dev *drm.RegisteredDevice, n int) error {
	var wg sync.WaitGroup
	for range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			flip(dev)
		}()
	}
	wg.Wait()
	return nil
}

func waitedGo(dev *drm.RegisteredDevice, n int) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for range n {
		wg.Go(func() { flip(dev) })
	}
	return nil
}

func waitedErrgroup(dev *drm.RegisteredDevice) error {
	var g errgroup.Group
	g.Go(func() error { flip(dev); return nil })
	return g.Wait()
}

func waitedChannel(dev *drm.RegisteredDevice) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		flip(dev)
	}()
	<-done
}

// Outliving it with a guard of its own.
func ownGuard(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	general := dev.Device
	go func() {
		guard, err := general.RegistrationGuard()
		if err != nil {
			return
		}
		defer guard.Exit()
		flip(guard.Device())
	}()
	return nil
}

// A part that the core calls with a guard or without.
func (c *card) Release(dev *drm.RegisteredDevice, f *drm.File, state any) {
	if dev == nil {
		return
	}
	flip(dev)
}

// Registering, and ending it, outside of any guard.
func probe(parent *bus.BoundDevice, class *drm.Class, driver *drm.Driver) error {
	u, err := drm.NewDevice(class, driver, parent, nil)
	if err != nil {
		return err
	}
	r, err := u.Register(&regs{})
	if err != nil {
		return err
	}
	return r.Close(context.Background())
}

func generic[T any](dev *drm.Device, f func(*T) error) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	data := drm.RegistrationData[*T](guard.Device())
	if data == nil {
		return unix.EINVAL
	}
	return f(data)
}

func rangeOver(dev *drm.Device, cards func(func(int) bool)) error {
	for i := range cards {
		guard, err := dev.RegistrationGuard()
		if err != nil {
			return err
		}
		guard.Exit()
		if i > 3 {
			return nil
		}
	}
	return nil
}
