package compose

import (
	"fmt"
	"image"
	"math"
	"strings"

	"github.com/udrm/udrm/drm/uapi"
)

// A packing says where the components of a pixel lie in a little-endian number.
type packing struct {
	bytes  int
	fields []field
	yuv    bool
	half   bool // components are floating-point numbers of 16 bits
}

// A field is one component of a pixel: r, g, b or a, y, u or v, or w for all of red,
// green and blue.
type field struct {
	component byte
	low, bits int
}

// packings has the formats of one plane that neither vkms nor a table of this
// package reads. They are written as in drm_fourcc.h: from the highest bit, each
// component with its bits. x is padding.
var packings = map[uint32]packing{
	uapi.FormatR10:    packed("x6 w10"),
	uapi.FormatR12:    packed("x4 w12"),
	uapi.FormatR16:    packed("w16"),
	uapi.FormatRG88:   packed("r8 g8"),
	uapi.FormatGR88:   packed("g8 r8"),
	uapi.FormatRG1616: packed("r16 g16"),
	uapi.FormatGR1616: packed("g16 r16"),
	uapi.FormatRGB332: packed("r3 g3 b2"),
	uapi.FormatBGR233: packed("b2 g3 r3"),

	uapi.FormatXRGB4444: packed("x4 r4 g4 b4"),
	uapi.FormatXBGR4444: packed("x4 b4 g4 r4"),
	uapi.FormatRGBX4444: packed("r4 g4 b4 x4"),
	uapi.FormatBGRX4444: packed("b4 g4 r4 x4"),
	uapi.FormatARGB4444: packed("a4 r4 g4 b4"),
	uapi.FormatABGR4444: packed("a4 b4 g4 r4"),
	uapi.FormatRGBA4444: packed("r4 g4 b4 a4"),
	uapi.FormatBGRA4444: packed("b4 g4 r4 a4"),
	uapi.FormatRGBX5551: packed("r5 g5 b5 x1"),
	uapi.FormatBGRX5551: packed("b5 g5 r5 x1"),
	uapi.FormatRGBA5551: packed("r5 g5 b5 a1"),
	uapi.FormatBGRA5551: packed("b5 g5 r5 a1"),

	uapi.FormatRGBX8888:    packed("r8 g8 b8 x8"),
	uapi.FormatBGRX8888:    packed("b8 g8 r8 x8"),
	uapi.FormatRGBX1010102: packed("r10 g10 b10 x2"),
	uapi.FormatBGRX1010102: packed("b10 g10 r10 x2"),
	uapi.FormatRGBA1010102: packed("r10 g10 b10 a2"),
	uapi.FormatBGRA1010102: packed("b10 g10 r10 a2"),

	uapi.FormatRGB161616: packed("r16 g16 b16"),
	uapi.FormatBGR161616: packed("b16 g16 r16"),

	uapi.FormatAXBXGXRX106106106106: packed("a10 x6 b10 x6 g10 x6 r10 x6"),

	uapi.FormatXRGB16161616F: float("x16 r16 g16 b16"),
	uapi.FormatXBGR16161616F: float("x16 b16 g16 r16"),
	uapi.FormatARGB16161616F: float("a16 r16 g16 b16"),
	uapi.FormatABGR16161616F: float("a16 b16 g16 r16"),

	uapi.FormatAYUV:            packed("a8 y8 u8 v8"),
	uapi.FormatXYUV8888:        packed("x8 y8 u8 v8"),
	uapi.FormatVUY888:          packed("v8 u8 y8"),
	uapi.FormatY410:            packed("a2 v10 y10 u10"),
	uapi.FormatY412:            packed("a12 x4 v12 x4 y12 x4 u12 x4"),
	uapi.FormatY416:            packed("a16 v16 y16 u16"),
	uapi.FormatXVUY2101010:     packed("x2 v10 u10 y10"),
	uapi.FormatXVYU2101010:     packed("x2 v10 y10 u10"),
	uapi.FormatXVYU12_16161616: packed("x16 v12 x4 y12 x4 u12 x4"),
	uapi.FormatXVYU16161616:    packed("x16 v16 y16 u16"),
}

// packed parses a packing.
func packed(layout string) (p packing) {
	total := 0
	for _, part := range strings.Fields(layout) {
		f := field{component: part[0]}
		if _, err := fmt.Sscan(part[1:], &f.bits); err != nil {
			panic(err) // impossible: the layouts are above
		}
		total += f.bits
		for i := range p.fields {
			p.fields[i].low += f.bits
		}
		if f.component != 'x' {
			p.fields = append(p.fields, f)
		}
		p.yuv = p.yuv || f.component == 'y'
	}
	p.bytes = total / 8
	return p
}

func float(layout string) packing {
	p := packed(layout)
	p.half = true
	return p
}

// reader returns the function that reads pixels. encoding and colorRange are for YUV.
func (p packing) reader(encoding, colorRange uint32) reader {
	var matrix yuvMatrix
	if p.yuv {
		matrix = deepMatrix(p.bits('y'), encoding, colorRange)
	}
	return func(line []uint64, pixels []byte, at, step int) {
		for i := range line {
			var word uint64
			for j, b := range pixels[at : at+p.bytes] {
				word |= uint64(b) << (8 * j)
			}
			line[i] = p.pixel(word, &matrix)
			at += step
		}
	}
}

// bits returns the size of a component.
func (p packing) bits(component byte) int {
	for _, f := range p.fields {
		if f.component == component {
			return f.bits
		}
	}
	return 0
}

func (p packing) pixel(word uint64, matrix *yuvMatrix) uint64 {
	var a, r, g, b, y, u, v uint16 = opaque, 0, 0, 0, 0, 0, 0
	for _, f := range p.fields {
		raw := uint16(word >> f.low & (1<<f.bits - 1))
		wide := widen(raw, f.bits)
		if p.half {
			wide = fromHalf(raw)
		}
		switch f.component {
		case 'a':
			a = wide
		case 'r':
			r = wide
		case 'g':
			g = wide
		case 'b':
			b = wide
		case 'w':
			r, g, b = wide, wide, wide
		case 'y':
			y = raw
		case 'u':
			u = raw
		case 'v':
			v = raw
		}
	}
	if p.yuv {
		return matrix.pixel(y, u, v)&^opaque | uint64(a)
	}
	return argb(a, r, g, b)
}

// widen scales a component to 16 bits, rounded.
func widen(v uint16, bits int) uint16 {
	most := uint32(1)<<bits - 1
	return uint16((uint32(v)*opaque + most/2) / most)
}

// fromHalf converts a floating-point number of 16 bits to a component. Numbers
// outside 0 to 1 become the nearest of them, and so does what is no number.
func fromHalf(h uint16) uint16 {
	exponent, fraction := int(h>>10&0x1f), float64(h&0x3ff)/0x400
	var v float64
	switch {
	case h>>15 != 0:
		return 0
	case exponent == 0x1f && fraction != 0:
		return 0
	case exponent >= 15:
		return opaque
	case exponent == 0:
		v = math.Ldexp(fraction, -14)
	default:
		v = math.Ldexp(1+fraction, exponent-15)
	}
	return uint16(math.Round(v * opaque))
}

// alphaPlanes maps the formats that have alpha in a second plane to the format of
// the first one.
var alphaPlanes = map[uint32]uint32{
	uapi.FormatXRGB8888_A8: uapi.FormatXRGB8888,
	uapi.FormatXBGR8888_A8: uapi.FormatXBGR8888,
	uapi.FormatRGBX8888_A8: uapi.FormatRGBX8888,
	uapi.FormatBGRX8888_A8: uapi.FormatBGRX8888,
	uapi.FormatRGB888_A8:   uapi.FormatRGB888,
	uapi.FormatBGR888_A8:   uapi.FormatBGR888,
	uapi.FormatRGB565_A8:   uapi.FormatRGB565,
	uapi.FormatBGR565_A8:   uapi.FormatBGR565,
}

// withAlpha adds the alpha of the second plane to what color reads.
func (l *Layer) withAlpha(color sampler, alpha []byte) sampler {
	tile, tiled := l.Format.Tile(1, l.Modifier)
	pitch := int(l.Pitches[1])
	return func(line []uint64, p, step image.Point) {
		color(line, p, step)
		for i := range line {
			at := p.Y*pitch + p.X
			if tiled {
				at = tile.Offset(p.X, p.Y, pitch)
			}
			line[i] = line[i]&^opaque | uint64(alpha[at])*257
			p = p.Add(step)
		}
	}
}
