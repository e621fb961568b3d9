package main

import (
	"image/color"
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
			cmd := command(t, "run", "--vkms", version, "--console", "--", "sh", "-c", script)
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
