package host_test

import (
	"os/exec"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
)

// TestNodeOpens opens nodes for reading only and otherwise, by each call, and by bind
// mounts.
func TestNodeOpens(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			class := drm.NewClass(drm.ClassOptions{})
			d := newDevice(t, class, "vkms")
			h := newHost(t, class, host.Options{})
			run(t, h, asUser(exec.Command(client, "nodeopens", t.TempDir()), user.attr))
			d.waitClosed()
		})
	}
}
