package kms_test

import (
	"encoding/binary"
	"image"
	"math"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

var mode1280 = mode.Mode{
	Clock: 83500, HDisplay: 1280, HSyncStart: 1352, HSyncEnd: 1480, HTotal: 1680,
	VDisplay: 800, VSyncStart: 803, VSyncEnd: 809, VTotal: 831, Name: "1280x800",
	Type: uapi.ModeTypeDriver | uapi.ModeTypePreferred,
}

// TestMonitorPicture shows 1024x768 pixels on a panel of 1280x800, with all
// properties that move or scale the picture, and computes each pixel in floating
// point.
func TestMonitorPicture(t *testing.T) {
	p, f := newBare(t, policy{attach: func(p *bare) {
		p.connector.AttachScalingModeProperty(0xf, uapi.ModeScaleNone)
		for _, name := range []string{"left margin", "right margin", "top margin", "bottom margin", "underscan hborder", "underscan vborder"} {
			p.m.AttachProperty(p.connector, p.m.CreateRangeProperty(name, 0, 0, 128), kms.PropertyConfig{})
		}
		p.m.AttachProperty(p.connector, p.m.CreateEnumProperty("underscan", 0,
			kms.PropertyEnum{Value: 0, Name: "off"}, kms.PropertyEnum{Value: 1, Name: "on"}, kms.PropertyEnum{Value: 2, Name: "auto"}), kms.PropertyConfig{})
		p.crtc.CreateScalingFilterProperty(1 << kms.FilterNearest)
	}})
	f.guarded(func(dev *drm.RegisteredDevice) error {
		p.connector.Hotplug(dev, uapi.ModeConnected, &kms.Monitor{Modes: []mode.Mode{mode1280, mode1024}})
		return nil
	})
	if picture, err := p.connector.MonitorPicture(nil); err == nil {
		t.Errorf("a dark connector shows %v", picture.Rect)
	}
	fb := f.enable()
	pixels, pitch := f.pixels(fb)
	channels := func(x, y int) [3]uint8 { return [3]uint8{uint8(x * 37), uint8(y * 11), uint8(x*y + x>>8)} }
	for y := range 768 {
		for x := range 1024 {
			c := channels(x, y)
			binary.LittleEndian.PutUint32(pixels[y*pitch+4*x:], uint32(c[0])<<16|uint32(c[1])<<8|uint32(c[2]))
		}
	}

	type values map[string]uint64
	const none, full, center, aspect = uapi.ModeScaleNone, uapi.ModeScaleFullscreen, uapi.ModeScaleCenter, uapi.ModeScaleAspect
	var picture *image.NRGBA
	for _, tc := range []struct {
		name     string
		set      values
		size     image.Point
		at       image.Rectangle
		nearest  bool
		unscaled bool
	}{
		{"none", nil, image.Pt(1024, 768), image.Rect(0, 0, 1024, 768), false, true},
		{"full", values{"scaling mode": full}, image.Pt(1280, 800), image.Rect(0, 0, 1280, 800), false, false},
		{"center", values{"scaling mode": center}, image.Pt(1280, 800), image.Rect(128, 16, 1152, 784), false, true},
		{"aspect", values{"scaling mode": aspect}, image.Pt(1280, 800), image.Rect(107, 0, 1173, 800), false, false},
		{"nearest", values{"scaling mode": full, "SCALING_FILTER": uint64(kms.FilterNearest)}, image.Pt(1280, 800), image.Rect(0, 0, 1280, 800), true, false},
		{"margins", values{"left margin": 10, "right margin": 20, "top margin": 30, "bottom margin": 40}, image.Pt(1024, 768), image.Rect(10, 30, 1004, 728), false, false},
		{"underscan", values{"underscan": 1, "underscan hborder": 101, "underscan vborder": 50}, image.Pt(1024, 768), image.Rect(50, 25, 973, 743), false, false},
		{"borders that are off", values{"underscan hborder": 101}, image.Pt(1024, 768), image.Rect(0, 0, 1024, 768), false, true},
		{"all", values{"scaling mode": center, "underscan": 2, "underscan vborder": 20, "left margin": 100}, image.Pt(1280, 800), image.Rect(228, 26, 1152, 774), false, false},
	} {
		var changes []change
		for _, name := range []string{"scaling mode", "left margin", "right margin", "top margin", "bottom margin", "underscan", "underscan hborder", "underscan vborder"} {
			changes = append(changes, f.set(p.connector, name, tc.set[name]))
		}
		changes = append(changes, f.set(p.crtc, "SCALING_FILTER", tc.set["SCALING_FILTER"]))
		f.must(f.blocking(func() error { return f.atomic(uapi.ModeAtomicAllowModeset, 0, changes...) }))
		var err error
		if picture, err = p.connector.MonitorPicture(picture); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if picture.Rect.Size() != tc.size {
			t.Errorf("%s: the picture has the size %v, want %v", tc.name, picture.Rect.Size(), tc.size)
			continue
		}
		wrong := 0
		for y := range tc.size.Y {
			for x := range tc.size.X {
				got := picture.NRGBAAt(x, y)
				want, tolerance := [3]float64{}, 0.0
				if (image.Point{X: x, Y: y}).In(tc.at) {
					want, tolerance = scaled(channels, image.Pt(1024, 768), tc.at, x, y, tc.nearest), 1
				}
				if tc.unscaled {
					tolerance = 0
				}
				for i, g := range [3]uint8{got.R, got.G, got.B} {
					if math.Abs(float64(g)-want[i]) > tolerance || got.A != 0xff {
						if wrong++; wrong < 3 {
							t.Errorf("%s: the pixel at %d,%d is %v, want %v", tc.name, x, y, got, want)
						}
					}
				}
			}
		}
	}
}

// scaled computes the pixel at x, y of a picture that is scaled into at, by the
// nearest pixel of the source or by bilinear interpolation.
func scaled(pixel func(x, y int) [3]uint8, size image.Point, at image.Rectangle, x, y int, nearest bool) (c [3]float64) {
	position := func(v, low, length, pixels int) float64 {
		return (float64(v-low) + 0.5) * float64(pixels) / float64(length)
	}
	sx, sy := position(x, at.Min.X, at.Dx(), size.X), position(y, at.Min.Y, at.Dy(), size.Y)
	if nearest {
		for i, v := range pixel(int(sx), int(sy)) {
			c[i] = float64(v)
		}
		return c
	}
	around := func(v float64, pixels int) (low, high int, share float64) {
		v = min(max(v-0.5, 0), float64(pixels-1))
		low = int(v)
		return low, min(low+1, pixels-1), v - float64(low)
	}
	left, right, byX := around(sx, size.X)
	top, bottom, byY := around(sy, size.Y)
	for i := range c {
		at := func(x, y int) float64 { return float64(pixel(x, y)[i]) }
		upper := at(left, top)*(1-byX) + at(right, top)*byX
		lower := at(left, bottom)*(1-byX) + at(right, bottom)*byX
		c[i] = upper*(1-byY) + lower*byY
	}
	return c
}
