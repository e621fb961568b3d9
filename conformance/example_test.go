package conformance_test

import (
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/conformance"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
)

// A driver's test binds the driver and runs the cases. This device has no sync
// objects and no render node, so the target is partial.
func ExampleRun() {
	var t *testing.T // the test's

	class := drm.NewClass(drm.ClassOptions{})
	dev, err := bus.New("platform").Add("vkms")
	if err != nil {
		t.Fatal(err)
	}
	driver := vkms.NewDriver(class, vkms.DefaultConfig()).BusDriver()
	if err := dev.Bind(driver); err != nil {
		t.Fatal(err)
	}
	target := conformance.InProcess(class, dev, driver)
	target.Partial = true
	conformance.Run(t, target, conformance.Differs("framebuffer/dirty", "DIRTYFB is not implemented yet"))
}
