package conformance

import (
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/machine/config"
)

// TestStandardProperties runs the cases on a device that a file describes, with all
// standard properties.
func TestStandardProperties(t *testing.T) {
	drmtest.NoLeaks(t)
	cards, err := config.ReadFile("testdata/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	class := drm.NewClass(drm.ClassOptions{Logger: drmtest.NoReports(t)})
	driver := lookalike.NewDriver(class, *cards[0].Lookalike)
	dev := drmtest.Bind(t, bus.New("platform"), "everything", driver.BusDriver())
	target := InProcess(class, dev, driver.BusDriver())
	target.Partial = true
	has := propertyNames(newTester(t, target, make(Coverage)))
	for _, c := range standardCases {
		if !has[c.Property()] {
			t.Errorf("%s: the device lacks the property", c.Name)
		}
	}
	Run(t, target)
}
