package kms_test

import (
	"encoding/binary"
	"image/color"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// TestTiled lays pixels out in tiles and checks that the picture has them in
// their places, also rotated.
func TestTiled(t *testing.T) {
	var overlay *kms.Plane
	p, f := newBare(t, policy{attach: func(p *bare) {
		overlay = p.m.AddPlane(kms.PlaneConfig{
			Type: uapi.PlaneTypeOverlay, PossibleCRTCs: 1, Formats: bareFormats,
			Modifiers: []uint64{uapi.FormatModLinear, fourcc.ModI915XTiled, fourcc.ModVivanteTiled},
		})
		overlay.CreateRotationProperty(uapi.ModeRotateMask)
	}})
	f.enable()
	const w, h = 256, 60
	pixel := func(x, y int) uint32 { return uint32(x)<<16 | uint32(y)<<8 | uint32(x^y)&0xff }
	for _, tc := range []struct {
		modifier     uint64
		tileW, tileH int // pixels
		shorter      uint32
	}{
		{fourcc.ModI915XTiled, 128, 8, 4 * 8},
		{fourcc.ModVivanteTiled, 4, 4, 8},
	} {
		handle, pitch := f.dumb(w, 64, 32)
		arg := uapi.ModeFBCmd2{
			Width: w, Height: h, PixelFormat: uapi.FormatXRGB8888, Flags: uapi.ModeFBModifiers,
			Handles: [4]uint32{handle}, Pitches: [4]uint32{pitch}, Modifier: [4]uint64{tc.modifier},
		}
		bad := arg
		bad.Width, bad.Pitches[0] = w-64, pitch-tc.shorter
		want(t, "a pitch that is no multiple of a tile", ioctl(f, uapi.IoctlModeAddFB2, &bad), unix.EINVAL)
		bad = arg
		bad.Height = 65
		want(t, "a row of tiles too many", ioctl(f, uapi.IoctlModeAddFB2, &bad), unix.EINVAL)
		f.must(ioctl(f, uapi.IoctlModeAddFB2, &arg))
		pixels, _ := f.pixels(arg.FBID)
		at := 0
		for top := 0; top < 64; top += tc.tileH { // tile by tile
			for left := 0; left < w; left += tc.tileW {
				for y := range tc.tileH {
					for x := range tc.tileW {
						binary.LittleEndian.PutUint32(pixels[at:], pixel(left+x, top+y))
						at += 4
					}
				}
			}
		}
		check := func(rotation uint64, cw, ch uint32, source func(x, y int) (int, int)) {
			t.Helper()
			changes := append(f.show(overlay, p.crtc, arg.FBID, 0, 0, cw, ch, w, h), f.set(overlay, "rotation", rotation))
			f.must(f.blocking(func() error { return f.atomic(0, 0, changes...) }))
			picture, err := f.screenshot()
			f.must(err)
			for y := range int(ch) {
				for x := range int(cw) {
					v := pixel(source(x, y))
					if got, want := picture.NRGBAAt(x, y), (color.NRGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255}); got != want {
						t.Fatalf("modifier %#x, rotation %d: the pixel at %d,%d is %v, want %v", tc.modifier, rotation, x, y, got, want)
					}
				}
			}
		}
		check(uapi.ModeRotate0, w, h, func(x, y int) (int, int) { return x, y })
		check(uapi.ModeRotate90, h, w, func(x, y int) (int, int) { return w - 1 - y, x })
	}
	handle, pitch := f.dumb(w, 64, 32)
	want(t, "a layout that no plane knows", ioctl(f, uapi.IoctlModeAddFB2, &uapi.ModeFBCmd2{
		Width: w, Height: h, PixelFormat: uapi.FormatXRGB8888, Flags: uapi.ModeFBModifiers,
		Handles: [4]uint32{handle}, Pitches: [4]uint32{pitch}, Modifier: [4]uint64{1<<56 | 2},
	}), unix.EINVAL)
}
