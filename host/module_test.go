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

// newModule returns a class with a device of module vgem, and a host that keeps root's
// files from other users, as newHost does not.
func newModule(t *testing.T) (*drm.Class, *host.Host) {
	t.Helper()
	class := drm.NewClass(drm.ClassOptions{})
	drmtest.Bind(t, bus.New("platform"), "vgem", vgem.NewDriver(class).BusDriver())
	h, err := host.New(class, host.Options{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return class, h
}

// TestUnloadAndLoad runs a program that unloads a driver and loads it again.
func TestUnloadAndLoad(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			class, h := newModule(t)
			run(t, h, asUser(exec.Command(client, "unload"), user.attr))
			if user.attr != nil {
				every := newHost(t, class, host.Options{EveryUser: true})
				run(t, every, asUser(exec.Command(client, "unload", "permitted"), user.attr))
			}
		})
	}
}

// TestCoreParameters runs a program that sets parameters of the module drm.
func TestCoreParameters(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			_, h := newModule(t)
			run(t, h, asUser(exec.Command(client, "parameters"), user.attr))
		})
	}
}
