// Package afterexit holds uses of what a guard proves after its end.
package afterexit

import (
	"log"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
)

type regs struct{ status uint32 }

func view(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	view := guard.Device()
	guard.Exit()
	view.Parent() // want `the registered view is used after guard.Exit\(\)`
	return nil
}

func passed(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	view := guard.Device()
	guard.Exit()
	return read(view) // want `the registered view is used after guard.Exit\(\)`
}

func read(dev *drm.RegisteredDevice) error { return nil }

func logged(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	view := guard.Device()
	guard.Exit()
	log.Print("done with ", view) // want `the registered view is used after guard.Exit\(\)`
	return nil
}

func parent(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	parent := guard.Device().Parent()
	guard.Exit()
	_, err = parent.Devres().Add("late", func() {}) // want `the bound parent is used after guard.Exit\(\)`
	return err
}

func data(dev *drm.Device) (uint32, error) {
	guard, err := dev.RegistrationGuard() // want `guard is not exited if line 63 panics`
	if err != nil {
		return 0, err
	}
	r := drm.RegistrationData[*regs](guard.Device())
	guard.Exit()
	if r == nil {
		return 0, nil
	}
	return r.status, nil // want `the registration data is used after guard.Exit\(\)`
}

func guardItself(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	guard.Exit()
	log.Print(guard.Device() == nil) // want `guard is used after guard.Exit\(\)`
	return nil
}

func onOnePath(dev *drm.Device, long bool) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	view := guard.Device()
	if long {
		guard.Exit()
	}
	view.Context() // want `the registered view is used after guard.Exit\(\)`
	if !long {
		guard.Exit()
	}
	return nil
}

// What is copied out of the view is not the view.
func copiedOut(dev *drm.Device) (string, *bus.Device, error) {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return "", nil, err
	}
	view := guard.Device()
	name, parent, general := view.Name(), view.Parent().Device(), view.Device
	guard.Exit()
	log.Print(name, general.Name())
	return name, parent, nil
}

// Each turn of the loop has a view of its own.
func perTurn(dev *drm.Device, n int) error {
	for range n {
		guard, err := dev.RegistrationGuard()
		if err != nil {
			return err
		}
		guard.Device().Context()
		guard.Exit()
	}
	return nil
}

// The general device goes on.
func promoted(dev *drm.Device) (string, error) {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return "", err
	}
	view := guard.Device()
	guard.Exit()
	return view.Name(), nil
}
