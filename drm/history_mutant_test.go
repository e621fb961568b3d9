package drm_test

import (
	"math/rand/v2"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/udrm/udrm/drm"
)

// A historyMutation is a fault in the implementation that histories are
// recorded of.
type historyMutation struct {
	enter             func(dev *drm.Device) (exit func(), err error)
	closeWithoutDrain bool // the end of a registration does not wait
	hardwareGoesFirst bool // the registration is not the newest resource of the parent
}

func noExit() {}

// instead replaces an outcome by another one, now and then.
func instead(of error, exit func(), err error) func(*drm.Device) (func(), error) {
	return func(dev *drm.Device) (func(), error) {
		realExit, realErr := realEnter(dev)
		if realErr != of || rand.IntN(4) != 0 {
			return realExit, realErr
		}
		if realErr == nil {
			realExit()
		}
		return exit, err
	}
}

// The histories and their specification are worth nothing if a device that is
// wrong passes: each of these faults must be seen.
func TestHistoriesShowFaults(t *testing.T) {
	for _, fault := range []struct {
		name string
		historyMutation
	}{
		{"close returns without the drain", historyMutation{closeWithoutDrain: true}},
		{"the hardware goes before the drain", historyMutation{hardwareGoesFirst: true}},
		{"a guard is had after the close", historyMutation{enter: instead(drm.ErrUnplugged, noExit, nil)}},
		{"a guard is had before the registration", historyMutation{enter: instead(drm.ErrNotRegistered, noExit, nil)}},
		{"a guard guards nothing", historyMutation{enter: instead(nil, noExit, nil)}},
		{"a live device is not registered", historyMutation{enter: instead(nil, nil, drm.ErrNotRegistered)}},
		{"a live device is unplugged", historyMutation{enter: instead(nil, nil, drm.ErrUnplugged)}},
		{"a device that is not registered yet is unplugged", historyMutation{enter: instead(drm.ErrNotRegistered, nil, drm.ErrUnplugged)}},
		{"an unplugged device is not registered yet", historyMutation{enter: instead(drm.ErrUnplugged, nil, drm.ErrNotRegistered)}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			for n := range 200 {
				if result, why := checkHistory(recordHistory(t, fault.historyMutation)); result == porcupine.Illegal {
					t.Logf("seen in history %d:\n%s", n+1, why)
					return
				}
			}
			t.Error("no history shows it")
		})
	}
}
