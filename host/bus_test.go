package host_test

import (
	"context"
	"os/exec"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
)

// TestBus checks that a program can unbind and bind drivers, remove devices and
// rescan their bus, as an administrator does, and sees the effect at once; also
// with a node open.
func TestBus(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			class := drm.NewClass(drm.ClassOptions{})
			platform := bus.New("platform")
			drmtest.Bind(t, platform, "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
			platform.OnRescan(func() error {
				dev, err := platform.Add("vkms")
				if err != nil {
					return err
				}
				t.Cleanup(func() { _ = dev.Remove(context.Background()) }) // a program may have done it
				return dev.Bind(vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
			})
			h := newHost(t, class, host.Options{})
			run(t, h, asUser(exec.Command(client, "bus"), user.attr))
		})
	}
}
