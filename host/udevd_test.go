package host_test

import (
	"os/exec"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
	"github.com/udrm/udrm/machine/fusefs"
)

// TestUdevd runs systemd-udevd. Its clients reach it. It hears the kernel's message of
// a card, sends udevd's, which no other process does then, and writes its database.
// When it has ended, this process sends udevd's messages again.
func TestUdevd(t *testing.T) {
	const script = `
		/lib/systemd/systemd-udevd 2>/dev/null & udevd=$!
		until udevadm control --ping 2>/dev/null; do kill -0 $udevd; done
		mkdir -p /run/udevd-test
		udevadm monitor --udev --property >/run/udevd-test/monitor & monitor=$!
		until grep -qs UDEV /run/udevd-test/monitor; do :; done
		udevadm trigger --settle --action=change /sys/class/drm/card0
		until grep -qs ACTION=change /run/udevd-test/monitor; do :; done
		grep I: /run/udev/data/c226:0 >/dev/null
		udevadm control --exit; wait $udevd
		udevadm trigger --action=online /sys/class/drm/card0
		until grep -qs ACTION=online /run/udevd-test/monitor; do :; done
		kill $monitor
		grep -A1 ACTION= /run/udevd-test/monitor | grep '/drm/card0$' | wc -l`
	programs := map[string]*exec.Cmd{
		// A machine has no /run for each program.
		"calls":  exec.Command("unshare", "--mount", "sh", "-ec", "mount -t tmpfs run /run; mkdir /run/udev; mkdir -p /dev/char; mount -t tmpfs char /dev/char\n"+script),
		"mounts": exec.Command("sh", "-ec", script),
	}
	for name, server := range map[string]host.FileServer{"calls": nil, "mounts": fusefs.Serve} {
		t.Run(name, func(t *testing.T) {
			class := drm.NewClass(drm.ClassOptions{})
			drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
			h, err := host.New(class, host.Options{Logger: logger, FileServer: server})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			if got := run(t, h, programs[name]); got != "2\n" {
				t.Errorf("udevd's messages of card0: %s, want one of each udevd", got)
			}
		})
	}
}
