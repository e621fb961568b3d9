package fourcc

// Format modifiers of tiled layouts (drm_fourcc.h).
const (
	ModI915XTiled   = 1<<56 | 1 // tiles of 512 bytes by 8 lines
	ModVivanteTiled = 6<<56 | 1 // tiles of 4 by 4 pixels
)

// A Tile is the size of a tile of a layout: the bytes of its lines, and the
// number of lines. Tiles follow each other from left to right, then from top to
// bottom; so do the lines of a tile.
type Tile struct{ Width, Height uint32 }

// Tile returns the tiles of a plane with the modifier. It reports false for a
// layout that is not tiled.
func (f *Format) Tile(plane int, modifier uint64) (t Tile, ok bool) {
	switch modifier {
	case ModI915XTiled:
		return Tile{512, 8}, true
	case ModVivanteTiled:
		return Tile{4 * f.BlockBytes[plane], 4}, f.BlockBytes[plane] > 0
	}
	return t, false
}

// Size returns the bytes that the lines of a plane take with the given pitch,
// which must be a multiple of the tile's width.
func (t Tile) Size(lines, pitch uint32) uint64 {
	rows := (uint64(lines) + uint64(t.Height) - 1) / uint64(t.Height)
	return rows * uint64(t.Height) * uint64(pitch)
}

// Offset returns where byte x of line y is.
func (t Tile) Offset(x, y, pitch int) int {
	w, h := int(t.Width), int(t.Height)
	return y/h*h*pitch + x/w*w*h + y%h*w + x%w
}
