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

// TestNetlinkWithoutRoot checks that programs of a user without any capability hear
// uevents, and that they do so on netlink sockets, of a namespace of their own,
// where that user may make user namespaces.
func TestNetlinkWithoutRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("only root can change its uid: run this test as root")
	}
	user := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
	sockets := "2"
	if err := exec.Command(user[0], append(user[1:], "unshare", "--user", "--net", "--map-root-user", "true")...).Run(); err != nil {
		t.Logf("ordinary users have no user namespaces here: %v", err)
		sockets = "0"
	}
	cmd := command(t)
	cmd.Path, cmd.Args = "/usr/bin/setpriv", append(user, udrm, "run", "--", "sh", "-c", `
		until_has() { tries=0; until grep -q "$1" "$events" || test $((tries += 1)) -gt 1000; do sleep 0.02; done; }
		events=$0
		udevadm monitor --kernel --udev --subsystem-match=drm >"$events" & monitor=$!
		until_has "^KERNEL - " # printed when the sockets are bound
		awk '$2 == 15 && $4 != "00000000"' /proc/net/netlink | wc -l
		echo change >/sys/class/drm/card0/uevent
		until_has "^KERNEL.*change"; until_has "^UDEV.*change"
		kill $monitor
		grep -o '^[A-Z]*.*change' "$events" | sed 's/ *\[.*\]//'`, filepath.Join(openDir(t), "events"))
	cmd.Dir = "/"
	want := sockets + "\nKERNEL change\nUDEV change\n"
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
