package panel_test

import (
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/conformance"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/examples/display/panel"
)

// TestConformance runs the conformance suite on the driver. It has one CRTC, and
// neither a render node nor writeback.
func TestConformance(t *testing.T) {
	drmtest.NoLeaks(t)
	class := drm.NewClass(drm.ClassOptions{Logger: drmtest.NoReports(t)})
	driver := panel.New(class, nil).BusDriver()
	target := conformance.InProcess(class, drmtest.Bind(t, bus.New("platform"), "panel", driver), driver)
	target.Partial = true
	conformance.Run(t, target)
}
