package host_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
)

// TestConfined runs programs that try to reach files through virtual
// directories that they could not reach otherwise.
func TestConfined(t *testing.T) {
	for _, user := range users {
		for _, part := range []string{"spoof", "chrooted", "resolved", "exchange", "strayed", "links", "spy", "dropped",
			"landlocked", "landlocked /dev", "landlocked /dev/dri", "landlocked /sys", "landlocked /sys /dev",
			"landlocked /dev/null /dev/full /dev/zero",
			"ioctldev granted", "ioctldev denied", "crossing"} {
			if (part == "chrooted" || part == "dropped") && user.attr != nil {
				continue // only root can
			}
			t.Run(user.name+"/"+part, func(t *testing.T) {
				class := drm.NewClass(drm.ClassOptions{})
				drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
				h := newHost(t, class, host.Options{})
				cmd := asUser(exec.Command(client, strings.Fields(part)...), user.attr)
				cmd.Env = append(cmd.Environ(), "TMPDIR=/tmp")
				run(t, h, cmd)
			})
		}
	}
}
