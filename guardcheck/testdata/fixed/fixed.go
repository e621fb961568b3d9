// Package fixed holds what a deferred Exit puts right, and what it would not.
package fixed

import (
	"log"

	"github.com/udrm/udrm/drm"
)

func never(dev *drm.Device) error {
	guard, err := dev.RegistrationGuard() // want `guard is not exited on any path`
	if err != nil {
		return err
	}
	log.Print(guard.Device().Name())
	return nil
}

func neverIf(dev *drm.Device) {
	if guard, err := dev.RegistrationGuard(); err == nil { // want `guard is not exited on any path`
		log.Print(guard.Device().Name())
	}
}

func plainExit(dev *drm.Device) error {
	g, err := dev.RegistrationGuard() // want `g is not exited if line \d+ panics`
	if err != nil {
		return err
	}
	log.Print(g.Device().Name())
	g.Exit()
	return nil
}

func plainExits(dev *drm.Device, quick bool) {
	guard, err := dev.RegistrationGuard() // want `guard is not exited if line \d+ panics`
	if err != nil {
		return
	}
	log.Print(guard.Device().Name())
	if quick {
		guard.Exit()
		return
	}
	log.Print("slow")
	guard.Exit()
}

func oneForgotten(dev *drm.Device, quick bool) error {
	guard, err := dev.RegistrationGuard() // want `guard is not exited on the path to the return in line \d+`
	if err != nil {
		return err
	}
	if quick {
		return nil
	}
	guard.Exit() // done
	return nil
}

// The wait would then be inside the guard.
func exitBeforeWait(dev *drm.Device, done <-chan struct{}) error {
	guard, err := dev.RegistrationGuard() // want `guard is not exited if line \d+ panics`
	if err != nil {
		return err
	}
	log.Print(guard.Device().Name())
	guard.Exit()
	<-done
	return nil
}

func exitBeforeResult(dev *drm.Device, wait func() error) error {
	guard, err := dev.RegistrationGuard() // want `guard is not exited if line \d+ panics`
	if err != nil {
		return err
	}
	log.Print(guard.Device().Name())
	guard.Exit()
	return wait()
}

func loop(devices []*drm.Device) {
	for _, dev := range devices {
		guard, err := dev.RegistrationGuard() // want `guard is not exited on any path`
		if err != nil {
			return
		}
		log.Print(guard.Device().Name())
	}
}
