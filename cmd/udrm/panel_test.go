package main

import (
	"image"
	"image/color"
	"os"
	"path/filepath"
	"testing"

	"github.com/udrm/udrm/machine/picture"
)

// TestScreenshotOfPanel shows 640x480 pixels on a panel of 1280x800 that keeps their
// aspect ratio: the screenshot is that of the panel, with black on both sides.
func TestScreenshotOfPanel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cards, shot := filepath.Join(dir, "cards.yaml"), filepath.Join(dir, "shot.png")
	const laptop = `cards: {laptop: {connectors: {panel: {type: eDP, monitor: {modes: [1280x800, 640x480]}, properties: {scaling mode: Full aspect}}}}}`
	if err := os.WriteFile(cards, []byte(laptop), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := run(t, "run", "--config", cards, "--on", "SETCRTC:after:screenshot="+shot, "--",
		"modetest", "-M", "vkms", "-s", "eDP-1:640x480"); r.exit != 0 {
		t.Fatalf("exit %d\n%s", r.exit, r.stderr)
	}
	got, err := picture.Read(shot)
	if err != nil {
		t.Fatal(err)
	}
	if size := got.Rect.Size(); size != image.Pt(1280, 800) {
		t.Fatalf("the picture has the size %v", size)
	}
	black := color.NRGBA{A: 255}
	for _, p := range []struct {
		x     int
		black bool
	}{{0, true}, {106, true}, {108, false}, {1171, false}, {1173, true}, {1279, true}} {
		if c := got.NRGBAAt(p.x, 100); (c == black) != p.black {
			t.Errorf("the pixel at %d,100 is %v", p.x, c)
		}
	}
}
