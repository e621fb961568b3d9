package compose

import (
	"image"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

// BenchmarkCompose measures the processor time of a pixel. It also reports the
// ratio to two references in the same run: a plain copy of the framebuffer, and
// a naive blend of each pixel of each layer in floating point.
func BenchmarkCompose(b *testing.B) {
	const w, h = 1920, 1080
	r := rand.New(rand.NewPCG(1, 1))
	full := func(format uint32) Layer {
		f := fourcc.Lookup(format)
		l := Layer{
			Format: f, Width: w, Height: h, SrcW: w << 16, SrcH: h << 16,
			Dst: image.Rect(0, 0, w, h), Rotation: uapi.ModeRotate0, Alpha: opaque,
		}
		l.Pitches[0] = w * f.BlockBytes[0]
		pixels := make([]byte, int(l.Pitches[0])*h)
		l.Planes[0] = pixels
		for i := range pixels {
			pixels[i] = byte(r.Uint32())
			if i%4 == 3 && f.Alpha { // colours are premultiplied, as clients draw them
				for j := i - 3; j < i; j++ {
					pixels[j] = byte(int(pixels[j]) * int(pixels[i]) / 255)
				}
			}
		}
		return l
	}
	rotated := full(uapi.FormatXRGB8888)
	rotated.Rotation = uapi.ModeRotate180
	small := full(uapi.FormatARGB8888)
	small.Dst, small.SrcW, small.SrcH = image.Rect(0, 0, 64, 64), 64<<16, 64<<16
	scaled := full(uapi.FormatXRGB8888)
	scaled.SrcW, scaled.SrcH = w/2<<16, h/2<<16
	translucent := full(uapi.FormatARGB8888)
	translucent.Alpha, translucent.Blend = 0x8000, Coverage
	for _, c := range []struct {
		name   string
		layers []Layer
		gamma  bool
	}{
		{"XRGB8888", []Layer{full(uapi.FormatXRGB8888)}, false},
		{"XRGB8888+cursor", []Layer{full(uapi.FormatXRGB8888), small}, false},
		{"ARGB8888", []Layer{full(uapi.FormatARGB8888)}, false},
		{"ARGB8888-over-XRGB8888", []Layer{full(uapi.FormatXRGB8888), full(uapi.FormatARGB8888)}, false},
		{"RGB565", []Layer{full(uapi.FormatRGB565)}, false},
		{"rotate-180", []Layer{rotated}, false},
		{"scaled-2x", []Layer{scaled}, false},
		{"coverage-and-alpha", []Layer{full(uapi.FormatXRGB8888), translucent}, false},
		{"gamma", []Layer{full(uapi.FormatXRGB8888)}, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			runtime.LockOSThread() // threadTime measures this thread
			defer runtime.UnlockOSThread()
			p := &Picture{Width: w, Height: h}
			for _, l := range c.layers {
				if err := p.Add(&l); err != nil {
					b.Fatal(err)
				}
			}
			var gamma Grade
			if c.gamma {
				gamma = NewGamma(randomLUT(r, 256))
			}
			src := c.layers[0].Planes[0]
			dst := make([]byte, len(src))
			out := make([]byte, 4*w*h)
			var copying, composing, blending time.Duration
			for b.Loop() {
				copying += threadTime(func() { copy(dst, src) })
				composing += threadTime(func() {
					p.Lines(gamma, func(y int, line []uint64) { write8888(out[4*w*y:], line, false, 0xff) })
				})
				blending += threadTime(func() { blendFloats(out, c.layers, w) })
			}
			b.ReportMetric(float64(composing)/float64(b.N)/(w*h), "ns/pixel")
			b.ReportMetric(float64(composing)/float64(copying), "×copy")
			b.ReportMetric(float64(composing)/float64(blending), "×float")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// blendFloats blends layers of four bytes per pixel in floating point. It
// treats those of two bytes as if they had four.
func blendFloats(out []byte, layers []Layer, width int) {
	clear(out)
	for _, l := range layers {
		size := int(l.Format.BlockBytes[0])
		for y := range l.Dst.Dy() {
			for x := range l.Dst.Dx() {
				src := l.Planes[0][y*int(l.Pitches[0])+x*size:][:size]
				dst := out[4*(y*width+x):][:4]
				alpha := 1.0
				if l.Format.Alpha {
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

// threadTime returns the processor time that f takes.
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
