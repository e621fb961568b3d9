// Package programs holds longer pieces that are right, as they are found in
// drivers and daemons: nothing here is reported.
package programs

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
)

type regs struct {
	mu   sync.Mutex
	list []int
	buf  [4]*int
	next *regs
	cb   func()
}

type card struct {
	mu     sync.Mutex
	dev    *drm.Device
	regs   []*regs
	info   any
	wg     sync.WaitGroup
	stop   chan struct{}
	events chan func()
}

// A worker takes a guard for each turn.
func (c *card) worker(ctx context.Context) {
	defer c.wg.Done()
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := c.tick(); err != nil {
			slog.Error("tick", "err", err)
			return
		}
	}
}

func (c *card) tick() error {
	return c.dev.WithGuard(func(dev *drm.RegisteredDevice) error {
		r := drm.RegistrationData[*regs](dev)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.list = append(r.list, 1)
		r.next = r
		r.cb = func() { _ = r.list }
		return nil
	})
}

// Registration data may lead to registration data.
func (c *card) dataIntoData(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	a := drm.RegistrationData[*regs](dev)
	b := &regs{next: a}
	a.next = b
	return nil
}

func iterGuards(devs iter.Seq[*drm.Device]) error {
	for d := range devs {
		if err := func() error {
			g, err := d.RegistrationGuard()
			if err != nil {
				return fmt.Errorf("x: %w", err)
			}
			defer g.Exit()
			for p := range func(yield func(int) bool) { yield(1) } {
				if p > 0 {
					return g.Device().Context().Err()
				}
			}
			return nil
		}(); err != nil {
			return err
		}
	}
	return nil
}

func viewInRange(dev *drm.RegisteredDevice, seq iter.Seq[int]) *bus.BoundDevice {
	var p *bus.BoundDevice
	for i := range seq {
		if i == 3 {
			p = dev.Parent()
		}
	}
	return p
}

func guardInRange(d *drm.Device, seq iter.Seq[int]) (int, error) {
	g, err := d.RegistrationGuard()
	if err != nil {
		return 0, err
	}
	defer g.Exit()
	n := 0
	for i := range seq {
		v := g.Device()
		if v.Parent().Bound() {
			n += i
		}
		if i > 10 {
			return n, nil
		}
	}
	return n, nil
}

func timeoutCtx(d *drm.Device) error {
	g, err := d.RegistrationGuard()
	if err != nil {
		return err
	}
	defer g.Exit()
	ctx, cancel := context.WithTimeout(g.Device().Context(), time.Second)
	defer cancel()
	<-ctx.Done()
	return nil
}

func keepCtx(d *drm.Device) (context.Context, error) {
	g, err := d.RegistrationGuard()
	if err != nil {
		return nil, err
	}
	defer g.Exit()
	return g.Device().Context(), nil
}

func lockThenGuard(c *card) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, err := c.dev.RegistrationGuard()
	if err != nil {
		return
	}
	defer func() {
		g.Exit()
		if err != nil {
			err = fmt.Errorf("in guard: %w", err)
		}
	}()
	_, err = fmt.Println(g.Device())
	return
}

func selectLoop(c *card) {
	for {
		g, err := c.dev.RegistrationGuard()
		switch err {
		case nil:
		case drm.ErrUnplugged:
			return
		default:
			continue
		}
		select {
		case <-g.Device().Context().Done():
			g.Exit()
			return
		case f := <-c.events:
			_ = f
		}
		g.Exit()
	}
}

func errVar(c *card) {
	var (
		g   drm.RegistrationGuard
		err error
	)
	if g, err = c.dev.RegistrationGuard(); err != nil {
		return
	}
	defer g.Exit()
}

func once(c *card) error {
	g, err := c.dev.RegistrationGuard()
	if err != nil {
		return err
	}
	exit := sync.OnceFunc(g.Exit)
	defer exit()
	if c.info == nil {
		exit()
		return nil
	}
	return nil
}

func twoErrors(c *card) error {
	x, err1 := c.dev.RegistrationGuard()
	y, err2 := c.dev.RegistrationGuard()
	if err1 != nil || err2 != nil {
		if err1 == nil {
			x.Exit()
		}
		if err2 == nil {
			y.Exit()
		}
		return fmt.Errorf("%v %v", err1, err2)
	}
	defer x.Exit()
	defer y.Exit()
	return nil
}

func nilCheckOther(c *card) error {
	g, err := c.dev.RegistrationGuard()
	if err == nil {
		defer g.Exit()
		if drm.RegistrationData[*regs](g.Device()) == nil {
			err = drm.ErrUnplugged
		}
	}
	if err != nil {
		return err
	}
	return g.Device().Context().Err()
}

func retries(c *card) (err error) {
	for range 3 {
		var g drm.RegistrationGuard
		if g, err = c.dev.RegistrationGuard(); err == nil {
			defer g.Exit()
			return use(g.Device())
		}
	}
	return err
}

func use(*drm.RegisteredDevice) error { return nil }

func outerVar(c *card) error {
	var g drm.RegistrationGuard
	var err error
	for range 3 {
		g, err = c.dev.RegistrationGuard()
		if err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	defer g.Exit()
	return use(g.Device())
}

type visitor struct{ dev *drm.RegisteredDevice }

func (v visitor) visit(int) {}

func visits(dev *drm.RegisteredDevice, each func(interface{ visit(int) })) {
	each(visitor{dev})
	v := visitor{dev: dev}
	each(&v)
	fs := map[string]func(){"a": func() { use(dev) }}
	for _, f := range fs {
		f()
	}
	table := []struct {
		name string
		f    func(*drm.RegisteredDevice) error
		dev  *drm.RegisteredDevice
	}{{"x", use, dev}}
	for _, row := range table {
		row.f(row.dev)
	}
}

func recursive(dev *drm.RegisteredDevice, n int) {
	type node struct {
		dev  *drm.RegisteredDevice
		next *node
	}
	var head *node
	for range n {
		head = &node{dev, head}
	}
	for p := head; p != nil; p = p.next {
		use(p.dev)
	}
}

// Registration data that is a number may be kept: it owns nothing.
func number(dev *drm.RegisteredDevice, out *struct{ degrees int32 }) {
	out.degrees = drm.RegistrationData[int32](dev)
}
