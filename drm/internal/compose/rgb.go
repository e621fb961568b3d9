package compose

import (
	"encoding/binary"
	"image"

	"github.com/udrm/udrm/drm/uapi"
)

// argb returns a composed pixel. It has 16 bits per component: alpha, red,
// green and blue from the lowest. In little-endian order, its bytes are those
// over which vkms computes its CRC.
func argb(a, r, g, b uint16) uint64 {
	return uint64(a) | uint64(r)<<16 | uint64(g)<<32 | uint64(b)<<48
}

const opaque = 0xffff

// A reader reads len(line) pixels of a framebuffer of one plane. The first is
// at pixels[at:], and each of the next is step bytes further.
type reader func(line []uint64, pixels []byte, at, step int)

var readers = map[uint32]reader{
	uapi.FormatXRGB8888:     func(line []uint64, p []byte, at, step int) { read8888(line, p, at, step, false, opaque) },
	uapi.FormatARGB8888:     func(line []uint64, p []byte, at, step int) { read8888(line, p, at, step, false, 0) },
	uapi.FormatXBGR8888:     func(line []uint64, p []byte, at, step int) { read8888(line, p, at, step, true, opaque) },
	uapi.FormatABGR8888:     func(line []uint64, p []byte, at, step int) { read8888(line, p, at, step, true, 0) },
	uapi.FormatXRGB16161616: func(line []uint64, p []byte, at, step int) { read16161616(line, p, at, step, false, opaque) },
	uapi.FormatARGB16161616: func(line []uint64, p []byte, at, step int) { read16161616(line, p, at, step, false, 0) },
	uapi.FormatXBGR16161616: func(line []uint64, p []byte, at, step int) { read16161616(line, p, at, step, true, opaque) },
	uapi.FormatABGR16161616: func(line []uint64, p []byte, at, step int) { read16161616(line, p, at, step, true, 0) },
	uapi.FormatXRGB2101010:  func(line []uint64, p []byte, at, step int) { read2101010(line, p, at, step, false, opaque) },
	uapi.FormatARGB2101010:  func(line []uint64, p []byte, at, step int) { read2101010(line, p, at, step, false, 0) },
	uapi.FormatXBGR2101010:  func(line []uint64, p []byte, at, step int) { read2101010(line, p, at, step, true, opaque) },
	uapi.FormatABGR2101010:  func(line []uint64, p []byte, at, step int) { read2101010(line, p, at, step, true, 0) },
	uapi.FormatXRGB1555:     func(line []uint64, p []byte, at, step int) { read1555(line, p, at, step, false, opaque) },
	uapi.FormatARGB1555:     func(line []uint64, p []byte, at, step int) { read1555(line, p, at, step, false, 0) },
	uapi.FormatXBGR1555:     func(line []uint64, p []byte, at, step int) { read1555(line, p, at, step, true, opaque) },
	uapi.FormatABGR1555:     func(line []uint64, p []byte, at, step int) { read1555(line, p, at, step, true, 0) },
	uapi.FormatBGRA8888:     func(line []uint64, p []byte, at, step int) { readFirstAlpha(line, p, at, step, false) },
	uapi.FormatRGBA8888:     func(line []uint64, p []byte, at, step int) { readFirstAlpha(line, p, at, step, true) },
	uapi.FormatRGB888:       func(line []uint64, p []byte, at, step int) { read888(line, p, at, step, false) },
	uapi.FormatBGR888:       func(line []uint64, p []byte, at, step int) { read888(line, p, at, step, true) },
	uapi.FormatRGB565:       func(line []uint64, p []byte, at, step int) { read565(line, p, at, step, false) },
	uapi.FormatBGR565:       func(line []uint64, p []byte, at, step int) { read565(line, p, at, step, true) },
	uapi.FormatR8:           readR8,
	// A palette is the gamma table of the CRTC. It turns grey into the entry that
	// the pixel names.
	uapi.FormatC8: readR8,
	uapi.FormatD8: readD8,
}

// read8888 reads bytes in the order blue, green, red, alpha, or with red and
// blue swapped. It sets the bits of alpha in each pixel.
func read8888(line []uint64, pixels []byte, at, step int, swapped bool, alpha uint64) {
	for i := range line {
		v := spread(binary.BigEndian.Uint32(pixels[at:]))
		if swapped {
			v = swapRB(v)
		}
		line[i] = v | alpha
		at += step
	}
}

// spread widens the bytes of v to 16 bits each.
func spread(bytes uint32) uint64 {
	v := uint64(bytes)
	v = (v | v<<16) & 0x0000ffff0000ffff
	v = (v | v<<8) & 0x00ff00ff00ff00ff
	return v | v<<8 // v*257
}

// readFirstAlpha reads bytes in the order alpha, red, green, blue, or with red
// and blue swapped.
func readFirstAlpha(line []uint64, pixels []byte, at, step int, swapped bool) {
	for i := range line {
		v := spread(binary.LittleEndian.Uint32(pixels[at:]))
		if swapped {
			v = swapRB(v)
		}
		line[i] = v
		at += step
	}
}

// read888 reads bytes in the order blue, green, red, or with red and blue
// swapped.
func read888(line []uint64, pixels []byte, at, step int, swapped bool) {
	for i := range line {
		p := pixels[at : at+3]
		v := spread(uint32(p[0])<<24 | uint32(p[1])<<16 | uint32(p[2])<<8 | 0xff)
		if swapped {
			v = swapRB(v)
		}
		line[i] = v
		at += step
	}
}

func readR8(line []uint64, pixels []byte, at, step int) {
	for i := range line {
		line[i] = grey(uint16(pixels[at]) * 257)
		at += step
	}
}

func grey(v uint16) uint64 { return argb(opaque, v, v, v) }

// bitFormats are the formats with several pixels in a byte.
var bitFormats = []uint32{
	uapi.FormatR1, uapi.FormatR2, uapi.FormatR4,
	uapi.FormatC1, uapi.FormatC2, uapi.FormatC4,
	uapi.FormatD1, uapi.FormatD2, uapi.FormatD4,
}

// sampleBits reads a format with several grey pixels in a byte, the first one in
// the highest bits. Numbers of entries of a palette become those of C8.
func (l *Layer) sampleBits(pixels []byte) sampler {
	perByte := int(l.Format.BlockWidth[0])
	bits, pitch := 8/perByte, int(l.Pitches[0])
	most := byte(1)<<bits - 1
	scale, invert := opaque/uint16(most), uint16(0)
	switch l.Format.Code {
	case uapi.FormatC1, uapi.FormatC2, uapi.FormatC4:
		scale = 257
	case uapi.FormatD1, uapi.FormatD2, uapi.FormatD4:
		invert = opaque
	}
	return func(line []uint64, p, step image.Point) {
		for i := range line {
			b := pixels[p.Y*pitch+p.X/perByte] >> (8 - bits - p.X%perByte*bits)
			line[i] = grey(uint16(b&most)*scale ^ invert)
			p = p.Add(step)
		}
	}
}

// readD8 reads darkness, the opposite of brightness.
func readD8(line []uint64, pixels []byte, at, step int) {
	for i := range line {
		line[i] = grey(^(uint16(pixels[at]) * 257))
		at += step
	}
}

// read16161616 is like read8888 for components of 16 bits.
func read16161616(line []uint64, pixels []byte, at, step int, swapped bool, alpha uint64) {
	for i := range line {
		v := binary.LittleEndian.Uint64(pixels[at:])
		v = v>>48 | v>>16&0xffff0000 | v&0xffff0000<<16 | v<<48
		if swapped {
			v = swapRB(v)
		}
		line[i] = v | alpha
		at += step
	}
}

func swapRB(v uint64) uint64 { return v&0x0000ffff0000ffff | v>>32&0xffff0000 | v&0xffff0000<<32 }

func read2101010(line []uint64, pixels []byte, at, step int, swapped bool, alpha uint64) {
	for i := range line {
		p := binary.LittleEndian.Uint32(pixels[at:])
		v := argb(uint16(p>>30)*0x5555, from10[p>>20&0x3ff], from10[p>>10&0x3ff], from10[p&0x3ff])
		if swapped {
			v = swapRB(v)
		}
		line[i] = v | alpha
		at += step
	}
}

func read1555(line []uint64, pixels []byte, at, step int, swapped bool, alpha uint64) {
	for i := range line {
		p := binary.LittleEndian.Uint16(pixels[at:])
		v := argb(p>>15*opaque, from5[p>>10&0x1f], from5[p>>5&0x1f], from5[p&0x1f])
		if swapped {
			v = swapRB(v)
		}
		line[i] = v | alpha
		at += step
	}
}

func read565(line []uint64, pixels []byte, at, step int, swapped bool) {
	for i := range line {
		w := binary.LittleEndian.Uint16(pixels[at:])
		v := argb(opaque, from5[w>>11], from6[w>>5&0x3f], from5[w&0x1f])
		if swapped {
			v = swapRB(v)
		}
		line[i] = v
		at += step
	}
}

// from5, from6 and from10 widen components of that many bits.
var from5, from6, from10 = func() (five [1 << 5]uint16, six [1 << 6]uint16, ten [1 << 10]uint16) {
	widen := func(table []uint16) {
		ratio := fixedInt(0xffff).div(fixedInt(len(table) - 1))
		for i := range table {
			table[i] = uint16(fixedInt(i).mul(ratio).round())
		}
	}
	widen(five[:])
	widen(six[:])
	widen(ten[:])
	return five, six, ten
}()

// A Writer writes a composed line as pixels of a format.
type Writer func(pixels []byte, line []uint64)

// WriterFor returns the writer for a format, or nil if the format cannot be
// written.
func WriterFor(code uint32) Writer { return writers[code] }

// writers has the formats of vkms' writeback connectors and some more.
var writers = map[uint32]Writer{
	uapi.FormatXRGB8888:     func(p []byte, line []uint64) { write8888(p, line, false, 0xff) },
	uapi.FormatARGB8888:     func(p []byte, line []uint64) { write8888(p, line, false, 0) },
	uapi.FormatXBGR8888:     func(p []byte, line []uint64) { write8888(p, line, true, 0xff) },
	uapi.FormatABGR8888:     func(p []byte, line []uint64) { write8888(p, line, true, 0) },
	uapi.FormatXRGB16161616: func(p []byte, line []uint64) { write16161616(p, line, false, opaque) },
	uapi.FormatARGB16161616: func(p []byte, line []uint64) { write16161616(p, line, false, 0) },
	uapi.FormatXBGR16161616: func(p []byte, line []uint64) { write16161616(p, line, true, opaque) },
	uapi.FormatABGR16161616: func(p []byte, line []uint64) { write16161616(p, line, true, 0) },
	uapi.FormatXRGB2101010:  func(p []byte, line []uint64) { write2101010(p, line, 3) },
	uapi.FormatARGB2101010:  func(p []byte, line []uint64) { write2101010(p, line, 0) },
	uapi.FormatRGB565:       writeRGB565,
}

// to8888 rounds the components of a pixel to 8 bits: blue, green, red and alpha
// from the lowest. It computes two at a time, each in 32 bits: (v*255 + 32895)
// >> 16 is v/257, rounded.
func to8888(v uint64) uint32 {
	const lanes, half = 0x0000ffff_0000ffff, 0x0000807f_0000807f
	alphaGreen := ((v&lanes)*255 + half) >> 16
	redBlue := ((v>>16&lanes)*255 + half) >> 16
	return uint32(alphaGreen)<<24 | uint32(alphaGreen>>24)&0xff00 | uint32(redBlue)&0xff<<16 | uint32(redBlue>>32)
}

func write8888(pixels []byte, line []uint64, swapped bool, alpha uint32) {
	for i, v := range line {
		if swapped {
			v = swapRB(v)
		}
		binary.LittleEndian.PutUint32(pixels[4*i:], to8888(v)|alpha<<24)
	}
}

func write16161616(pixels []byte, line []uint64, swapped bool, alpha uint64) {
	for i, v := range line {
		if swapped {
			v = swapRB(v)
		}
		v |= alpha
		v = v>>48 | v>>16&0xffff0000 | v&0xffff0000<<16 | v<<48
		binary.LittleEndian.PutUint64(pixels[8*i:], v)
	}
}

func write2101010(pixels []byte, line []uint64, alpha uint32) {
	to10 := func(v uint16) uint32 { return (uint32(v)*1023 + opaque/2) / opaque }
	for i, v := range line {
		a := (uint32(uint16(v))*3 + opaque/2) / opaque
		r, g, b := to10(uint16(v>>16)), to10(uint16(v>>32)), to10(uint16(v>>48))
		binary.LittleEndian.PutUint32(pixels[4*i:], b|g<<10|r<<20|(a|alpha)<<30)
	}
}

// writeRGB565 rounds down, as vkms of Linux 6.12 does.
func writeRGB565(pixels []byte, line []uint64) {
	for i, v := range line {
		r, g, b := uint32(uint16(v>>16)), uint32(uint16(v>>32)), uint32(uint16(v>>48))
		binary.LittleEndian.PutUint16(pixels[2*i:], uint16(r*31/0xffff<<11|g*63/0xffff<<5|b*31/0xffff))
	}
}
