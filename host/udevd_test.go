package host_test

import (
	"os"
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
// When it has ended, this process sends udevd's messages again, although another user
// has a socket of that name.
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
		setpriv --reuid=65534 --regid=65534 --clear-groups unshare --user --map-root-user --mount sh -c '
			mount -t tmpfs other /run && mkdir /run/udev && exec python3 -c "
import socket
s = socket.socket(socket.AF_UNIX)
s.bind(\"/run/udev/control\")
s.listen()
print(flush=True)
s.accept()"' >/run/udevd-test/other & other=$!
		until test -s /run/udevd-test/other; do kill -0 $other; done
		udevadm trigger --action=online /sys/class/drm/card0
		until grep -qs ACTION=online /run/udevd-test/monitor; do :; done
		kill $monitor $other
		grep -A1 ACTION= /run/udevd-test/monitor | grep '/drm/card0$' | wc -l`
	if os.Getenv(ownRunVariable) == "" {
		withOwnRun(t, "^TestUdevd$")
		return
	}
	for name, server := range map[string]host.FileServer{"mounts": fusefs.Serve, "calls": nil} {
		t.Run(name, func(t *testing.T) {
			class := drm.NewClass(drm.ClassOptions{})
			drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
			h, err := host.New(class, host.Options{Logger: logger, FileServer: server})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			const remove = "rm -f /run/udev/control 2>/dev/null || echo refused; test -e /run/udev/data/c226:0 && echo kept"
			if got, want := run(t, h, exec.Command("unshare", "--mount", "sh", "-c", remove)), "refused\nkept\n"; got != want {
				t.Errorf("a program with mounts of its own that removes the socket: %q, want %q", got, want)
			}
			if got := run(t, h, exec.Command("sh", "-ec", script)); got != "2\n" {
				t.Errorf("udevd's messages of card0: %s, want one of each udevd", got)
			}
			for _, file := range []string{"/run/udev/control", "/dev/char/226:0"} {
				if _, err := os.Lstat(file); server != nil && err == nil {
					t.Errorf("udevd has made the machine's %s", file)
				}
				_ = os.Remove(file)
			}
		})
	}
}

// ownRunVariable says that a test runs where /run and /dev/char are its own.
const ownRunVariable = "UDRM_TEST_OWN_RUN"

// withOwnRun runs a test in a /run and a /dev/char of its own, so that a udevd in it does
// not change those of the machine.
func withOwnRun(t *testing.T, pattern string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const mounts = "mount -t tmpfs run /run; mkdir /run/udev; mkdir -p /dev/char; mount -t tmpfs char /dev/char; exec \"$@\""
	cmd := exec.Command("unshare", "--mount", "sh", "-ec", mounts, "sh", self, "-test.run", pattern)
	cmd.Env = append(os.Environ(), clientVariable+"="+client, ownRunVariable+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
