package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/udrm/udrm/machine/config"
)

// paletteBars is the pattern of modetest in C8. It writes 8 bits of each component
// to the high byte of an entry of the gamma table.
func paletteBars(x, y, width, height int) (rgb uint32) {
	exact := bars(x, y, width, height)
	for shift := 0; shift < 24; shift += 8 {
		entry := exact >> shift & 0xff << 8
		rgb |= (entry + 128) / 257 << shift
	}
	return rgb
}

// TestModetestShowsItsPalette shows the pattern of modetest in C8.
func TestModetestShowsItsPalette(t *testing.T) {
	file := filepath.Join(t.TempDir(), "indexed.yaml")
	if err := os.WriteFile(file, []byte("cards: {indexed: {formats: [C8]}}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cards, err := config.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := newSessionOf(t, cards)
	c := s.start(t, "modetest", "-M", "vkms", "-s", "Virtual-1:1024x768@C8")
	await(t, "the display shows the pattern", func() bool {
		picture, err := s.card(t, "card0").Screenshot("")
		if err != nil {
			return false
		}
		n, _ := mismatches(picture, paletteBars)
		return n == 0
	})
	if status := c.end(t); status != 0 {
		t.Errorf("exit status %d\n%s", status, &c.stderr)
	}
	s.end(t)
}
