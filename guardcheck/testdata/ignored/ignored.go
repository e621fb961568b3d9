// Package ignored holds what is wrong on purpose, and says so.
package ignored

import "github.com/udrm/udrm/drm"

var kept *drm.RegisteredDevice

func twice(dev *drm.Device) {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return
	}
	guard.Exit()
	//lint:ignore guardcheck a second Exit must panic
	guard.Exit()
}

func sameLine(dev *drm.RegisteredDevice) {
	kept = dev //lint:ignore guardcheck,SA4006 used after the end, to see it caught
}

func otherCheck(dev *drm.RegisteredDevice) {
	//lint:ignore SA4006 not ours
	kept = dev // want `the registered view escapes its guard`
}

func withoutReason(dev *drm.RegisteredDevice) {
	//lint:ignore guardcheck
	kept = dev // want `the registered view escapes its guard`
}
