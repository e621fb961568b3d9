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
	uapi.FormatRGB161616: "r32:16 g16:16 b0:16", uapi.FormatBGR161616: "b32:16 g16:16 r0:16",

	uapi.FormatAXBXGXRX106106106106: "r6:10 g22:10 b38:10 a54:10",
	uapi.FormatXRGB16161616F:        "r32:16 g16:16 b0:16", uapi.FormatXBGR16161616F: "b32:16 g16:16 r0:16",
	uapi.FormatARGB16161616F: "a48:16 r32:16 g16:16 b0:16", uapi.FormatABGR16161616F: "a48:16 b32:16 g16:16 r0:16",

	uapi.FormatAYUV: "a24:8 y16:8 u8:8 v0:8", uapi.FormatXYUV8888: "y16:8 u8:8 v0:8", uapi.FormatVUY888: "v16:8 u8:8 y0:8",
	uapi.FormatXVUY2101010: "v20:10 u10:10 y0:10",
	uapi.FormatY410:        "a30:2 v20:10 y10:10 u0:10", uapi.FormatXVYU2101010: "v20:10 y10:10 u0:10",
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
	// Planes of luma and of both colour differences, by bits.
	semiplanar := func(luma, u, v int) {
		take('y', 0, luma, 10)
		take('u', 1, u, 10)
		take('v', 1, v, 10)
	}
	planar := func(luma, difference, bits int) {
		take('y', 0, luma, bits)
		take('u', 1, difference, bits)
		take('v', 2, difference, bits)
	}
	switch code {
	case uapi.FormatS010, uapi.FormatS210, uapi.FormatS410:
		planar(x*16, pair*16, 10)
	case uapi.FormatS012, uapi.FormatS212, uapi.FormatS412:
		planar(x*16, pair*16, 12)
	case uapi.FormatS016, uapi.FormatS216, uapi.FormatS416:
		planar(x*16, pair*16, 16)
	case uapi.FormatT430:
		planar(x/3*32+x%3*10, x/3*32+x%3*10, 10)
	case uapi.FormatXYYY2101010:
		take('y', 0, x/3*32+x%3*10, 10)
	case uapi.FormatY8:
		take('y', 0, x*8, 8)
	case uapi.FormatY0L0, uapi.FormatX0L0, uapi.FormatY0L2, uapi.FormatX0L2:
		// A3:A2:Y3:Cr0:Y2:A1:A0:Y1:Cb0:Y0, of 10 bits or of 8 above two zeros.
		n := y%2*2 + x%2
		row := l.Planes[0][y/2*2*int(l.Pitches[0]):]
		low, bits := 0, 10
		if code == uapi.FormatY0L0 || code == uapi.FormatX0L0 {
			low, bits = 2, 8
		}
		for c, at := range map[byte]int{'y': []int{0, 20, 32, 52}[n], 'u': 10, 'v': 42} {
			all[c] = sample{bitsAt(row, x/2*64+at+low, bits), bits}
		}
		if f.Alpha {
			all['a'] = sample{bitsAt(row, x/2*64+[]int{30, 31, 62, 63}[n], 1), 1}
		}
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
	case uapi.FormatNV15, uapi.FormatNV20, uapi.FormatNV30:
		semiplanar(x*10, pair*20, pair*20+10)
	case uapi.FormatP030, uapi.FormatP230:
		// Three pairs in 64 bits, of which 30, 31, 62 and 63 are empty.
		semiplanar(x/3*32+x%3*10, pair/3*64+[]int{0, 20, 42}[pair%3], pair/3*64+[]int{10, 32, 52}[pair%3])
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
		if all['u'].bits == 0 { // grey
			cb, cr = 0, 0
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
	codes := slices.Concat(slices.Collect(maps.Keys(packings)), slices.Collect(maps.Keys(blockBits)), []uint32{uapi.FormatY8})
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

// TestBits checks pixels that are smaller than a byte, and those of D8: grey, entries
// of a palette, or darkness.
func TestBits(t *testing.T) {
	lut := randomLUT(rand.New(rand.NewPCG(1, 2)), 256)
	palette := NewPalette(lut)
	for _, code := range slices.Concat(bitFormats, []uint32{uapi.FormatD8}) {
		l := randomLayer(rand.New(rand.NewPCG(1, uint64(code))), 19, 5, code, false)
		bits := l.Format.BitsPerPixel()
		most := uint16(1)<<bits - 1
		planes, err := l.trimmed()
		if err != nil {
			t.Fatal(err)
		}
		read := l.sampler(planes)
		for y := range int(l.Height) {
			line := make([]uint64, l.Width)
			read(line, image.Pt(0, y), image.Pt(1, 0))
			if l.Format.Indexed {
				palette.apply(line)
			}
			for x, got := range line {
				first := uint32(x) * bits // the highest bit of a byte is the first one
				b := l.Planes[0][y*int(l.Pitches[0])+int(first/8)]
				v := uint16(b>>(8-first%8-bits)) & most
				want := grey(uint16(uint32(v) * opaque / uint32(most)))
				switch fourcc.String(code)[0] {
				case 'C':
					want = argb(opaque, lut[v].Red, lut[v].Green, lut[v].Blue)
				case 'D':
					want = grey(uint16(uint32(most-v) * opaque / uint32(most)))
				}
				if got != want {
					t.Fatalf("%s at %d,%d: %016x, want %016x", fourcc.String(code), x, y, got, want)
				}
			}
		}
	}
}

// TestBlocksThatDoNotFit checks layers whose last blocks are not whole, or that lack
// a byte of memory.
func TestBlocksThatDoNotFit(t *testing.T) {
	for _, tc := range []struct {
		w, h     uint32
		modifier uint64
		missing  int
		ok       bool
	}{
		{8, 6, uapi.FormatModLinear, 0, true},
		{8, 6, uapi.FormatModLinear, 1, false},
		{7, 6, uapi.FormatModLinear, 0, false},
		{8, 5, uapi.FormatModLinear, 0, false},
		{8, 6, fourcc.ModVivanteTiled, 0, false},
	} {
		l := Layer{
			Format: fourcc.Lookup(uapi.FormatY0L2), Width: tc.w, Height: tc.h, Modifier: tc.modifier,
			Pitches: [4]uint32{20}, Planes: [4][]byte{make([]byte, 2*2*20+4*8-tc.missing)},
			SrcW: tc.w << 16, SrcH: tc.h << 16, Dst: image.Rect(0, 0, 8, 6), Rotation: uapi.ModeRotate0, Alpha: opaque,
		}
		p := &Picture{Width: 8, Height: 6}
		if err := p.Add(&l); (err == nil) != tc.ok {
			t.Errorf("%+v: %v", tc, err)
		} else if tc.ok {
			p.Lines(nil, func(int, []uint64) {})
		}
	}
}
