package compose

import (
	"encoding/binary"
	"errors"
	"image"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

// randomLayer returns a layer for a picture of w by h pixels.
func randomLayer(r *rand.Rand, w, h int, format uint32, scaled bool) Layer {
	f := fourcc.Lookup(format)
	l := Layer{
		Format: f, Width: uint32(1 + r.IntN(2*w)), Height: uint32(1 + r.IntN(2*h)), Alpha: opaque,
		Rotation: uint32(uapi.ModeRotate0<<r.IntN(4) | uapi.ModeReflectX*r.IntN(2) | uapi.ModeReflectY*r.IntN(2)),
	}
	if f.Planes == 1 { // the kernel refuses other sizes
		l.Width += l.Width % uint32(f.HSub)
		l.Height += l.Height % uint32(f.VSub)
	}
	for i := range f.Planes {
		pw, ph := f.PlaneSize(i, l.Width, l.Height)
		l.Pitches[i] = uint32(f.MinPitch(i, pw)) + 8*uint32(r.IntN(3))
		l.Planes[i] = make([]byte, int(l.Pitches[i])*int(ph))
		for j := range l.Planes[i] {
			l.Planes[i][j] = byte(r.Uint32())
		}
	}
	if f.Alpha {
		// Mostly translucent and premultiplied, as clients draw.
		for j := range l.Planes[0] {
			switch r.IntN(3) {
			case 0:
				l.Planes[0][j] = 0xff
			case 1:
				l.Planes[0][j] &= 0x3f
			}
		}
	}
	srcW, srcH := 1+r.IntN(int(l.Width)), 1+r.IntN(int(l.Height))
	l.SrcW, l.SrcH = uint32(srcW)<<16, uint32(srcH)<<16
	l.SrcX, l.SrcY = uint32(r.IntN(int(l.Width)-srcW+1))<<16, uint32(r.IntN(int(l.Height)-srcH+1))<<16
	if l.SrcX+l.SrcW < l.Width<<16 {
		l.SrcX += uint32(r.IntN(1 << 16))
	}
	if scaled {
		l.SrcW -= uint32(r.IntN(1 << 16))
		srcW, srcH = 1+r.IntN(2*w), 1+r.IntN(2*h)
	} else if l.Rotation&(uapi.ModeRotate90|uapi.ModeRotate270) != 0 {
		srcW, srcH = srcH, srcW
	}
	at := image.Pt(r.IntN(2*w)-w/2, r.IntN(2*h)-h/2)
	if r.IntN(3) == 0 {
		at = image.Point{}
	}
	l.Dst = image.Rectangle{at, at.Add(image.Pt(srcW, srcH))}
	return l
}

func randomLUT(r *rand.Rand, entries int) []uapi.ColorLUT {
	lut := make([]uapi.ColorLUT, entries)
	for i := range lut {
		lut[i] = uapi.ColorLUT{Red: uint16(r.Uint32()), Green: uint16(r.Uint32()), Blue: uint16(r.Uint32())}
	}
	return lut
}

// rgbFormats returns the RGB formats that can be read, in a fixed order.
func rgbFormats() []uint32 { return slices.Sorted(maps.Keys(readers)) }

// TestLines compares random pictures with the slow compositor, pixel by pixel.
func TestLines(t *testing.T) {
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(seed, 1))
		formats := rgbFormats()
		w, h := 1+r.IntN(40), 1+r.IntN(30)
		p := &Picture{Width: w, Height: h}
		var layers []Layer
		for range r.IntN(5) {
			l := randomLayer(r, w, h, formats[r.IntN(len(formats))], seed%3 == 0)
			if err := p.Add(&l); err != nil {
				t.Fatal(err)
			}
			layers = append(layers, l)
		}
		var lut []uapi.ColorLUT
		var gamma Grade
		if r.IntN(4) == 0 {
			lut = randomLUT(r, 1+r.IntN(256))
			gamma = NewGamma(lut)
		}
		lines := 0
		p.Lines(gamma, func(y int, line []uint64) {
			if y != lines || len(line) != w {
				t.Fatalf("line %d has %d pixels, want line %d with %d", y, len(line), lines, w)
			}
			lines++
			for x, got := range line {
				if want := composeReference(layers, lut, x, y); got != want {
					t.Fatalf("seed %d: the pixel at %d,%d of %dx%d is %016x, want %016x", seed, x, y, w, h, got, want)
				}
			}
		})
		if lines != h {
			t.Fatalf("%d lines, want %d", lines, h)
		}
		checkRGBA(t, p, gamma)
	}
}

// TestAdd checks that layers that would read outside their memory are refused.
func TestAdd(t *testing.T) {
	good := Layer{
		Format: fourcc.Lookup(uapi.FormatNV12), Width: 4, Height: 4, Pitches: [4]uint32{4, 4},
		Planes: [4][]byte{make([]byte, 16), make([]byte, 8)}, SrcW: 4 << 16, SrcH: 4 << 16,
		Dst: image.Rect(0, 0, 4, 4), Rotation: uapi.ModeRotate0, Alpha: opaque,
	}
	for what, change := range map[string]func(*Layer){
		"no change":       func(*Layer) {},
		"no format":       func(l *Layer) { l.Format = nil },
		"unread format":   func(l *Layer) { l.Format = fourcc.Lookup(uapi.FormatNV15) },
		"too wide":        func(l *Layer) { l.SrcX = 1 },
		"too high":        func(l *Layer) { l.SrcH++ },
		"wraps around":    func(l *Layer) { l.SrcX, l.SrcW = 1<<31, 1<<31 },
		"short plane 0":   func(l *Layer) { l.Planes[0] = l.Planes[0][:15] },
		"short plane 1":   func(l *Layer) { l.Planes[1] = l.Planes[1][:7] },
		"no plane 1":      func(l *Layer) { l.Planes[1] = nil },
		"no rotation":     func(l *Layer) { l.Rotation = 0 },
		"two rotations":   func(l *Layer) { l.Rotation = uapi.ModeRotate90 | uapi.ModeRotate180 },
		"bad encoding":    func(l *Layer) { l.Encoding = 3 },
		"bad range":       func(l *Layer) { l.Range = 2 },
		"big destination": func(l *Layer) { l.Dst.Max.X = 1<<31 + 1 },
	} {
		l := good
		change(&l)
		p := &Picture{Width: 4, Height: 4}
		if err := p.Add(&l); errors.Is(err, unix.EINVAL) == (what == "no change") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestConversions compares reading and writing of every value of every
// component with the definitions.
func TestConversions(t *testing.T) {
	for code, read := range readers {
		l := &Layer{Format: fourcc.Lookup(code)}
		bytes := int(l.Format.BlockBytes[0])
		pixel := make([]byte, bytes+1)[:bytes]
		var line [1]uint64
		for v := range 1 << 16 {
			for i := 0; i < bytes; i += 2 {
				binary.LittleEndian.PutUint16(pixel[i:i+2:bytes+1], uint16(v+i*0x1234))
			}
			l.Planes[0] = pixel
			read(line[:], pixel, 0, bytes)
			if want := readReference(l, 0, 0).pixel(); line[0] != want {
				t.Fatalf("%s: reading % x gives %016x, want %016x", fourcc.String(code), pixel, line[0], want)
			}
		}
	}
	for code, write := range writers {
		got := make([]byte, fourcc.Lookup(code).BlockBytes[0])
		for v := range 1 << 16 {
			p := reference{uint16(v), uint16(v + 0x1111), uint16(v + 0x2222), uint16(v + 0x3333)}
			write(got, []uint64{p.pixel()})
			if want := writeReference(code, p); string(got) != string(want) {
				t.Fatalf("%s: writing %v gives % x, want % x", fourcc.String(code), p, got, want)
			}
		}
	}
}

// TestFixed compares fixed-point operations with exact arithmetic. They may
// lose bits, but only where the kernel's do. The values are worked out by hand
// from drm_fixed.h.
func TestFixed(t *testing.T) {
	for _, c := range []struct {
		what      string
		got, want fixed
	}{
		{"65535/31", fixedInt(65535).div(fixedInt(31)), fixed(new(big.Int).Div(new(big.Int).Lsh(big.NewInt(65535), 32), big.NewInt(31)).Int64())},
		{"255/65535 is 1/257", fixedInt(255).div(fixedInt(65535)), 1 << 32 / 257},
		// The product would need 70 bits: 5 and 4 are given up.
		{"65535*(1/257)", fixedInt(65535).mul(1 << 32 / 257), 65535 << 27 * (1 << 32 / 257 >> 4) >> 23},
		{"1*1", fixedInt(1).mul(fixedInt(1)), fixedInt(1)},
		{"-3*0.5", fixedInt(-3).mul(fixedOne / 2), -3 << 31},
		{"0/7", fixedInt(0).div(fixedInt(7)), 0},
		{"0*7", fixedInt(0).mul(fixedInt(7)), 0},
	} {
		if c.got != c.want {
			t.Errorf("%s is %#x, want %#x", c.what, int64(c.got), int64(c.want))
		}
	}
	for _, c := range []struct {
		v                  fixed
		floor, round, ceil int
	}{{fixedOne / 2, 0, 1, 1}, {fixedOne/2 - 1, 0, 0, 1}, {fixedInt(5), 5, 5, 5}, {0, 0, 0, 0}, {fixedInt(5) + 1, 5, 5, 6}} {
		if c.v.floor() != c.floor || c.v.round() != c.round || c.v.ceil() != c.ceil {
			t.Errorf("%#x: %d, %d, %d, want %d, %d, %d", int64(c.v), c.v.floor(), c.v.round(), c.v.ceil(), c.floor, c.round, c.ceil)
		}
	}
}

// TestGammaEnds checks that the identity table of legacy gamma keeps black, and
// maps the brightest value to 0xff00, its last entry, as vkms does.
func TestGammaEnds(t *testing.T) {
	lut := make([]uapi.ColorLUT, 256)
	for i := range lut {
		v := uint16(i) << 8
		lut[i] = uapi.ColorLUT{Red: v, Green: v, Blue: v}
	}
	gamma := NewGamma(lut)
	for v, want := range map[uint16]uint16{0: 0, 0xffff: 0xff00, 0x8080: 0x8000} {
		if got := gamma.channels[1][v]; got != want {
			t.Errorf("gamma of %#x is %#x, want %#x", v, got, want)
		}
	}
}

// TestTo8888 checks that two components at a time are rounded like each alone.
func TestTo8888(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for v := range uint32(1 << 16) {
		a, red, green, blue := v, r.Uint32N(1<<16), r.Uint32N(1<<16), 0xffff-v
		slow := func(v uint32) uint32 { return (v + 128) / 257 }
		want := slow(a)<<24 | slow(red)<<16 | slow(green)<<8 | slow(blue)
		if got := to8888(argb(uint16(a), uint16(red), uint16(green), uint16(blue))); got != want {
			t.Fatalf("%x, %x, %x, %x: %x, want %x", a, red, green, blue, got, want)
		}
	}
}

// TestGreyBits reads formats with several pixels in a byte, forwards, backwards
// and downwards.
func TestGreyBits(t *testing.T) {
	const width, height = 16, 2
	pixels := []byte{0b10110001, 0b00000111, 0b11100100, 0b00011011}
	for _, tc := range []struct {
		code uint32
		want [height][4]uint16 // the first pixels of a line
	}{
		{uapi.FormatR1, [height][4]uint16{{0xffff, 0, 0xffff, 0xffff}, {0xffff, 0xffff, 0xffff, 0}}},
		{uapi.FormatR2, [height][4]uint16{{0xaaaa, 0xffff, 0, 0x5555}, {0xffff, 0xaaaa, 0x5555, 0}}},
		{uapi.FormatR4, [height][4]uint16{{0xbbbb, 0x1111, 0, 0x7777}, {0xeeee, 0x4444, 0x1111, 0xbbbb}}},
	} {
		format := fourcc.Lookup(tc.code)
		l := Layer{Format: format, Pitches: [4]uint32{2}}
		read := l.sampler([4][]byte{pixels})
		for y := range height {
			line := make([]uint64, 4)
			read(line, image.Pt(0, y), image.Pt(1, 0))
			for x, want := range tc.want[y] {
				if line[x] != grey(want) {
					t.Errorf("%v: pixel %d,%d is %#x, want %#x", format, x, y, line[x], grey(want))
				}
			}
			read(line, image.Pt(3, y), image.Pt(-1, 0))
			if line[3] != grey(tc.want[y][0]) {
				t.Errorf("%v: backwards, pixel 0,%d is %#x", format, y, line[3])
			}
		}
		column := make([]uint64, height)
		read(column, image.Pt(1, 0), image.Pt(0, 1))
		for y := range height {
			if column[y] != grey(tc.want[y][1]) {
				t.Errorf("%v: downwards, pixel 1,%d is %#x", format, y, column[y])
			}
		}
	}
}
