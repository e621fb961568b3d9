package conformance

import (
	"slices"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vgem"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
)

// TestVGEM is that all cases that need neither displays nor sync objects run
// on a device that has neither.
func TestVGEM(t *testing.T) {
	drmtest.NoLeaks(t)
	class := drm.NewClass()
	driver := vgem.NewDriver(class)
	dev := drmtest.Bind(t, bus.New("platform"), "vgem", driver)
	cases := slices.DeleteFunc(Cases(), func(c Case) bool {
		return c.Needs.closure()&(NeedModeset|NeedSyncobj|NeedOther) != 0
	})
	if len(cases) < 40 {
		t.Errorf("these are %d cases only", len(cases))
	}
	run(t, InProcess(class, dev, driver), cases)
}
