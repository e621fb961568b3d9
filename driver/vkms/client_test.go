package vkms_test

import (
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// A client uses a device by requests only. Its methods that return no error
// end the test on one.
type client struct {
	*testing.T
	*kmsclient.Client
}

// bind makes the device of a new driver. No handler may panic.
func bind(t *testing.T, config vkms.Config) (*vkms.Driver, *bus.Device) {
	drmtest.NoLeaks(t)
	driver := vkms.NewDriver(drm.NewClass(drm.ClassOptions{Logger: drmtest.NoReports(t)}), config)
	return driver, drmtest.Bind(t, bus.New(config.Bus()), "vkms", driver.BusDriver())
}

// newClient opens the device of a new driver.
func newClient(t *testing.T, config vkms.Config) (client, *vkms.Driver, *bus.Device) {
	driver, parent := bind(t, config)
	return openClient(t, driver), driver, parent
}

func openClient(t *testing.T, driver *vkms.Driver) client {
	return client{t, kmsclient.New(drmtest.Open(t, driver.Device().Primary()).Process())}
}

func (c client) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// do sends a request that has to succeed.
func do[T any](c client, cmd uint32, arg *T) {
	c.Helper()
	c.must(kmsclient.Ioctl(c, cmd, arg))
}

func (c client) properties(id uint32) properties {
	c.Helper()
	list, err := c.Properties(id, uapi.ModeObjectAny)
	c.must(err)
	return properties(list)
}

// picture makes a framebuffer of the default mode's size.
func (c client) picture() (fb uint32) {
	c.Helper()
	fb, err := c.NewFB(1024, 768, 32, uapi.FormatXRGB8888)
	c.must(err)
	return fb
}

// showConsole shows a framebuffer, as the console does.
func showConsole(c client) {
	c.Helper()
	d, err := c.Display()
	c.must(err)
	c.must(c.SetCRTC(d, c.picture(), d.Modes[0]))
}
