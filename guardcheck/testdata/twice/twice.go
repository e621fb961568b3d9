// Package twice holds guards that are exited twice.
package twice

import "github.com/udrm/udrm/drm"

func deferAndCall(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	guard.Device().Parent().Name()
	guard.Exit() // want `guard is exited twice: its Exit is deferred already`
	return nil
}

func callTwice(dev *drm.Device, early bool) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	if early {
		guard.Exit()
	}
	guard.Exit() // want `guard is exited twice on this path`
	return nil
}

func deferTwice(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	defer guard.Exit() // want `guard is exited twice: its Exit is deferred already`
	return nil
}

func deferredClosure(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	defer func() {
		guard.Exit()
	}()
	guard.Exit() // want `guard is exited twice: its Exit is deferred already`
	return nil
}

func callThenDefer(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	guard.Exit()
	defer guard.Exit() // want `guard is exited twice on this path`
	return nil
}

func inLoop(dev *drm.Device, n int) error {
	guard, err := dev.RegistrationGuard() // want `guard is not exited on the path to the return in line \d+`
	if err != nil {
		return err
	}
	for range n {
		guard.Exit() // want `guard is exited twice on this path`
	}
	return nil
}
