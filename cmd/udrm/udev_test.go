package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestUdevRules checks what programs find in udev's database of a card that a file
// puts on another seat, and that other cards do not have it.
func TestUdevRules(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "seats.yaml")
	const seats = "cards: {a: {vkms: 6.12}, b: {vkms: 6.12, render: 1, udev: {properties: {ID_SEAT: seat1, ID_PATH: mine}, tags: [mutter-device-ignore]}}}"
	if err := os.WriteFile(file, []byte(seats), 0o666); err != nil {
		t.Fatal(err)
	}
	r := run(t, "run", "--config", file, "--", "sh", "-c", `
		for object in /dev/dri/card1 /dev/dri/renderD128 /sys/class/drm/card1-Virtual-2 /dev/fb1 /dev/dri/card0; do
			echo "== $object"
			udevadm info --query=property $object
		done`)
	if r.exit != 0 {
		t.Fatalf("exit %d: %s%s", r.exit, r.stdout, r.stderr)
	}
	for _, part := range strings.Split(r.stdout, "== ")[1:] {
		object, properties, _ := strings.Cut(part, "\n")
		want := object != "/dev/dri/card0"
		for _, text := range []string{"ID_SEAT=seat1\n", "ID_PATH=mine\n", ":seat1:", ":mutter-device-ignore:"} {
			if strings.Contains(properties, text) != want {
				t.Errorf("%s: %q is there: %v\n%s", object, text, !want, properties)
			}
		}
	}
}

// TestNetlinkWithoutRoot checks that programs of a user without any capability
// listen to uevents on netlink sockets, of a namespace of their own.
func TestNetlinkWithoutRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("only root can change its uid: run this test as root")
	}
	if err := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
		"unshare", "--user", "--net", "--map-root-user", "true").Run(); err != nil {
		t.Fatalf("this test needs user namespaces for ordinary users: %v", err)
	}
	cmd := command(t)
	cmd.Path, cmd.Args = "/usr/bin/setpriv", []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
		udrm, "run", "--", "sh", "-c", `
			udevadm monitor --kernel --udev --subsystem-match=drm >"$0" & monitor=$!
			bound() { test "$(awk '$2 == 15 && $4 != "00000000"' /proc/net/netlink | wc -l)" = 2; }
			tries=0
			until bound || test $((tries += 1)) -gt 500; do sleep 0.02; done
			bound || cat /proc/net/netlink
			echo change >/sys/class/drm/card0/uevent
			tries=0
			until test "$(grep -c change "$0")" = 2 || test $((tries += 1)) -gt 500; do sleep 0.02; done
			kill $monitor
			grep -o '^[A-Z]*.*change' "$0" | sed 's/ *\[.*\]//'`, filepath.Join(openDir(t), "events")}
	cmd.Dir = "/"
	const want = "KERNEL change\nUDEV change\n"
	if r := finish(t, cmd); r.exit != 0 || r.stdout != want {
		t.Errorf("exit %d\n%s%s\nwant %s", r.exit, r.stdout, r.stderr, want)
	}
}

// openDir returns a directory in which every user may make files.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "udrm-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}
