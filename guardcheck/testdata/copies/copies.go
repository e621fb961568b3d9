// Package copies holds copies of guards that copylocks does not report.
package copies

import "github.com/udrm/udrm/drm"

func send(dev *drm.Device, guards chan drm.RegistrationGuard) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	guards <- guard // want `the guard is copied`
	return nil
}

func sendOrNot(dev *drm.Device, guards chan drm.RegistrationGuard) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	select { // want `the guard is copied`
	case guards <- guard:
	default:
		guard.Exit()
	}
	return nil
}

func current() *drm.RegistrationGuard { return nil }

func dereference() {
	guard := *current() // want `the guard is copied`
	guard.Exit()
}

func pointer(dev *drm.Device, guards chan *drm.RegistrationGuard) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	guards <- &guard
	return nil
}
