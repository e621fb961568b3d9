package main

import (
	"os"
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
