package kms_test

import (
	"encoding/binary"
	"fmt"
	"image/color"
	"math"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// lutBlob encodes a table of struct drm_color_lut that has f for all components.
func lutBlob(entries int, f func(x float64) float64) (data []byte) {
	for i := range entries {
		v := uint16(math.Round(0xffff * f(float64(i)/float64(entries-1))))
		data, _ = binary.Append(data, binary.NativeEndian, []uint16{v, v, v, 0})
	}
	return data
}

// signMagnitude encodes a number of a matrix.
func signMagnitude(v float64) uint64 {
	bits := uint64(math.Round(math.Abs(v) * (1 << 32)))
	if v < 0 {
		bits |= 1 << 63
	}
	return bits
}

func matrixBlob(values ...float64) (data []byte) {
	for _, v := range values {
		data = binary.NativeEndian.AppendUint64(data, signMagnitude(v))
	}
	return data
}

// TestColorManagement compares pictures with DEGAMMA_LUT, CTM and GAMMA_LUT of
// several sizes with the same computed in floating point.
func TestColorManagement(t *testing.T) {
	p, f := newBare(t, policy{crtc: kms.CRTCConfig{GammaSize: 256, GammaLUTSize: 1024, DegammaSize: 33, CTM: true}})
	fb := f.enable()
	for name, size := range map[string]uint64{"DEGAMMA_LUT_SIZE": 33, "GAMMA_LUT_SIZE": 1024} {
		f.wantValue("at first", p.crtc, name, size)
	}
	square, root := func(x float64) float64 { return x * x }, math.Sqrt
	matrix := [9]float64{0.5, 0.5, 0, -0.25, 1.5, 0, 0, 0.25, 0.75}
	same := [9]float64{1, 0, 0, 0, 1, 0, 0, 0, 1}
	one := func(x float64) float64 { return x }
	blob := func(data []byte) uint64 { return uint64(f.createBlob(data)) }
	for _, tc := range []struct {
		what           string
		degamma, gamma uint64
		ctm            uint64
		before, after  func(float64) float64
		matrix         [9]float64
		tolerance      float64
	}{
		{"nothing", 0, 0, 0, one, one, same, 0},
		{"a matrix", 0, 0, blob(matrixBlob(matrix[:]...)), one, one, matrix, 0},
		{"a degamma table", blob(lutBlob(4096, square)), 0, 0, square, one, same, 0},
		{"all three", blob(lutBlob(4096, square)), blob(lutBlob(4096, root)), blob(matrixBlob(matrix[:]...)), square, root, matrix, 1},
		{"a gamma table of two entries", 0, blob(lutBlob(2, func(x float64) float64 { return 1 - x })), 0, one, func(x float64) float64 { return 1 - x }, same, 0},
		{"a gamma table of one entry", 0, blob(lutBlob(1, func(float64) float64 { return 0.5 })), 0, one, func(float64) float64 { return 0.5 }, same, 0},
	} {
		f.must(f.blocking(func() error {
			return f.atomic(0, 0, f.set(p.crtc, "DEGAMMA_LUT", tc.degamma), f.set(p.crtc, "CTM", tc.ctm), f.set(p.crtc, "GAMMA_LUT", tc.gamma))
		}))
		for _, pixel := range []uint32{0x000000, 0xffffff, 0x804020, 0x01fe7f, 0xff0000} {
			f.fill(fb, pixel)
			picture, err := f.screenshot()
			f.must(err)
			got := picture.NRGBAAt(100, 100)
			var in [3]float64
			for i := range in {
				in[i] = tc.before(float64(uint8(pixel>>(16-8*i))) / 255)
			}
			for i, v := range []uint8{got.R, got.G, got.B} {
				m := tc.matrix[3*i:]
				want := math.Round(255 * tc.after(min(max(m[0]*in[0]+m[1]*in[1]+m[2]*in[2], 0), 1)))
				if math.Abs(float64(v)-want) > tc.tolerance {
					t.Errorf("%s: component %d of %#06x is %d, want %v", tc.what, i, pixel, v, want)
				}
			}
		}
	}
	for name, size := range map[string]int{"DEGAMMA_LUT": 9, "GAMMA_LUT": 12, "CTM": 64} {
		want(t, fmt.Sprintf("%s of %d bytes", name, size), f.atomic(0, 0, f.set(p.crtc, name, blob(make([]byte, size)))), unix.EINVAL)
	}
	// The legacy request replaces all three.
	f.must(f.blocking(func() error { return f.atomic(0, 0, f.set(p.crtc, "CTM", blob(matrixBlob(matrix[:]...)))) }))
	table := f.Put(make([]byte, 512))
	f.must(f.blocking(func() error {
		return ioctl(f, uapi.IoctlModeSetGamma, &uapi.ModeCRTCLUT{CRTCID: p.crtc.ID(), GammaSize: 256, Red: table, Green: table, Blue: table})
	}))
	f.wantValue("after SETGAMMA", p.crtc, "CTM", 0)
}

// TestNoGamma checks a CRTC that has a matrix but no tables.
func TestNoGamma(t *testing.T) {
	p, f := newBare(t, policy{crtc: kms.CRTCConfig{CTM: true}})
	list, err := f.kms().Properties(p.crtc.ID(), uapi.ModeObjectCRTC)
	f.must(err)
	for _, name := range []string{"GAMMA_LUT", "GAMMA_LUT_SIZE", "DEGAMMA_LUT", "DEGAMMA_LUT_SIZE"} {
		if _, ok := list.Get(name); ok {
			t.Errorf("a CRTC without tables has %s", name)
		}
	}
	f.wantValue("at first", p.crtc, "CTM", 0)
	want(t, "SETGAMMA", ioctl(f, uapi.IoctlModeSetGamma, &uapi.ModeCRTCLUT{CRTCID: p.crtc.ID()}), unix.ENOSYS)
}

// TestBackgroundColor checks that the background is seen where no plane is, and
// through translucent ones.
func TestBackgroundColor(t *testing.T) {
	p, f := newBare(t, policy{attach: func(p *bare) { p.crtc.AttachBackgroundColorProperty() }})
	fb := f.enable()
	f.fill(fb, 0xffffff)
	f.wantValue("at first", p.crtc, "BACKGROUND_COLOR", 0xffff<<48)
	half := f.filled(uapi.FormatARGB8888, 0x80000000)
	f.must(f.blocking(func() error {
		return f.atomic(0, 0, append(f.show(p.overlay, p.crtc, half, 100, 0, 100, 100, 100, 100),
			f.set(p.primary, "CRTC_W", 64), f.set(p.primary, "SRC_W", 64<<16), f.set(p.crtc, "BACKGROUND_COLOR", 0xffff_8080_4040_2020))...)
	}))
	picture, err := f.screenshot()
	f.must(err)
	for x, want := range map[int]color.NRGBA{63: {255, 255, 255, 255}, 64: {0x80, 0x40, 0x20, 255}, 150: {0x40, 0x20, 0x10, 255}} {
		if got := picture.NRGBAAt(x, 10); got != want {
			t.Errorf("the pixel at %d is %v, want %v", x, got, want)
		}
	}
}
