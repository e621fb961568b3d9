package main

import (
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFbdev checks that a program draws on /dev/fb0, that a master of the card
// hides the picture, and that it comes back after the master. /dev/fb0 goes when
// the card does.
func TestFbdev(t *testing.T) {
	for _, version := range []string{"6.12", "7.2"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			script := strings.NewReplacer("$fbdev", fbdev, "$udrm", udrm, "$lit", lit).Replace(`set -e
				$fbdev 1024 768 && $udrm screenshot card0 drawn.png
				$lit /dev/dri/card0 $udrm screenshot card0 hidden.png
				$udrm screenshot card0 back.png
				$fbdev 1024 768 $udrm unplug card0`)
			cmd := command(t, "run", "--vkms", version, "--", "sh", "-c", script)
			cmd.Dir = dir
			if output, err := cmd.CombinedOutput(); err != nil || len(output) > 0 {
				t.Fatalf("%v: %s", err, output)
			}
			red, green, black := color.RGBA{255, 0, 0, 255}, color.RGBA{0, 255, 0, 255}, color.RGBA{0, 0, 0, 255}
			for name, want := range map[string][2]color.RGBA{"drawn": {red, green}, "hidden": {black, black}, "back": {red, green}} {
				picture := readPNG(t, filepath.Join(dir, name+".png"))
				last := picture.Bounds().Max
				for i, got := range []color.Color{picture.At(0, 0), picture.At(last.X-1, last.Y-1)} {
					if color.RGBAModel.Convert(got) != want[i] {
						t.Errorf("%s: corner %d is %v, want %v", name, i, got, want[i])
					}
				}
			}
		})
	}
}

// TestNoFbdev checks that a dark card has no /dev/fb0.
func TestNoFbdev(t *testing.T) {
	r := run(t, "run", "--vkms", "7.2", "--no-console", "--", "sh", "-c", "ls /dev/fb0 /sys/class/graphics/fb0 2>/dev/null")
	if r.stdout != "" || r.stderr != "" {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
}

// TestFbdevTrace checks that traces name the requests of /dev/fb0.
func TestFbdevTrace(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "fbdev.trace")
	r := run(t, "run", "--trace", file, "--", "sh", "-c", fbdev+" 1024 768 "+udrm+" unplug card0")
	shown := run(t, "trace", "show", file).stdout
	for _, want := range []string{"FBIOGET_VSCREENINFO() = 0", "FBIOPAN_DISPLAY() = EINVAL", "FBIOGET_VBLANK", "= ENODEV"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the trace has no %q:\n%s%s", want, r.stderr, shown)
		}
	}
}

// TestFbdevOfLookalike checks that a card that looks like another one has /dev/fb0
// if its description says so.
func TestFbdevOfLookalike(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	snapshot, err := os.ReadFile("../../machine/config/testdata/snapshots/radeon.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"radeon.json": string(snapshot), "lit.yaml": "cards: {a: {like: radeon.json, console: 1}}", "dark.yaml": "cards: {a: {like: radeon.json}}",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for file, want := range map[string]string{"lit.yaml": "radeondrmfb\n", "dark.yaml": ""} {
		r := run(t, "run", "--config", filepath.Join(dir, file), "--", "sh", "-c", "test ! -e /dev/fb0 || cat /sys/class/graphics/fb0/name")
		if r.stdout != want || r.stderr != "" || r.exit != 0 {
			t.Errorf("%s: exit %d, %q, want %q\n%s", file, r.exit, r.stdout, want, r.stderr)
		}
	}
}

// TestFbdevWithoutRoot checks that programs of an ordinary user open /dev/fb0, too.
func TestFbdevWithoutRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("only root can change its uid: run this test as root")
	}
	cmd := command(t)
	cmd.Path, cmd.Args = "/usr/bin/setpriv", []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
		udrm, "run", "--", "sh", "-c", "printf drawn >/dev/fb0 && head -c 5 /dev/fb0 && head -c 5 <>/dev/fb0"}
	cmd.Dir = "/"
	if r := finish(t, cmd); r.exit != 0 || r.stdout != "drawndrawn" {
		t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}
