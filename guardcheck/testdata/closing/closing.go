// Package closing holds ends of a device inside its own guard.
package closing

import (
	"context"
	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
)

type card struct {
	dev          *drm.Device
	registration *drm.Registration
	parent       *bus.Device
}

func betweenEnterAndExit(r *drm.Registration) error {
	guard, err := r.Device().RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	return r.Close(context.Background()) // want `Close inside a guard of the device waits for that guard; exit it first`
}

// It runs before the Exit that was deferred first.
func deferredLater(r *drm.Registration) error {
	guard, err := r.Device().RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	defer r.Close(context.Background()) // want `Close inside a guard`
	return nil
}

func (c *card) fields() error {
	guard, err := c.dev.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	return c.registration.Close(context.Background()) // want `Close inside a guard`
}

func (c *card) remove() error {
	guard, err := c.dev.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	return c.parent.Remove(context.Background()) // want `Remove inside a guard`
}

func (c *card) inWithGuard() error {
	return c.dev.WithGuard(func(dev *drm.RegisteredDevice) error {
		return c.registration.Close(context.Background()) // want `Close inside a guard`
	})
}

// By way of the parent that the guard itself has led to.
func byTheParent(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	return guard.Device().Parent().Device().Unbind(context.Background()) // want `Unbind inside a guard`
}

// A reset request that takes the device away: the client asked for it.
func (c *card) reset(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	return c.registration.Close(context.Background()) // want `Close inside a guard`
}

func (c *card) unbindRequest(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	return dev.Parent().Device().Unbind(context.Background()) // want `Unbind inside a guard`
}

func (c *card) surprise(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	defer c.parent.Remove(context.Background()) // want `Remove inside a guard`
	return nil
}

func (c *card) laterButNow(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	return <-c.registration.CloseLater() // want `CloseLater inside a guard`
}

// From here on: right.

func (c *card) closeLater(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	c.registration.CloseLater()
	return nil
}

func waitOutside(r *drm.Registration) error {
	guard, err := r.Device().RegistrationGuard()
	if err != nil {
		return err
	}
	done := r.CloseLater()
	guard.Exit()
	return <-done
}

func exitFirst(r *drm.Registration) error {
	guard, err := r.Device().RegistrationGuard()
	if err != nil {
		return err
	}
	guard.Exit()
	return r.Close(context.Background())
}

// It runs after the Exit that is deferred later.
func deferredEarlier(r *drm.Registration) error {
	defer r.Close(context.Background())
	guard, err := r.Device().RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	return nil
}

func onFailure(r *drm.Registration) error {
	guard, err := r.Device().RegistrationGuard()
	if err != nil {
		return r.Close(context.Background())
	}
	defer guard.Exit()
	return nil
}

func (c *card) anotherGoroutine(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	go c.registration.Close(context.Background())
	return nil
}

func (c *card) later(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	go func() { c.registration.Close(context.Background()) }()
	return nil
}

// Unplugging one device is not delayed by a guard of another.
func another(a, b *card) error {
	guard, err := a.dev.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	return b.registration.Close(context.Background())
}

func anotherOfMany(cards []*card) error {
	return cards[0].dev.WithGuard(func(*drm.RegisteredDevice) error {
		return cards[1].registration.Close(context.Background())
	})
}

type setup struct{ first, second *card }

func (s *setup) anotherField() error {
	guard, err := s.first.dev.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	return s.second.parent.Unbind(context.Background())
}

func (c *card) afterWithGuard() error {
	if err := c.dev.WithGuard(func(*drm.RegisteredDevice) error { return nil }); err != nil {
		return err
	}
	return c.registration.Close(context.Background())
}
