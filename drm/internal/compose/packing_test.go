package compose

import (
	"fmt"
	"image"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

// components says where the components of pixels are: "r11:5" is red in 5 bits from
// bit 11 of the pixel.
var components = map[uint32]string{
	uapi.FormatR10: "r0:10 g0:10 b0:10", uapi.FormatR12: "r0:12 g0:12 b0:12", uapi.FormatR16: "r0:16 g0:16 b0:16",
	uapi.FormatRG88: "r8:8 g0:8", uapi.FormatGR88: "r0:8 g8:8",
	uapi.FormatRG1616: "r16:16 g0:16", uapi.FormatGR1616: "r0:16 g16:16",
	uapi.FormatRGB332: "r5:3 g2:3 b0:2", uapi.FormatBGR233: "b6:2 g3:3 r0:3",
	uapi.FormatXRGB4444: "r8:4 g4:4 b0:4", uapi.FormatXBGR4444: "b8:4 g4:4 r0:4",
	uapi.FormatRGBX4444: "r12:4 g8:4 b4:4", uapi.FormatBGRX4444: "b12:4 g8:4 r4:4",
	uapi.FormatARGB4444: "a12:4 r8:4 g4:4 b0:4", uapi.FormatABGR4444: "a12:4 b8:4 g4:4 r0:4",
	uapi.FormatRGBA4444: "r12:4 g8:4 b4:4 a0:4", uapi.FormatBGRA4444: "b12:4 g8:4 r4:4 a0:4",
	uapi.FormatRGBX5551: "r11:5 g6:5 b1:5", uapi.FormatBGRX5551: "b11:5 g6:5 r1:5",
	uapi.FormatRGBA5551: "r11:5 g6:5 b1:5 a0:1", uapi.FormatBGRA5551: "b11:5 g6:5 r1:5 a0:1",
	uapi.FormatRGBX8888: "r24:8 g16:8 b8:8", uapi.FormatBGRX8888: "b24:8 g16:8 r8:8",
	uapi.FormatRGBX1010102: "r22:10 g12:10 b2:10", uapi.FormatBGRX1010102: "b22:10 g12:10 r2:10",
	uapi.FormatRGBA1010102: "r22:10 g12:10 b2:10 a0:2", uapi.FormatBGRA1010102: "b22:10 g12:10 r2:10 a0:2",
	uapi.FormatAXBXGXRX106106106106: "r6:10 g22:10 b38:10 a54:10",
	uapi.FormatXRGB16161616F:        "r32:16 g16:16 b0:16", uapi.FormatXBGR16161616F: "b32:16 g16:16 r0:16",
	uapi.FormatARGB16161616F: "a48:16 r32:16 g16:16 b0:16", uapi.FormatABGR16161616F: "a48:16 b32:16 g16:16 r0:16",

	uapi.FormatAYUV: "a24:8 y16:8 u8:8 v0:8", uapi.FormatXYUV8888: "y16:8 u8:8 v0:8", uapi.FormatVUY888: "v16:8 u8:8 y0:8",
	uapi.FormatY410: "a30:2 v20:10 y10:10 u0:10", uapi.FormatXVYU2101010: "v20:10 y10:10 u0:10",
	uapi.FormatY412: "a52:12 v36:12 y20:12 u4:12", uapi.FormatXVYU12_16161616: "v36:12 y20:12 u4:12",
	uapi.FormatY416: "a48:16 v32:16 y16:16 u0:16", uapi.FormatXVYU16161616: "v32:16 y16:16 u0:16",
}

// bitsAt returns bits of a line.
func bitsAt(line []byte, at, bits int) (v uint32) {
	for i := range bits {
		v |= uint32(line[(at+i)/8]>>((at+i)%8)&1) << i
	}
	return v
}

// A sample is a number of so many bits.
type sample struct {
	v    uint32
	bits int
}

// samplesAt returns the samples of a pixel by their names.
func samplesAt(l *Layer, x, y int) map[byte]sample {
	f, code := l.Format, l.Format.Code
	line := func(plane int) []byte {
		if plane > 0 {
			return l.Planes[plane][y/int(f.VSub)*int(l.Pitches[plane]):]
		}
		return l.Planes[0][y*int(l.Pitches[0]):]
	}
	all := map[byte]sample{}
	if places, ok := components[code]; ok {
		for place := range strings.FieldsSeq(places) {
			var at, bits int
			if _, err := fmt.Sscanf(place[1:], "%d:%d", &at, &bits); err != nil {
				panic(err)
			}
			all[place[0]] = sample{bitsAt(line(0), x*int(f.BlockBytes[0])*8+at, bits), bits}
		}
		return all
	}
	take := func(c byte, plane, at, bits int) { all[c] = sample{bitsAt(line(plane), at, bits), bits} }
	pair := x / int(f.HSub)
	switch code {
	case uapi.FormatY210, uapi.FormatY212, uapi.FormatY216:
		bits := map[uint32]int{uapi.FormatY210: 10, uapi.FormatY212: 12, uapi.FormatY216: 16}[code]
		take('y', 0, pair*64+x%2*32+16-bits, bits)
		take('u', 0, pair*64+32-bits, bits)
		take('v', 0, pair*64+64-bits, bits)
	case uapi.FormatP210:
		take('y', 0, x*16+6, 10)
		take('u', 1, pair*32+6, 10)
		take('v', 1, pair*32+22, 10)
	case uapi.FormatQ410, uapi.FormatQ401:
		take('y', 0, x*16+6, 10)
		take("uv"[flagOf(code == uapi.FormatQ401)], 1, x*16+6, 10)
		take("vu"[flagOf(code == uapi.FormatQ401)], 2, x*16+6, 10)
	case uapi.FormatNV15:
		take('y', 0, x*10, 10)
		take('u', 1, pair*20, 10)
		take('v', 1, pair*20+10, 10)
	case uapi.FormatP030:
		take('y', 0, x/3*32+x%3*10, 10)
		// Three pairs in 64 bits, of which 30, 31, 62 and 63 are empty.
		take('u', 1, pair/3*64+[]int{0, 20, 42}[pair%3], 10)
		take('v', 1, pair/3*64+[]int{10, 32, 52}[pair%3], 10)
	default:
		panic("no samples of " + fourcc.String(code))
	}
	return all
}

func flagOf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// colorOf computes a pixel from its samples: alpha, red, green and blue from 0 to 1.
func colorOf(l *Layer, all map[byte]sample) (color [4]float64) {
	part := func(c byte) float64 {
		s := all[c]
		if isFloat(l.Format.Code) && s.bits > 0 {
			return halfReference(uint16(s.v))
		}
		if s.bits == 0 {
			return 0
		}
		return float64(s.v) / float64(uint32(1)<<s.bits-1)
	}
	color = [4]float64{1, part('r'), part('g'), part('b')}
	if all['a'].bits > 0 {
		color[0] = part('a')
	}
	if y := all['y']; y.bits > 0 {
		unit, most := float64(uint32(1)<<(y.bits-8)), float64(uint32(1)<<y.bits-1)
		luma, cb, cr := float64(y.v)/most, (float64(all['u'].v)-128*unit)/most, (float64(all['v'].v)-128*unit)/most
		if l.Range == LimitedRange {
			luma, cb, cr = (float64(y.v)-16*unit)/(219*unit), cb*most/(224*unit), cr*most/(224*unit)
		}
		kr, kb := 0.299, 0.114
		switch l.Encoding {
		case BT709:
			kr, kb = 0.2126, 0.0722
		case BT2020:
			kr, kb = 0.2627, 0.0593
		}
		r, b := luma+2*(1-kr)*cr, luma+2*(1-kb)*cb
		color[1], color[2], color[3] = r, (luma-kr*r-kb*b)/(1-kr-kb), b
	}
	return color
}

func isFloat(code uint32) bool {
	return slices.Contains([]uint32{uapi.FormatXRGB16161616F, uapi.FormatXBGR16161616F, uapi.FormatARGB16161616F, uapi.FormatABGR16161616F}, code)
}

// halfReference widens the number to 32 bits, as IEEE 754 describes it.
func halfReference(h uint16) float64 {
	sign, exponent, fraction := uint32(h>>15), uint32(h>>10&31), uint32(h&1023)
	switch {
	case exponent == 31:
		exponent = 255
	case exponent > 0:
		exponent += 127 - 15
	default: // the fraction counts units of 2^-24
		v := float64(fraction) / (1 << 24)
		if sign != 0 {
			v = -v
		}
		return v
	}
	v := float64(math.Float32frombits(sign<<31 | exponent<<23 | fraction<<13))
	if math.IsNaN(v) {
		return 0
	}
	return v
}

// TestPackings compares single pixels with a computation from the definitions of their
// formats.
func TestPackings(t *testing.T) {
	codes := slices.Collect(maps.Keys(packings))
	for code, layout := range yuvLayouts {
		if layout.bits != 0 {
			codes = append(codes, code)
		}
	}
	for _, code := range codes {
		for seed := range uint64(40) {
			r := rand.New(rand.NewPCG(seed, uint64(code)))
			l := randomLayer(r, 9, 6, code, false)
			l.Encoding, l.Range = r.Uint32N(3), r.Uint32N(2)
			planes, err := l.trimmed()
			if err != nil {
				t.Fatal(err)
			}
			read := l.sampler(planes)
			for y := range int(l.Height) {
				line := make([]uint64, l.Width)
				read(line, image.Pt(0, y), image.Pt(1, 0))
				for x, got := range line {
					for i, want := range colorOf(&l, samplesAt(&l, x, y)) {
						want = min(max(want, 0), 1) * 0xffff
						if c := float64(uint16(got >> (16 * i))); math.Abs(c-want) > 0.501 {
							t.Fatalf("%s, seed %d: component %d at %d,%d is %v, want %v", fourcc.String(code), seed, i, x, y, c, want)
						}
					}
				}
			}
		}
	}
}

// TestAlphaPlanes checks that alpha comes from the second plane.
func TestAlphaPlanes(t *testing.T) {
	for code, rgb := range alphaPlanes {
		l := randomLayer(rand.New(rand.NewPCG(1, uint64(code))), 8, 8, code, false)
		planes, err := l.trimmed()
		if err != nil {
			t.Fatal(err)
		}
		color := l
		color.Format = fourcc.Lookup(rgb)
		for y := range int(l.Height) {
			got, want := make([]uint64, l.Width), make([]uint64, l.Width)
			l.sampler(planes)(got, image.Pt(0, y), image.Pt(1, 0))
			color.sampler(planes)(want, image.Pt(0, y), image.Pt(1, 0))
			for x := range want {
				if v := want[x]&^0xffff | uint64(l.Planes[1][y*int(l.Pitches[1])+x])*257; got[x] != v {
					t.Fatalf("%s at %d,%d: %016x, want %016x", fourcc.String(code), x, y, got[x], v)
				}
			}
		}
	}
}

// TestPalette checks that a gamma table of 256 entries is the palette of C8.
func TestPalette(t *testing.T) {
	lut := randomLUT(rand.New(rand.NewPCG(1, 2)), 256)
	p := &Picture{Width: 256, Height: 1}
	l := Layer{
		Format: fourcc.Lookup(uapi.FormatC8), Width: 256, Height: 1, Pitches: [4]uint32{256}, Planes: [4][]byte{make([]byte, 256)},
		SrcW: 256 << 16, SrcH: 1 << 16, Rotation: uapi.ModeRotate0, Alpha: opaque,
	}
	l.Dst.Max = image.Pt(256, 1)
	for i := range l.Planes[0] {
		l.Planes[0][i] = byte(i)
	}
	if err := p.Add(&l); err != nil {
		t.Fatal(err)
	}
	p.Lines(NewPalette(lut), func(_ int, line []uint64) {
		for i, got := range line {
			if want := argb(opaque, lut[i].Red, lut[i].Green, lut[i].Blue); got != want {
				t.Errorf("entry %d is %016x, want %016x", i, got, want)
			}
		}
	})
}
