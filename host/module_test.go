package host_test

import (
	"os/exec"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vgem"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
)

// TestUnloadAndLoad runs a program that unloads a driver and loads it again.
func TestUnloadAndLoad(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			class := drm.NewClass(drm.ClassOptions{})
			drmtest.Bind(t, bus.New("platform"), "vgem", vgem.NewDriver(class).BusDriver())
			h := newHost(t, class, host.Options{})
			run(t, h, asUser(exec.Command(client, "unload"), user.attr))
		})
	}
}
