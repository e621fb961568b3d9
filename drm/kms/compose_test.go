package kms

import (
	"encoding/binary"
	"image"
	"math/big"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

// What follows is a slow compositor that does one pixel at a time, written
// from the definitions. The fast one must agree with it on everything.

// reference is the component-wise form of a pixel.
type reference struct{ a, r, g, b uint16 }

func (p reference) pixel() uint64 { return argb(p.a, p.r, p.g, p.b) }

// readReference reads the pixel at x, y of a framebuffer.
func readReference(fb *Framebuffer, planes [4][]byte, x, y int) reference {
	p := planes[0][y*int(fb.pitches[0])+x*int(fb.format.BlockBytes[0]):]
	byte16 := func(i int) uint16 { return uint16(p[i]) * 257 }
	word := func(i int) uint16 { return binary.LittleEndian.Uint16(p[2*i:]) }
	scaled := func(v, most int) uint16 { return uint16((2*v*0xffff + most) / (2 * most)) }
	switch fb.format.Code {
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
		if fb.format.Code == uapi.FormatXRGB2101010 {
			a = 0xffff
		}
		return reference{a, scaled(v>>20&1023, 1023), scaled(v>>10&1023, 1023), scaled(v&1023, 1023)}
	case uapi.FormatRGB565:
		v := int(word(0))
		return reference{0xffff, scaled(v>>11, 31), scaled(v>>5&63, 63), scaled(v&31, 31)}
	}
	panic("no reference for " + fourcc.String(fb.format.Code))
}

// writeReference is the bytes of a pixel in a format.
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
		// The ratio is a fixed-point quotient, and so is what is divided by it.
		down := func(v uint16, most int) uint16 {
			return uint16(fixedInt(int(v)).div(fixedInt(0xffff).div(fixedInt(most))).floor())
		}
		return words(down(p.r, 31)<<11 | down(p.g, 63)<<5 | down(p.b, 31))
	}
	panic("no reference for " + fourcc.String(format))
}

// A testPlane is a plane with the memory of its framebuffer.
type testPlane struct {
	state PlaneState
	bytes [4][]byte
}

// sourceReference returns where in its framebuffer a plane has what it shows
// at x, y of the screen, if it shows something there.
func sourceReference(ps *PlaneState, x, y int) (at image.Point, ok bool) {
	w, h := int(ps.CRTCW), int(ps.CRTCH)
	px, py := x-int(ps.CRTCX), y-int(ps.CRTCY)
	if px < 0 || py < 0 || px >= w || py >= h {
		return at, false
	}
	// Backwards: the rotation is taken back quarter by quarter, clockwise on
	// the screen, then the reflection.
	quarters := map[uint32]int{Rotate0: 0, Rotate90: 1, Rotate180: 2, Rotate270: 3}[ps.Rotation&rotateMask]
	for range quarters {
		px, py, w, h = h-1-py, px, h, w
	}
	if ps.Rotation&ReflectX != 0 {
		px = w - 1 - px
	}
	if ps.Rotation&ReflectY != 0 {
		py = h - 1 - py
	}
	return image.Pt(int(ps.SrcX>>16)+px, int(ps.SrcY>>16)+py), true
}

// composeReference returns the pixel at x, y of the screen.
func composeReference(planes []testPlane, lut *Blob, x, y int) uint64 {
	out := reference{a: 0xffff}
	for i := range planes {
		ps := &planes[i].state
		at, ok := sourceReference(ps, x, y)
		if !ok {
			continue
		}
		src := readReference(ps.FB, planes[i].bytes, at.X, at.Y)
		blend := func(dst *uint16, src, alpha uint16) {
			sum := (uint64(src)*0xffff + uint64(*dst)*uint64(0xffff-alpha)) % (1 << 32)
			*dst = uint16((sum + 0x7fff) % (1 << 32) / 0xffff)
		}
		blend(&out.r, src.r, src.a)
		blend(&out.g, src.g, src.a)
		blend(&out.b, src.b, src.a)
	}
	if lut != nil {
		out.r, out.g, out.b = gammaReference(lut, 0, out.r), gammaReference(lut, 1, out.g), gammaReference(lut, 2, out.b)
	}
	return out.pixel()
}

// gammaReference looks one component up.
func gammaReference(lut *Blob, channel int, v uint16) uint16 {
	entries := len(lut.data) / lutEntrySize
	at := func(i int) fixed {
		return fixedInt(int(binary.LittleEndian.Uint16(lut.data[lutEntrySize*i+2*channel:])))
	}
	index := fixedInt(int(v)).mul(fixedInt(entries - 1).div(fixedInt(0xffff)))
	floor := index.floor()
	ceil := floor
	if floor != entries-1 {
		ceil = index.ceil()
	}
	return uint16((at(floor) + (at(ceil) - at(floor)).mul(index&fixedFraction)).round())
}

// randomPlane returns a plane at random on a screen of that size.
func randomPlane(r *rand.Rand, w, h int, format uint32) testPlane {
	f := fourcc.Lookup(format)
	fb := &Framebuffer{format: f, width: uint32(1 + r.IntN(2*w)), height: uint32(1 + r.IntN(2*h))}
	var p testPlane
	for i := range f.Planes {
		pw, ph := f.PlaneSize(i, fb.width, fb.height)
		fb.pitches[i] = uint32(f.MinPitch(i, pw)) + 8*uint32(r.IntN(3))
		p.bytes[i] = make([]byte, int(fb.pitches[i])*int(ph))
		for j := range p.bytes[i] {
			p.bytes[i][j] = byte(r.Uint32())
		}
	}
	if f.Alpha {
		// Mostly see-through and mostly premultiplied, as clients have it.
		for j := range p.bytes[0] {
			switch r.IntN(3) {
			case 0:
				p.bytes[0][j] = 0xff
			case 1:
				p.bytes[0][j] &= 0x3f
			}
		}
	}
	srcW, srcH := uint32(1+r.IntN(int(fb.width))), uint32(1+r.IntN(int(fb.height)))
	ps := PlaneState{
		FB: fb, Visible: true,
		SrcX: uint32(r.IntN(int(fb.width-srcW)+1)) << 16, SrcY: uint32(r.IntN(int(fb.height-srcH)+1)) << 16,
		SrcW: srcW << 16, SrcH: srcH << 16,
		CRTCX: int32(r.IntN(2*w) - w/2), CRTCY: int32(r.IntN(2*h) - h/2), CRTCW: srcW, CRTCH: srcH,
		Rotation: Rotate0<<r.IntN(4) | ReflectX*uint32(r.IntN(2)) | ReflectY*uint32(r.IntN(2)),
	}
	if ps.SrcX+ps.SrcW < fb.width<<16 {
		ps.SrcX += uint32(r.IntN(1 << 16)) // parts of a pixel do not count
	}
	if rotatesBy90(ps.Rotation) {
		ps.CRTCW, ps.CRTCH = ps.CRTCH, ps.CRTCW
	}
	if r.IntN(3) == 0 {
		ps.CRTCX, ps.CRTCY = 0, 0
	}
	p.state = ps
	return p
}

func randomLUT(r *rand.Rand, entries int) *Blob {
	b := &Blob{data: make([]byte, entries*lutEntrySize)}
	for i := range b.data {
		b.data[i] = byte(r.Uint32())
	}
	return b
}

func composedFormats() (formats []uint32) {
	for code := range readers {
		formats = append(formats, code)
	}
	return formats
}

// Random scenes look as the slow compositor has them, pixel by pixel.
func TestComposeAsReference(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		formats := composedFormats()
		w, h := 1+r.IntN(40), 1+r.IntN(30)
		s := &scene{width: w, height: h}
		var planes []testPlane
		for range r.IntN(5) {
			p := randomPlane(r, w, h, formats[r.IntN(len(formats))])
			read, err := p.state.sample(p.bytes)
			if err != nil {
				t.Fatal(err)
			}
			s.add(&p.state, read)
			planes = append(planes, p)
		}
		var lut *Blob
		if r.IntN(4) == 0 {
			lut = randomLUT(r, 1+r.IntN(256))
			s.gamma = newGammaCurve(lut)
		}
		lines := 0
		s.compose(func(y int, line []uint64) {
			if y != lines || len(line) != w {
				t.Fatalf("line %d of %d pixels comes where %d of %d should", y, len(line), lines, w)
			}
			lines++
			for x, got := range line {
				if want := composeReference(planes, lut, x, y); got != want {
					t.Fatalf("seed %d: the pixel at %d,%d of %dx%d is %016x, want %016x", seed, x, y, w, h, got, want)
				}
			}
		})
		if lines != h {
			t.Fatalf("%d lines, want %d", lines, h)
		}
	}
}

// Every value of every component is read and written as vkms does.
func TestConversions(t *testing.T) {
	for code, read := range readers {
		fb := &Framebuffer{format: fourcc.Lookup(code)}
		bytes := int(fb.format.BlockBytes[0])
		pixel := make([]byte, bytes)
		var line [1]uint64
		for v := range 1 << 16 {
			for i := 0; i < bytes; i += 2 {
				binary.LittleEndian.PutUint16(pixel[i:], uint16(v+i*0x1234))
			}
			read(line[:], pixel, 0, bytes)
			if want := readReference(fb, [4][]byte{pixel}, 0, 0).pixel(); line[0] != want {
				t.Fatalf("%s: % x is read as %016x, want %016x", fourcc.String(code), pixel, line[0], want)
			}
		}
	}
	for code, write := range writers {
		got := make([]byte, fourcc.Lookup(code).BlockBytes[0])
		for v := range 1 << 16 {
			p := reference{uint16(v), uint16(v + 0x1111), uint16(v + 0x2222), uint16(v + 0x3333)}
			write(got, []uint64{p.pixel()})
			if want := writeReference(code, p); string(got) != string(want) {
				t.Fatalf("%s: %v is written as % x, want % x", fourcc.String(code), p, got, want)
			}
		}
	}
}

// The fixed-point operations, against exact arithmetic: they may lose bits,
// but only where the kernel's do. The values are worked out by hand from what
// drm_fixed.h does.
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

// The identity table of legacy gamma leaves the darkest as it is and makes the
// brightest 0xff00, its last entry, as vkms does.
func TestGammaEnds(t *testing.T) {
	lut := &Blob{}
	for _, v := range identityGamma(256) {
		for _, word := range []uint16{v, v, v, 0} {
			lut.data = binary.LittleEndian.AppendUint16(lut.data, word)
		}
	}
	curve := newGammaCurve(lut)
	for v, want := range map[uint16]uint16{0: 0, 0xffff: 0xff00, 0x8080: 0x8000} {
		if got := curve.channels[1][v]; got != want {
			t.Errorf("%#x becomes %#x, want %#x", v, got, want)
		}
	}
}

// The narrowing of two components at a time is that of each, rounded.
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

// BenchmarkCompose is what a pixel costs in time of a processor, and how many
// times as much as two references in the same run: a plain copy of the
// framebuffer, and what one would write first, a blend of each pixel of each
// plane in floating point.
func BenchmarkCompose(b *testing.B) {
	const w, h = 1920, 1080
	r := rand.New(rand.NewPCG(1, 1))
	full := func(format uint32) testPlane {
		f := fourcc.Lookup(format)
		fb := &Framebuffer{format: f, width: w, height: h}
		p := testPlane{state: PlaneState{FB: fb, Visible: true, SrcW: w << 16, SrcH: h << 16, CRTCW: w, CRTCH: h, Rotation: Rotate0}}
		fb.pitches[0] = w * f.BlockBytes[0]
		p.bytes[0] = make([]byte, int(fb.pitches[0])*h)
		for i := range p.bytes[0] {
			p.bytes[0][i] = byte(r.Uint32())
			if i%4 == 3 && f.Alpha { // colours are premultiplied, as clients draw them
				for j := i - 3; j < i; j++ {
					p.bytes[0][j] = byte(int(p.bytes[0][j]) * int(p.bytes[0][i]) / 255)
				}
			}
		}
		return p
	}
	rotated := full(uapi.FormatXRGB8888)
	rotated.state.Rotation = Rotate180
	small := full(uapi.FormatARGB8888)
	small.state.CRTCW, small.state.CRTCH, small.state.SrcW, small.state.SrcH = 64, 64, 64<<16, 64<<16
	for _, c := range []struct {
		name   string
		planes []testPlane
		gamma  bool
	}{
		{"XRGB8888", []testPlane{full(uapi.FormatXRGB8888)}, false},
		{"XRGB8888+cursor", []testPlane{full(uapi.FormatXRGB8888), small}, false},
		{"ARGB8888", []testPlane{full(uapi.FormatARGB8888)}, false},
		{"ARGB8888-over-XRGB8888", []testPlane{full(uapi.FormatXRGB8888), full(uapi.FormatARGB8888)}, false},
		{"RGB565", []testPlane{full(uapi.FormatRGB565)}, false},
		{"rotate-180", []testPlane{rotated}, false},
		{"gamma", []testPlane{full(uapi.FormatXRGB8888)}, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			runtime.LockOSThread() // whose time is measured
			defer runtime.UnlockOSThread()
			s := &scene{width: w, height: h}
			for _, p := range c.planes {
				read, err := p.state.sample(p.bytes)
				if err != nil {
					b.Fatal(err)
				}
				s.add(&p.state, read)
			}
			if c.gamma {
				s.gamma = newGammaCurve(randomLUT(r, 256))
			}
			src := c.planes[0].bytes[0]
			dst := make([]byte, len(src))
			out := make([]byte, 4*w*h)
			var copying, composing, blending time.Duration
			for b.Loop() {
				copying += threadTime(func() { copy(dst, src) })
				composing += threadTime(func() {
					s.compose(func(y int, line []uint64) { write8888(out[4*w*y:], line, false, 0xff) })
				})
				blending += threadTime(func() { blendFloats(out, c.planes, w) })
			}
			b.ReportMetric(float64(composing)/float64(b.N)/(w*h), "ns/pixel")
			b.ReportMetric(float64(composing)/float64(copying), "×copy")
			b.ReportMetric(float64(composing)/float64(blending), "×float")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// blendFloats puts planes of four bytes a pixel over each other, and what has
// two as if it had four.
func blendFloats(out []byte, planes []testPlane, width int) {
	clear(out)
	for _, p := range planes {
		size := int(p.state.FB.format.BlockBytes[0])
		for y := range int(p.state.CRTCH) {
			for x := range int(p.state.CRTCW) {
				src := p.bytes[0][y*int(p.state.FB.pitches[0])+x*size:][:size]
				dst := out[4*(y*width+x):][:4]
				alpha := 1.0
				if p.state.FB.format.Alpha {
					alpha = float64(src[3]) / 255
				}
				for i := range 3 {
					v := float64(src[i%size]) / 255
					dst[i] = uint8(min(v+float64(dst[i])/255*(1-alpha), 1)*255 + 0.5)
				}
			}
		}
	}
}

// threadTime is how long the processor works at f.
func threadTime(f func()) time.Duration {
	now := func() time.Duration {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
			panic(err)
		}
		return time.Duration(ts.Nano())
	}
	start := now()
	f()
	return now() - start
}
