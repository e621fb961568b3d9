package conformance

import (
	"slices"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vgem"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
)

// TestDevicesWithLess runs all cases whose needs are met on devices with fewer
// features. They check that such a device refuses what it lacks.
func TestDevicesWithLess(t *testing.T) {
	for _, tc := range []struct {
		name   string
		driver func(class *drm.Class) *bus.Driver
		lacks  Needs
		least  int // cases
	}{
		{"vgem", func(class *drm.Class) *bus.Driver { return vgem.NewDriver(class).BusDriver() },
			NeedModeset | NeedFbdev | NeedSyncobj | NeedOther, 40},
		{"the kernel's vkms", func(class *drm.Class) *bus.Driver { return vkms.NewDriver(class, vkms.DefaultConfig()).BusDriver() },
			NeedSyncobj | NeedRender | NeedOverlay | NeedPlanar | NeedTwoCRTCs | NeedOther |
				NeedEDID | NeedDisconnected | NeedHub, 140},
	} {
		t.Run(tc.name, func(t *testing.T) {
			drmtest.NoLeaks(t)
			class := drm.NewClass(drm.ClassOptions{})
			driver := tc.driver(class)
			dev := drmtest.Bind(t, bus.New("platform"), "device", driver)
			cases := slices.DeleteFunc(Cases(), func(c Case) bool { return c.Needs.closure()&tc.lacks != 0 })
			if len(cases) < tc.least {
				t.Errorf("%d cases, want at least %d", len(cases), tc.least)
			}
			run(t, InProcess(class, dev, driver), cases, nil)
		})
	}
}
