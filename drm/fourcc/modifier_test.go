package fourcc

import (
	"testing"

	"github.com/udrm/udrm/drm/uapi"
)

// TestTiles checks where some bytes of tiled layouts are, counted by hand from
// the descriptions in drm_fourcc.h.
func TestTiles(t *testing.T) {
	f := Lookup(uapi.FormatXRGB8888)
	for _, tc := range []struct {
		modifier          uint64
		x, y, pitch, want int
	}{
		{ModI915XTiled, 0, 0, 1024, 0},
		{ModI915XTiled, 511, 0, 1024, 511},
		{ModI915XTiled, 512, 0, 1024, 4096},
		{ModI915XTiled, 4, 1, 1024, 516},
		{ModI915XTiled, 0, 8, 1024, 8192},
		{ModI915XTiled, 1023, 15, 1024, 16383},
		{ModVivanteTiled, 12, 0, 64, 12},
		{ModVivanteTiled, 16, 0, 64, 64},
		{ModVivanteTiled, 4, 1, 64, 20},
		{ModVivanteTiled, 0, 4, 64, 256},
		{ModVivanteTiled, 63, 3, 64, 255},
	} {
		tile, ok := f.Tile(0, tc.modifier)
		if got := tile.Offset(tc.x, tc.y, tc.pitch); !ok || got != tc.want {
			t.Errorf("modifier %#x: byte %d of line %d is at %d (%v), want %d", tc.modifier, tc.x, tc.y, got, ok, tc.want)
		}
	}
	if tile, _ := f.Tile(0, ModI915XTiled); tile.Size(9, 1024) != 16384 {
		t.Errorf("9 lines take %d bytes, want 16384", tile.Size(9, 1024))
	}
	if _, ok := f.Tile(0, uapi.FormatModLinear); ok {
		t.Error("the linear layout is tiled")
	}
}
