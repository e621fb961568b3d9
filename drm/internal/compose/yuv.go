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

	// bits of a sample that count, from the highest of two bytes, or the lowest. 0
	// stands for all, which vkms reads as if they had the range of 8 bits times 257.
	bits int
	low  bool

	lumaOnly bool // pixels are grey

	// run is the number of samples of 10 bits that follow each other without a gap,
	// in words of runBits; or 0.
	run, runBits int
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
	uapi.FormatYUV410: {uPlane: 1, vPlane: 2, bytes: 1},
	uapi.FormatYVU410: {uPlane: 2, vPlane: 1, bytes: 1},
	uapi.FormatYUV411: {uPlane: 1, vPlane: 2, bytes: 1},
	uapi.FormatYVU411: {uPlane: 2, vPlane: 1, bytes: 1},
	uapi.FormatY210:   {uOffset: 1, vOffset: 3, bytes: 2, packed: true, bits: 10},
	uapi.FormatY212:   {uOffset: 1, vOffset: 3, bytes: 2, packed: true, bits: 12},
	uapi.FormatY216:   {uOffset: 1, vOffset: 3, bytes: 2, packed: true, bits: 16},
	uapi.FormatP210:   {uPlane: 1, vPlane: 1, uOffset: 0, vOffset: 1, bytes: 2, bits: 10},
	uapi.FormatQ410:   {uPlane: 1, vPlane: 2, bytes: 2, bits: 10},
	uapi.FormatQ401:   {uPlane: 2, vPlane: 1, bytes: 2, bits: 10},
	uapi.FormatS010:   {uPlane: 1, vPlane: 2, bytes: 2, bits: 10, low: true},
	uapi.FormatS210:   {uPlane: 1, vPlane: 2, bytes: 2, bits: 10, low: true},
	uapi.FormatS410:   {uPlane: 1, vPlane: 2, bytes: 2, bits: 10, low: true},
	uapi.FormatS012:   {uPlane: 1, vPlane: 2, bytes: 2, bits: 12, low: true},
	uapi.FormatS212:   {uPlane: 1, vPlane: 2, bytes: 2, bits: 12, low: true},
	uapi.FormatS412:   {uPlane: 1, vPlane: 2, bytes: 2, bits: 12, low: true},
	uapi.FormatS016:   {uPlane: 1, vPlane: 2, bytes: 2, bits: 16, low: true},
	uapi.FormatS216:   {uPlane: 1, vPlane: 2, bytes: 2, bits: 16, low: true},
	uapi.FormatS416:   {uPlane: 1, vPlane: 2, bytes: 2, bits: 16, low: true},
	uapi.FormatNV15:   {uPlane: 1, vPlane: 1, uOffset: 0, vOffset: 1, bits: 10, run: 4, runBits: 40},
	uapi.FormatNV20:   {uPlane: 1, vPlane: 1, uOffset: 0, vOffset: 1, bits: 10, run: 4, runBits: 40},
	uapi.FormatNV30:   {uPlane: 1, vPlane: 1, uOffset: 0, vOffset: 1, bits: 10, run: 4, runBits: 40},
	uapi.FormatP030:   {uPlane: 1, vPlane: 1, uOffset: 0, vOffset: 1, bits: 10, run: 3, runBits: 32},
	uapi.FormatP230:   {uPlane: 1, vPlane: 1, uOffset: 0, vOffset: 1, bits: 10, run: 3, runBits: 32},
	uapi.FormatT430:   {uPlane: 1, vPlane: 2, bits: 10, run: 3, runBits: 32},

	uapi.FormatY8:          {bytes: 1, lumaOnly: true},
	uapi.FormatXYYY2101010: {bits: 10, run: 3, runBits: 32, lumaOnly: true},
}

// A yuvMatrix converts luma and the two colour differences to red, green and
// blue, each of 16 bits. Factors have 32 fractional bits.
type yuvMatrix struct {
	yOffset, zero  int64 // luma of black, and a colour difference of 0
	y              int64
	rv, gu, gv, bu int64
}

// yuvMatrices holds the matrices by encoding and range, for samples of 8 bits times
// 257.
var yuvMatrices = func() (matrices [3][2]yuvMatrix) {
	for encoding := range yuvWeights {
		for _, colorRange := range []uint32{LimitedRange, FullRange} {
			matrices[encoding][colorRange] = newMatrix(257, opaque, uint32(encoding), colorRange)
		}
	}
	return matrices
}()

// deepMatrix returns the matrix for samples of that many bits, at least 8.
func deepMatrix(bits int, encoding, colorRange uint32) yuvMatrix {
	return newMatrix(1<<(bits-8), 1<<bits-1, encoding, colorRange)
}

// yuvWeights has the weights of red and blue in luma, from the recommendations of the
// ITU.
var yuvWeights = [3][2]float64{BT601: {0.299, 0.114}, BT709: {0.2126, 0.0722}, BT2020: {0.2627, 0.0593}}

// newMatrix returns the matrix for samples up to most, of which unit correspond to 1
// of 8 bits.
func newMatrix(unit, most int64, encoding, colorRange uint32) yuvMatrix {
	kr, kb := yuvWeights[encoding][0], yuvWeights[encoding][1]
	kg := 1 - kr - kb
	scale := opaque / float64(most)
	y, c, offset := scale, scale, int64(0)
	if colorRange == LimitedRange { // luma from 16 to 235, colour differences from 16 to 240
		y, c, offset = opaque/float64(219*unit), opaque/float64(224*unit), 16*unit
	}
	factor := func(v float64) int64 { return int64(math.Round(v * (1 << 32))) }
	return yuvMatrix{
		yOffset: offset, zero: 128 * unit, y: factor(y),
		rv: factor(c * 2 * (1 - kr)), bu: factor(c * 2 * (1 - kb)),
		gu: factor(-c * 2 * kb * (1 - kb) / kg), gv: factor(-c * 2 * kr * (1 - kr) / kg),
	}
}

// pixel converts one pixel.
func (m *yuvMatrix) pixel(y, u, v uint16) uint64 {
	luma := (int64(y)-m.yOffset)*m.y + 1<<31 // rounded
	du, dv := int64(u)-m.zero, int64(v)-m.zero
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
	locate := func(plane, at, y int) int {
		if tiled {
			return tiles[plane].Offset(at, y, int(pitches[plane]))
		}
		return at + y*int(pitches[plane])
	}
	sample := func(plane, x, y, offset int) uint16 {
		if layout.run != 0 {
			n := x
			if plane > 0 && layout.uPlane == layout.vPlane { // it has both colour differences
				n = 2*x + offset
			}
			bit := n/layout.run*layout.runBits + n%layout.run*10
			low, high := planes[plane][locate(plane, bit/8, y)], planes[plane][locate(plane, bit/8+1, y)]
			return (uint16(low) | uint16(high)<<8) >> (bit % 8) & 0x3ff
		}
		p := planes[plane][locate(plane, x*int(f.BlockBytes[plane])+offset*layout.bytes, y):]
		switch {
		case layout.bytes == 1:
			return uint16(p[0]) * 257
		case layout.low:
			return binary.LittleEndian.Uint16(p) & uint16(1<<layout.bits-1)
		case layout.bits != 0:
			return binary.LittleEndian.Uint16(p) >> (16 - layout.bits)
		}
		return binary.LittleEndian.Uint16(p)
	}
	return func(line []uint64, p, step image.Point) {
		for i := range line {
			x, y := p.X/hsub, p.Y/vsub
			if layout.packed {
				x *= hsub
			}
			u, v := uint16(m.zero), uint16(m.zero)
			if !layout.lumaOnly {
				u, v = sample(layout.uPlane, x, y, layout.uOffset), sample(layout.vPlane, x, y, layout.vOffset)
			}
			line[i] = m.pixel(sample(0, p.X, p.Y, layout.yOffset), u, v)
			p = p.Add(step)
		}
	}
}
