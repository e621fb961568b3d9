// Package leak holds guards that stay open.
package leak

import (
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

type regs struct{ control, status uint32 }

func (r *regs) reset() { r.control = 1 }

func never(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard() // want `guard is not exited on any path, and an unplug will wait for ever: defer guard.Exit\(\) where the error has been checked`
	if err != nil {
		return err
	}
	drm.RegistrationData[*regs](guard.Device()).reset()
	return nil
}

func neverIfElse(dev *drm.Device) {
	if guard, err := dev.RegistrationGuard(); err != nil { // want `guard is not exited on any path`
		log.Print(err)
	} else {
		drm.RegistrationData[*regs](guard.Device()).reset()
	}
}

// must is how tests and tools check errors.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func neverAfterMust(dev *drm.Device) {
	guard, err := dev.RegistrationGuard() // want `guard is not exited on any path`
	must(err)
	drm.RegistrationData[*regs](guard.Device()).reset()
}

func earlyReturn(dev *drm.Device, value uint32) error {
	guard, err := dev.RegistrationGuard() // want `guard is not exited on the path to the return in line \d+`
	if err != nil {
		return err
	}
	if value > 4095 {
		return unix.EINVAL
	}
	drm.RegistrationData[*regs](guard.Device()).control = value
	guard.Exit()
	return nil
}

func inOneCase(dev *drm.Device, request int) (err error) {
	guard, err := dev.RegistrationGuard() // want `guard is not exited on the path to the return in line \d+`
	if err != nil {
		return err
	}
	switch request {
	case 0:
		drm.RegistrationData[*regs](guard.Device()).control = 0
		guard.Exit()
	case 1:
		drm.RegistrationData[*regs](guard.Device()).control = 1
		guard.Exit()
	default:
		err = fmt.Errorf("request %d: %w", request, unix.ENOTTY)
	}
	return err
}

func endOfFunction(dev *drm.Device, quiet bool) {
	guard, err := dev.RegistrationGuard() // want `guard is not exited on the path to the end of the function`
	if err != nil {
		return
	}
	if !quiet {
		guard.Exit()
	}
}

func explicitPanic(dev *drm.Device, value uint32) {
	guard, err := dev.RegistrationGuard() // want `guard is not exited on the path to the panic in line \d+`
	if err != nil {
		return
	}
	if value == 0 {
		panic("no value")
	}
	guard.Exit()
}

// What handlers of a compositor look like: the call in the middle can panic.
func plainExit(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard() // want `guard is not exited if line \d+ panics, and an unplug will wait for ever: defer guard.Exit\(\)`
	if err != nil {
		return err
	}
	log.Print("flip on ", guard.Device().Name())
	guard.Exit()
	return nil
}

func assertionPanics(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard() // want `guard is not exited if line \d+ panics`
	if err != nil {
		return err
	}
	drm.RegistrationData[*regs](guard.Device()).control = 1
	guard.Exit()
	return nil
}

func loop(devices []*drm.Device) {
	for _, dev := range devices {
		guard, err := dev.RegistrationGuard() // want `guard is not exited before the loop enters the next one`
		if err != nil {
			continue
		}
		r := drm.RegistrationData[*regs](guard.Device())
		if r == nil {
			continue
		}
		r.status = 0
		guard.Exit()
	}
}

func deferInLoop(devices []*drm.Device) {
	for _, dev := range devices {
		guard, err := dev.RegistrationGuard() // want `defer guard.Exit\(\) in a loop`
		if err != nil {
			continue
		}
		defer guard.Exit()
		log.Print(guard.Device().Name())
	}
}

func retry(dev *drm.Device) error {
	for {
		guard, err := dev.RegistrationGuard() // want `guard is not exited on any path`
		if errors.Is(err, drm.ErrNotRegistered) {
			time.Sleep(time.Millisecond)
			continue
		}
		if err != nil {
			return err
		}
		return use(guard.Device())
	}
}

func use(dev *drm.RegisteredDevice) error {
	drm.RegistrationData[*regs](dev).reset()
	return nil
}

func twoInOneVariable(a, b *drm.Device) error {
	guard, err := a.RegistrationGuard() // want `guard is not exited before line \d+ puts another guard in its place`
	if err != nil {
		return err
	}
	guard, err = b.RegistrationGuard()
	if err != nil {
		return err
	}
	guard.Exit()
	return nil
}

// The deferred Exit is one of the variable: it exits b's guard, twice.
func twoDeferred(a, b *drm.Device) error {
	guard, err := a.RegistrationGuard() // want `guard is not exited before line \d+ puts another guard in its place`
	if err != nil {
		return err
	}
	defer guard.Exit()
	guard, err = b.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	return nil
}

func closureDoesNotExit(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard() // want `guard is not exited on any path`
	if err != nil {
		return err
	}
	defer func() { log.Print("done with ", guard.Device().Name()) }()
	return nil
}

func gotoOut(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard() // want `guard is not exited on the path to the return in line \d+`
	if err != nil {
		goto out
	}
	if drm.RegistrationData[*regs](guard.Device()) == nil {
		err = os.ErrInvalid
		goto out
	}
	guard.Exit()
out:
	return err
}

func mustEnter(dev *drm.Device) drm.RegistrationGuard {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		panic(err)
	}
	return guard
}

func certain(dev *drm.Device, quick bool) {
	guard := mustEnter(dev) // want `guard is not exited on the path to the return in line \d+`
	if quick {
		return
	}
	guard.Exit()
}
