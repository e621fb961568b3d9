package kms

import (
	"encoding/binary"
	"image"
	"math"

	"github.com/udrm/udrm/drm/uapi"
)

// Values of the properties COLOR_ENCODING and COLOR_RANGE
// (drm_color_mgmt.h).
const (
	ColorBT601 uint32 = iota
	ColorBT709
	ColorBT2020

	ColorLimitedRange uint32 = 0
	ColorFullRange    uint32 = 1
)

var (
	colorEncodings = [...]string{"ITU-R BT.601 YCbCr", "ITU-R BT.709 YCbCr", "ITU-R BT.2020 YCbCr"}
	colorRanges    = [...]string{"YCbCr limited range", "YCbCr full range"}
)

// A yuvLayout says where the samples of a YUV format lie: in which plane, and
// at which of its samples per pixel.
type yuvLayout struct {
	uPlane, vPlane   int
	uOffset, vOffset int
	bytes            int // of a sample
}

var yuvLayouts = map[uint32]yuvLayout{
	uapi.FormatNV12:   {1, 1, 0, 1, 1},
	uapi.FormatNV21:   {1, 1, 1, 0, 1},
	uapi.FormatNV16:   {1, 1, 0, 1, 1},
	uapi.FormatNV61:   {1, 1, 1, 0, 1},
	uapi.FormatNV24:   {1, 1, 0, 1, 1},
	uapi.FormatNV42:   {1, 1, 1, 0, 1},
	uapi.FormatP010:   {1, 1, 0, 1, 2},
	uapi.FormatP012:   {1, 1, 0, 1, 2},
	uapi.FormatP016:   {1, 1, 0, 1, 2},
	uapi.FormatYUV420: {1, 2, 0, 0, 1},
	uapi.FormatYVU420: {2, 1, 0, 0, 1},
	uapi.FormatYUV422: {1, 2, 0, 0, 1},
	uapi.FormatYVU422: {2, 1, 0, 0, 1},
	uapi.FormatYUV444: {1, 2, 0, 0, 1},
	uapi.FormatYVU444: {2, 1, 0, 0, 1},
}

// A yuvMatrix makes red, green and blue of luma and the two differences of
// colour, each of 16 bits. Factors have 32 bits behind the point.
type yuvMatrix struct {
	yOffset        int64
	y              int64
	rv, gu, gv, bu int64
}

const yuvZero = 128 * 257 // no difference of colour

// yuvMatrices are by encoding and range.
var yuvMatrices = func() (matrices [3][2]yuvMatrix) {
	// The parts of red and blue in luma, from the recommendations of the ITU.
	parts := [3][2]float64{ColorBT601: {0.299, 0.114}, ColorBT709: {0.2126, 0.0722}, ColorBT2020: {0.2627, 0.0593}}
	for encoding, p := range parts {
		kr, kb := p[0], p[1]
		kg := 1 - kr - kb
		for _, colorRange := range []uint32{ColorLimitedRange, ColorFullRange} {
			y, c, offset := 1.0, 1.0, int64(0)
			if colorRange == ColorLimitedRange { // luma from 16 to 235, the others from 16 to 240
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

// sampleYUV returns how to read a YUV framebuffer. Where planes are
// subsampled, the nearest sample to the left and above counts.
func (fb *Framebuffer) sampleYUV(planes [4][]byte, layout yuvLayout, m *yuvMatrix) sampler {
	f := fb.format
	hsub, vsub := int(f.HSub), int(f.VSub)
	sample := func(plane, x, y, offset int) uint16 {
		p := planes[plane][y*int(fb.pitches[plane])+x*int(f.BlockBytes[plane])+offset*layout.bytes:]
		if layout.bytes == 1 {
			return uint16(p[0]) * 257
		}
		return binary.LittleEndian.Uint16(p)
	}
	return func(line []uint64, p, step image.Point) {
		for i := range line {
			x, y := p.X/hsub, p.Y/vsub
			line[i] = m.pixel(sample(0, p.X, p.Y, 0),
				sample(layout.uPlane, x, y, layout.uOffset), sample(layout.vPlane, x, y, layout.vOffset))
			p = p.Add(step)
		}
	}
}
