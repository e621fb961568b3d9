package host_test

import (
	"os/exec"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
)

// TestFences runs programs that pass sync objects and sync files around.
func TestFences(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			class := drm.NewClass(drm.ClassOptions{})
			config := vkms.ConfigOf(drm.Linux612)
			config.Syncobj = true
			driver := vkms.NewDriver(class, config)
			drmtest.Bind(t, bus.New("platform"), "vkms", driver.BusDriver())
			h := newHost(t, class, host.Options{})
			run(t, h, asUser(exec.Command(client, "fences"), user.attr))
			run(t, h, asUser(exec.Command(client, "timelines"), user.attr))
		})
	}
}
