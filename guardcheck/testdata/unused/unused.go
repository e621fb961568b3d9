// Package unused holds guards, and errors of guards, that nobody looks at.
package unused

import (
	"errors"
	"log"

	"github.com/udrm/udrm/drm"
)

func statement(dev *drm.Device) {
	dev.RegistrationGuard() // want `the guard is dropped, so nothing can exit it`
}

func blank(dev *drm.Device) error {
	_, err := dev.RegistrationGuard() // want `the guard is dropped`
	return err
}

// A point check, as with drm_dev_is_unplugged.
func pointCheck(dev *drm.Device, regs []uint32) error {
	if _, err := dev.RegistrationGuard(); err != nil { // want `the guard is dropped`
		return err
	}
	regs[0] = 1
	return nil
}

func bothBlank(dev *drm.Device) {
	_, _ = dev.RegistrationGuard() // want `the guard is dropped`
}

func onlyNamed(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard() // want `the guard is dropped`
	if err != nil {
		return err
	}
	_ = guard
	return nil
}

// Meant was: guard, err := …; defer guard.Exit().
func deferredEnter(dev *drm.Device) {
	defer dev.RegistrationGuard() // want `the guard is dropped`
}

func inGoroutine(dev *drm.Device) {
	go dev.RegistrationGuard() // want `the guard is dropped`
}

func errorBlank(dev *drm.Device) string {
	guard, _ := dev.RegistrationGuard() // want `the error is not checked`
	defer guard.Exit()
	return guard.Device().Name()
}

func errorOverwritten(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard() // want `the error is not checked`
	defer guard.Exit()
	_, err = log.Writer().Write(nil)
	return err
}

// The order that defer invites to.
func deferBeforeCheck(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	defer guard.Exit() // want `guard.Exit\(\) before its error is checked`
	if err != nil {
		return err
	}
	return nil
}

func useBeforeCheck(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	view := guard.Device() // want `guard is used before its error is checked`
	if err != nil {
		return err
	}
	defer guard.Exit()
	log.Print(view.Parent().Name())
	return nil
}

func loggedOnly(dev *drm.Device) {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		log.Print(err)
	}
	defer guard.Exit() // want `guard.Exit\(\) where the error is not nil`
}

func wrongWayRound(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard() // want `guard is not exited on the path to the return in line \d+`
	if err == nil {
		return nil
	}
	log.Print(guard.Device().Name()) // want `guard is used where its error is not nil`
	guard.Exit()
	return err
}

func onlyOneError(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if errors.Is(err, drm.ErrUnplugged) {
		guard.Exit() // want `guard.Exit\(\) where the error is not nil`
		return err
	}
	if err != nil {
		return err
	}
	defer guard.Exit()
	return nil
}

// A driver's own way to enter is held to the same.
type card struct{ dev *drm.Device }

func (c *card) enter() (drm.RegistrationGuard, error) { return c.dev.RegistrationGuard() }

func (c *card) ownEnter() {
	guard, err := c.enter()
	defer guard.Exit() // want `guard.Exit\(\) before its error is checked`
	log.Print(err)
}

func (c *card) ownEnterDropped() {
	c.enter() // want `the guard is dropped`
}
