package compose

import (
	"encoding/binary"
	"image"
	"math"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

// The values of the properties COLOR_ENCODING and COLOR_RANGE
// (drm_color_mgmt.h).
const (
	BT601 uint32 = iota
	BT709
	BT2020

	LimitedRange uint32 = 0
	FullRange    uint32 = 1
)

// A yuvLayout describes where the samples of a YUV format lie: in which plane, and
// at which of its samples per pixel. Luma is the first sample of the first plane,
// unless the format is packed: it has groups of pixels with all samples.
type yuvLayout struct {
	uPlane, vPlane   int
	uOffset, vOffset int
	bytes            int // of a sample
	packed           bool
	yOffset          int
}

var yuvLayouts = map[uint32]yuvLayout{
	uapi.FormatYUYV:   {uOffset: 1, vOffset: 3, bytes: 1, packed: true},
	uapi.FormatYVYU:   {uOffset: 3, vOffset: 1, bytes: 1, packed: true},
	uapi.FormatUYVY:   {uOffset: 0, vOffset: 2, bytes: 1, packed: true, yOffset: 1},
	uapi.FormatVYUY:   {uOffset: 2, vOffset: 0, bytes: 1, packed: true, yOffset: 1},
	uapi.FormatNV12:   {uPlane: 1, vPlane: 1, uOffset: 0, vOffset: 1, bytes: 1},
	uapi.FormatNV21:   {uPlane: 1, vPlane: 1, uOffset: 1, vOffset: 0, bytes: 1},
	uapi.FormatNV16:   {uPlane: 1, vPlane: 1, uOffset: 0, vOffset: 1, bytes: 1},
	uapi.FormatNV61:   {uPlane: 1, vPlane: 1, uOffset: 1, vOffset: 0, bytes: 1},
	uapi.FormatNV24:   {uPlane: 1, vPlane: 1, uOffset: 0, vOffset: 1, bytes: 1},
	uapi.FormatNV42:   {uPlane: 1, vPlane: 1, uOffset: 1, vOffset: 0, bytes: 1},
	uapi.FormatP010:   {uPlane: 1, vPlane: 1, uOffset: 0, vOffset: 1, bytes: 2},
	uapi.FormatP012:   {uPlane: 1, vPlane: 1, uOffset: 0, vOffset: 1, bytes: 2},
	uapi.FormatP016:   {uPlane: 1, vPlane: 1, uOffset: 0, vOffset: 1, bytes: 2},
	uapi.FormatYUV420: {uPlane: 1, vPlane: 2, uOffset: 0, vOffset: 0, bytes: 1},
	uapi.FormatYVU420: {uPlane: 2, vPlane: 1, uOffset: 0, vOffset: 0, bytes: 1},
	uapi.FormatYUV422: {uPlane: 1, vPlane: 2, uOffset: 0, vOffset: 0, bytes: 1},
	uapi.FormatYVU422: {uPlane: 2, vPlane: 1, uOffset: 0, vOffset: 0, bytes: 1},
	uapi.FormatYUV444: {uPlane: 1, vPlane: 2, uOffset: 0, vOffset: 0, bytes: 1},
	uapi.FormatYVU444: {uPlane: 2, vPlane: 1, uOffset: 0, vOffset: 0, bytes: 1},
}

// A yuvMatrix converts luma and the two colour differences to red, green and
// blue, each of 16 bits. Factors have 32 fractional bits.
type yuvMatrix struct {
	yOffset        int64
	y              int64
	rv, gu, gv, bu int64
}

const yuvZero = 128 * 257 // a colour difference of 0

// yuvMatrices holds the matrices by encoding and range.
var yuvMatrices = func() (matrices [3][2]yuvMatrix) {
	// The weights of red and blue in luma, from the recommendations of the ITU.
	parts := [3][2]float64{BT601: {0.299, 0.114}, BT709: {0.2126, 0.0722}, BT2020: {0.2627, 0.0593}}
	for encoding, p := range parts {
		kr, kb := p[0], p[1]
		kg := 1 - kr - kb
		for _, colorRange := range []uint32{LimitedRange, FullRange} {
			y, c, offset := 1.0, 1.0, int64(0)
			if colorRange == LimitedRange { // luma from 16 to 235, colour differences from 16 to 240
				y, c, offset = 255.0/219, 255.0/224, 16*257
			}
			factor := func(v float64) int64 { return int64(math.Round(v * (1 << 32))) }
			matrices[encoding][colorRange] = yuvMatrix{
				yOffset: offset, y: factor(y),
				rv: factor(c * 2 * (1 - kr)), bu: factor(c * 2 * (1 - kb)),
				gu: factor(-c * 2 * kb * (1 - kb) / kg), gv: factor(-c * 2 * kr * (1 - kr) / kg),
			}
		}
	}
	return matrices
}()

// pixel converts one pixel.
func (m *yuvMatrix) pixel(y, u, v uint16) uint64 {
	luma := (int64(y)-m.yOffset)*m.y + 1<<31 // rounded
	du, dv := int64(u)-yuvZero, int64(v)-yuvZero
	clamp := func(c int64) uint16 { return uint16(min(max(c>>32, 0), 0xffff)) }
	return argb(opaque, clamp(luma+dv*m.rv), clamp(luma+du*m.gu+dv*m.gv), clamp(luma+du*m.bu))
}

// sampleYUV returns the function that reads a YUV framebuffer. In subsampled
// planes it takes the nearest sample to the left and above.
func (l *Layer) sampleYUV(planes [4][]byte, layout yuvLayout, m *yuvMatrix) sampler {
	f, pitches := l.Format, l.Pitches
	hsub, vsub := int(f.HSub), int(f.VSub)
	var tiles [4]fourcc.Tile
	tiled := false
	for i := range f.Planes {
		tiles[i], tiled = f.Tile(i, l.Modifier)
	}
	sample := func(plane, x, y, offset int) uint16 {
		at, pitch := x*int(f.BlockBytes[plane])+offset*layout.bytes, int(pitches[plane])
		if tiled {
			at = tiles[plane].Offset(at, y, pitch)
		} else {
			at += y * pitch
		}
		p := planes[plane][at:]
		if layout.bytes == 1 {
			return uint16(p[0]) * 257
		}
		return binary.LittleEndian.Uint16(p)
	}
	return func(line []uint64, p, step image.Point) {
		for i := range line {
			x, y := p.X/hsub, p.Y/vsub
			if layout.packed {
				x *= hsub
			}
			line[i] = m.pixel(sample(0, p.X, p.Y, layout.yOffset),
				sample(layout.uPlane, x, y, layout.uOffset), sample(layout.vPlane, x, y, layout.vOffset))
			p = p.Add(step)
		}
	}
}
