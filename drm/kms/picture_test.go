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

// A stack is a display with two overlays over a primary plane, all with the
// properties that change how a picture is composed.
type stack struct {
	*bare
	*fixture
	under, over *kms.Plane // the overlays, as they are at first
	base        uint32     // the framebuffer of the primary plane, which is gray
}

const gray = 0xff404040

func newStack(t *testing.T) *stack {
	s := new(stack)
	s.bare, s.fixture = newBare(t, policy{attach: func(p *bare) {
		p.primary.CreateZposProperty(0, 0, 0)
		s.under = p.overlay
		s.over = p.m.AddPlane(kms.PlaneConfig{Type: uapi.PlaneTypeOverlay, PossibleCRTCs: 1, Formats: bareFormats})
		for i, o := range []*kms.Plane{s.under, s.over} {
			o.CreateZposProperty(uint32(1+i), 1, 9)
			o.CreateAlphaProperty()
			o.CreateBlendModeProperty(1<<kms.BlendPremultiplied | 1<<kms.BlendCoverage | 1<<kms.BlendPixelNone)
		}
	}})
	s.base = s.enable()
	s.fill(s.base, gray)
	return s
}

// fill fills a framebuffer with pixels of ARGB8888.
func (f *fixture) fill(fb, pixel uint32) {
	f.Helper()
	pixels, _ := f.pixels(fb)
	for i := 0; i < len(pixels); i += 4 {
		binary.LittleEndian.PutUint32(pixels[i:], pixel)
	}
}

// filled makes a framebuffer of 100x100 pixels of one colour.
func (f *fixture) filled(format, pixel uint32) (fb uint32) {
	f.Helper()
	fb = f.fb(100, 100, format)
	f.fill(fb, pixel)
	return fb
}

func (s *stack) commit(changes ...change) {
	s.Helper()
	s.must(s.blocking(func() error { return s.atomic(0, 0, changes...) }))
}

func (s *stack) wantPixel(what string, x, y int, want color.NRGBA) {
	s.Helper()
	picture, err := s.screenshot()
	s.must(err)
	if got := picture.NRGBAAt(x, y); got != want {
		s.Errorf("%s: the pixel at %d,%d is %v, want %v", what, x, y, got, want)
	}
}

var (
	grayPixel = color.NRGBA{0x40, 0x40, 0x40, 0xff}
	red       = color.NRGBA{0xff, 0, 0, 0xff}
	blue      = color.NRGBA{0, 0, 0xff, 0xff}
)

// TestZpos checks that clients choose the order of planes, and that the order
// is part of the state.
func TestZpos(t *testing.T) {
	s := newStack(t)
	redFB, blueFB := s.filled(uapi.FormatXRGB8888, 0xff0000), s.filled(uapi.FormatXRGB8888, 0x0000ff)
	s.commit(append(s.show(s.under, s.bare.crtc, redFB, 0, 0, 100, 100, 100, 100),
		s.show(s.over, s.bare.crtc, blueFB, 50, 50, 100, 100, 100, 100)...)...)
	s.wantPixel("at first", 75, 75, blue)

	up := s.set(s.under, "zpos", 5)
	want(t, "a test", s.atomic(uapi.ModeAtomicTestOnly, 0, up), 0)
	s.wantPixel("after a test", 75, 75, blue)
	s.commit(up)
	s.wantPixel("raised", 75, 75, red)
	s.wantPixel("beside it", 125, 125, blue)
	s.commit(s.set(s.over, "zpos", 5))
	s.wantPixel("with the same zpos, the higher id is on top", 75, 75, blue)
	for i, p := range []*kms.Plane{s.bare.primary, s.under, s.over} {
		if got := s.m.State().Plane(p).NormalizedZpos; got != i {
			t.Errorf("the normalized zpos of plane %d is %d, want %d", p.ID(), got, i)
		}
	}
	want(t, "zpos out of range", s.atomic(0, 0, s.set(s.over, "zpos", 10)), unix.EINVAL)
	want(t, "an immutable zpos", s.atomic(0, 0, s.set(s.bare.primary, "zpos", 0)), unix.EINVAL)
}

// TestAlpha compares translucent planes with the formulas of the documentation
// of the blend modes, computed in floating point.
func TestAlpha(t *testing.T) {
	s := newStack(t)
	const pixel = 0x60402010 // alpha, red, green, blue
	fb := s.filled(uapi.FormatARGB8888, pixel)
	s.commit(s.show(s.over, s.bare.crtc, fb, 0, 0, 100, 100, 100, 100)...)
	for _, mode := range []kms.BlendMode{kms.BlendPremultiplied, kms.BlendCoverage, kms.BlendPixelNone} {
		for _, alpha := range []uint64{0xffff, 0x8000, 0x1234, 0} {
			s.commit(s.set(s.over, "pixel blend mode", uint64(mode)), s.set(s.over, "alpha", alpha))
			plane, own := float64(alpha)/0xffff, float64(pixel>>24)/0xff
			blend := func(fg, bg uint8) uint8 {
				f, b := float64(fg), float64(bg)
				switch mode {
				case kms.BlendPremultiplied:
					return uint8(math.Round(plane*f + (1-plane*own)*b))
				case kms.BlendCoverage:
					return uint8(math.Round(plane*own*f + (1-plane*own)*b))
				default:
					return uint8(math.Round(plane*f + (1-plane)*b))
				}
			}
			s.wantPixel(fmt.Sprintf("blend mode %d, alpha %#x", mode, alpha), 50, 50,
				color.NRGBA{blend(0x40, 0x40), blend(0x20, 0x40), blend(0x10, 0x40), 0xff})
		}
	}
	want(t, "alpha out of range", s.atomic(0, 0, s.set(s.over, "alpha", 0x10000)), unix.EINVAL)
}

// TestScaledPicture checks where each pixel of a plane that is enlarged and
// reduced comes from.
func TestScaledPicture(t *testing.T) {
	s := newStack(t)
	// The left half is red, the right one blue.
	fb := s.fb(64, 64, uapi.FormatXRGB8888)
	pixels, pitch := s.pixels(fb)
	for y := range 64 {
		for x := range 64 {
			pixel := uint32(0xff0000)
			if x >= 32 {
				pixel = 0x0000ff
			}
			binary.LittleEndian.PutUint32(pixels[y*pitch+4*x:], pixel)
		}
	}
	s.commit(s.show(s.under, s.bare.crtc, fb, 10, 20, 256, 128, 64, 64)...) // 4 times as wide, twice as high
	for _, p := range []struct {
		x, y int
		want color.NRGBA
	}{
		{9, 20, grayPixel}, {10, 20, red}, {137, 147, red}, {138, 20, blue}, {265, 147, blue}, {266, 20, grayPixel}, {10, 148, grayPixel},
	} {
		s.wantPixel("enlarged", p.x, p.y, p.want)
	}
	s.commit(s.show(s.under, s.bare.crtc, fb, 0, 0, 16, 32, 64, 64)...)
	s.wantPixel("reduced", 7, 31, red)
	s.wantPixel("reduced", 8, 0, blue)
	s.wantPixel("beside it", 16, 0, grayPixel)
	want(t, "beyond the limit", s.atomic(0, 0, s.show(s.under, s.bare.crtc, fb, 0, 0, 15, 32, 64, 64)...), unix.ERANGE)
	s.wantPixel("after a refusal", 7, 31, red)
}
