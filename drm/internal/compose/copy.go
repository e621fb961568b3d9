package compose

import (
	"encoding/binary"
	"image"

	"github.com/udrm/udrm/drm/uapi"
)

// RGBA composes the picture as pixels of four bytes: red, green, blue and 0xff.
// A line begins each stride bytes. A nil grade leaves colours as they are.
//
// Most lines of most pictures are pixels of one opaque layer, which RGBA copies.
func (p *Picture) RGBA(grade Grade, pixels []byte, stride int) {
	s := p.newScratch()
	for y := range p.Height {
		dst := pixels[y*stride:][:4*p.Width]
		if grade == nil && p.copyLine(y, dst) {
			continue
		}
		write8888(dst, p.line(y, grade, s), true, 0xff)
	}
}

// copyLine copies a line to dst, as RGBA says. It returns false if the line is
// not a copy of pixels of one layer.
func (p *Picture) copyLine(y int, dst []byte) bool {
	for i := len(p.layers) - 1; i >= 0; i-- {
		l := &p.layers[i]
		if y < l.at.Min.Y || y >= l.at.Max.Y {
			continue
		}
		if l.rows == nil || !l.covers(y, p.Width) {
			return false
		}
		at := l.source(image.Pt(0, y))
		src := l.rows[at.Y*l.pitch+4*at.X:][:len(dst)]
		if l.swapped {
			copy8888(dst, src)
		} else {
			swap8888(dst, src)
		}
		return true
	}
	return false
}

// copyable finds out whether lines of the picture can be copied from the memory
// of l.
func (n *layer) copyable(l *Layer, pixels []byte) {
	switch l.Format.Code {
	case uapi.FormatXRGB8888, uapi.FormatARGB8888:
	case uapi.FormatXBGR8888, uapi.FormatABGR8888:
		n.swapped = true
	default:
		return
	}
	_, tiled := l.Format.Tile(0, l.Modifier)
	if n.opaque && !tiled && len(n.colors) == 0 && !n.x.scaled() && !n.y.scaled() && n.right == image.Pt(1, 0) {
		n.rows, n.pitch = pixels, int(l.Pitches[0])
	}
}

// Bytes of two pixels in 64 bits.
const (
	firstBytes  = 0x000000ff_000000ff
	secondBytes = firstBytes << 8
	lastBytes   = firstBytes << 24
)

// copy8888 copies pixels and sets their last byte to 0xff.
func copy8888(dst, src []byte) {
	for ; len(dst) >= 8 && len(src) >= 8; dst, src = dst[8:], src[8:] {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)|lastBytes)
	}
	if len(dst) >= 4 && len(src) >= 4 {
		binary.LittleEndian.PutUint32(dst, binary.LittleEndian.Uint32(src)|0xff<<24)
	}
}

// swap8888 does the same, and exchanges the first byte and the third.
func swap8888(dst, src []byte) {
	for ; len(dst) >= 8 && len(src) >= 8; dst, src = dst[8:], src[8:] {
		v := binary.LittleEndian.Uint64(src)
		binary.LittleEndian.PutUint64(dst, v&secondBytes|v>>16&firstBytes|v&firstBytes<<16|lastBytes)
	}
	if len(dst) >= 4 && len(src) >= 4 {
		v := binary.LittleEndian.Uint32(src)
		binary.LittleEndian.PutUint32(dst, v&0xff00|v>>16&0xff|v&0xff<<16|0xff<<24)
	}
}
