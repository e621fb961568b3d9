package compose

import (
	"encoding/binary"
	"image"
	"math/big"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

// This file has a slow compositor that computes one pixel at a time, written
// from the definitions. The fast one must agree with it on everything.

// A reference is a pixel by components.
type reference struct{ a, r, g, b uint16 }

func (p reference) pixel() uint64 { return argb(p.a, p.r, p.g, p.b) }

// readReference reads the pixel at x, y of a framebuffer.
func readReference(l *Layer, x, y int) reference {
	p := l.Planes[0][y*int(l.Pitches[0])+x*int(l.Format.BlockBytes[0]):]
	byte16 := func(i int) uint16 { return uint16(p[i]) * 257 }
	word := func(i int) uint16 { return binary.LittleEndian.Uint16(p[2*i:]) }
	scaled := func(v, most int) uint16 { return uint16((2*v*0xffff + most) / (2 * most)) }
	switch l.Format.Code {
	case uapi.FormatXRGB8888:
		return reference{0xffff, byte16(2), byte16(1), byte16(0)}
	case uapi.FormatARGB8888:
		return reference{byte16(3), byte16(2), byte16(1), byte16(0)}
	case uapi.FormatXBGR8888:
		return reference{0xffff, byte16(0), byte16(1), byte16(2)}
	case uapi.FormatABGR8888:
		return reference{byte16(3), byte16(0), byte16(1), byte16(2)}
	case uapi.FormatXRGB16161616:
		return reference{0xffff, word(2), word(1), word(0)}
	case uapi.FormatARGB16161616:
		return reference{word(3), word(2), word(1), word(0)}
	case uapi.FormatXBGR16161616:
		return reference{0xffff, word(0), word(1), word(2)}
	case uapi.FormatABGR16161616:
		return reference{word(3), word(0), word(1), word(2)}
	case uapi.FormatXRGB2101010, uapi.FormatARGB2101010:
		v := int(binary.LittleEndian.Uint32(p))
		a := scaled(v>>30, 3)
		if l.Format.Code == uapi.FormatXRGB2101010 {
			a = 0xffff
		}
		return reference{a, scaled(v>>20&1023, 1023), scaled(v>>10&1023, 1023), scaled(v&1023, 1023)}
	case uapi.FormatXBGR2101010, uapi.FormatABGR2101010:
		v := int(binary.LittleEndian.Uint32(p))
		a := scaled(v>>30, 3)
		if l.Format.Code == uapi.FormatXBGR2101010 {
			a = 0xffff
		}
		return reference{a, scaled(v&1023, 1023), scaled(v>>10&1023, 1023), scaled(v>>20&1023, 1023)}
	case uapi.FormatXRGB1555:
		v := int(word(0))
		return reference{0xffff, scaled(v>>10&31, 31), scaled(v>>5&31, 31), scaled(v&31, 31)}
	case uapi.FormatARGB1555:
		v := int(word(0))
		return reference{uint16(v>>15) * 0xffff, scaled(v>>10&31, 31), scaled(v>>5&31, 31), scaled(v&31, 31)}
	case uapi.FormatXBGR1555:
		v := int(word(0))
		return reference{0xffff, scaled(v&31, 31), scaled(v>>5&31, 31), scaled(v>>10&31, 31)}
	case uapi.FormatABGR1555:
		v := int(word(0))
		return reference{uint16(v>>15) * 0xffff, scaled(v&31, 31), scaled(v>>5&31, 31), scaled(v>>10&31, 31)}
	case uapi.FormatRGB565:
		v := int(word(0))
		return reference{0xffff, scaled(v>>11, 31), scaled(v>>5&63, 63), scaled(v&31, 31)}
	case uapi.FormatBGR565:
		v := int(word(0))
		return reference{0xffff, scaled(v&31, 31), scaled(v>>5&63, 63), scaled(v>>11, 31)}
	case uapi.FormatBGRA8888:
		return reference{byte16(0), byte16(1), byte16(2), byte16(3)}
	case uapi.FormatRGBA8888:
		return reference{byte16(0), byte16(3), byte16(2), byte16(1)}
	case uapi.FormatRGB888:
		return reference{0xffff, byte16(2), byte16(1), byte16(0)}
	case uapi.FormatBGR888:
		return reference{0xffff, byte16(0), byte16(1), byte16(2)}
	case uapi.FormatR8, uapi.FormatC8:
		return reference{0xffff, byte16(0), byte16(0), byte16(0)}
	case uapi.FormatD8:
		v := 0xffff - uint16(p[0])*257
		return reference{0xffff, v, v, v}
	}
	panic("no reference for " + fourcc.String(l.Format.Code))
}

// writeReference returns the bytes of a pixel in a format.
func writeReference(format uint32, p reference) []byte {
	nearest := func(v uint16) byte { return byte((2*int(v) + 257) / 514) }
	words := func(w ...uint16) (b []byte) {
		for _, v := range w {
			b = binary.LittleEndian.AppendUint16(b, v)
		}
		return b
	}
	switch format {
	case uapi.FormatXRGB8888:
		return []byte{nearest(p.b), nearest(p.g), nearest(p.r), 0xff}
	case uapi.FormatARGB8888:
		return []byte{nearest(p.b), nearest(p.g), nearest(p.r), nearest(p.a)}
	case uapi.FormatXBGR8888:
		return []byte{nearest(p.r), nearest(p.g), nearest(p.b), 0xff}
	case uapi.FormatABGR8888:
		return []byte{nearest(p.r), nearest(p.g), nearest(p.b), nearest(p.a)}
	case uapi.FormatXRGB16161616:
		return words(p.b, p.g, p.r, 0xffff)
	case uapi.FormatARGB16161616:
		return words(p.b, p.g, p.r, p.a)
	case uapi.FormatXBGR16161616:
		return words(p.r, p.g, p.b, 0xffff)
	case uapi.FormatABGR16161616:
		return words(p.r, p.g, p.b, p.a)
	case uapi.FormatXRGB2101010, uapi.FormatARGB2101010:
		part := func(v uint16, most uint64) uint32 { return uint32((2*uint64(v)*most + 0xffff) / (2 * 0xffff)) }
		a := part(p.a, 3)
		if format == uapi.FormatXRGB2101010 {
			a = 3
		}
		return binary.LittleEndian.AppendUint32(nil, a<<30|part(p.r, 1023)<<20|part(p.g, 1023)<<10|part(p.b, 1023))
	case uapi.FormatRGB565:
		// Both the ratio and the quotient by it are fixed-point numbers.
		down := func(v uint16, most int) uint16 {
			return uint16(fixedInt(int(v)).div(fixedInt(0xffff).div(fixedInt(most))).floor())
		}
		return words(down(p.r, 31)<<11 | down(p.g, 63)<<5 | down(p.b, 31))
	}
	panic("no reference for " + fourcc.String(format))
}

// sourceReference returns the pixel of the framebuffer that l shows at x, y of
// the picture. It reports false if l is not there.
func sourceReference(l *Layer, x, y int) (at image.Point, ok bool) {
	w, h := l.Dst.Dx(), l.Dst.Dy()
	px, py := x-l.Dst.Min.X, y-l.Dst.Min.Y
	if px < 0 || py < 0 || px >= w || py >= h {
		return at, false
	}
	// Undo the rotation quarter by quarter, clockwise, then the reflection.
	quarters := map[uint32]int{
		uapi.ModeRotate0: 0, uapi.ModeRotate90: 1, uapi.ModeRotate180: 2, uapi.ModeRotate270: 3,
	}[l.Rotation&uapi.ModeRotateMask]
	for range quarters {
		px, py, w, h = h-1-py, px, h, w
	}
	if l.Rotation&uapi.ModeReflectX != 0 {
		px = w - 1 - px
	}
	if l.Rotation&uapi.ModeReflectY != 0 {
		py = h - 1 - py
	}
	nearest := func(start, size uint32, p, pixels int) int {
		if size == uint32(pixels)<<16 {
			return int(start>>16) + p
		}
		centre := new(big.Rat).Mul(big.NewRat(int64(2*p+1), int64(2*pixels)), big.NewRat(int64(size), 1))
		centre.Add(centre, big.NewRat(int64(start), 1)).Quo(centre, big.NewRat(1<<16, 1))
		return int(new(big.Int).Div(centre.Num(), centre.Denom()).Int64())
	}
	return image.Pt(nearest(l.SrcX, l.SrcW, px, w), nearest(l.SrcY, l.SrcH, py, h)), true
}

// composeReference returns the pixel at x, y of the picture. All layers are
// premultiplied and opaque as a whole.
func composeReference(layers []Layer, lut []uapi.ColorLUT, x, y int) uint64 {
	out := reference{a: 0xffff}
	for i := range layers {
		at, ok := sourceReference(&layers[i], x, y)
		if !ok {
			continue
		}
		src := readReference(&layers[i], at.X, at.Y)
		blend := func(dst *uint16, src, alpha uint16) {
			sum := (uint64(src)*0xffff + uint64(*dst)*uint64(0xffff-alpha)) % (1 << 32)
			*dst = uint16((sum + 0x7fff) % (1 << 32) / 0xffff)
		}
		blend(&out.r, src.r, src.a)
		blend(&out.g, src.g, src.a)
		blend(&out.b, src.b, src.a)
	}
	if lut != nil {
		out.r = gammaReference(lut, func(e uapi.ColorLUT) uint16 { return e.Red }, out.r)
		out.g = gammaReference(lut, func(e uapi.ColorLUT) uint16 { return e.Green }, out.g)
		out.b = gammaReference(lut, func(e uapi.ColorLUT) uint16 { return e.Blue }, out.b)
	}
	return out.pixel()
}

// gammaReference looks up one component.
func gammaReference(lut []uapi.ColorLUT, channel func(uapi.ColorLUT) uint16, v uint16) uint16 {
	at := func(i int) fixed { return fixedInt(int(channel(lut[i]))) }
	index := fixedInt(int(v)).mul(fixedInt(len(lut) - 1).div(fixedInt(0xffff)))
	floor := index.floor()
	ceil := floor
	if floor != len(lut)-1 {
		ceil = index.ceil()
	}
	return uint16((at(floor) + (at(ceil) - at(floor)).mul(index&fixedFraction)).round())
}
