package kms_test

import (
	"image/color"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// TestColorProperties checks that a plane with YUV formats has COLOR_ENCODING
// and COLOR_RANGE, and that they count.
func TestColorProperties(t *testing.T) {
	config := vkms.ConfigOf(drm.Linux612)
	clock := new(kms.ManualClock)
	config.Clock, config.Formats = clock, []uint32{uapi.FormatNV12}
	f := newFixtureOf(t, config)
	f.clock = clock
	f.setCap(uapi.ClientCapUniversalPlanes, 1)
	primary := f.driver.ModeConfig().Planes()[0].ID()
	property := func(name string) uint32 {
		ids, _ := f.properties(primary, uapi.ModeObjectPlane)
		for _, id := range ids {
			p := uapi.ModeGetProperty{PropID: id}
			f.must(ioctl(f, uapi.IoctlModeGetProperty, &p))
			if cString(p.Name[:]) == name {
				return id
			}
		}
		t.Fatalf("no property %s", name)
		return 0
	}
	encoding, colorRange := property("COLOR_ENCODING"), property("COLOR_RANGE")

	handle, pitch := f.dumb(1024, 768*3/2, 8)
	arg := uapi.ModeFBCmd2{
		Width: 1024, Height: 768, PixelFormat: uapi.FormatNV12,
		Handles: [4]uint32{handle, handle}, Pitches: [4]uint32{pitch, pitch}, Offsets: [4]uint32{0, 768 * pitch},
	}
	f.must(ioctl(f, uapi.IoctlModeAddFB2, &arg))
	pixels, _ := f.pixels(arg.FBID)
	for i := range pixels {
		pixels[i] = 81
		if i >= 768*int(pitch) {
			pixels[i] = []byte{90, 240}[i%2] // red
		}
	}
	crtc := f.driver.ModeConfig().CRTCs()[0].ID()
	connector := f.driver.ModeConfig().Connectors()[0].ID()
	f.setCap(uapi.ClientCapAtomic, 1)
	scene := []change{
		{connector, crtcPropID, uint64(crtc)},
		{crtc, modePropID, uint64(f.createBlob(structBytes(f.mode("1024x768"))))},
		{crtc, activeID, 1},
		{primary, fbPropID, uint64(arg.FBID)}, {primary, crtcPropID, uint64(crtc)},
		{primary, 15, 1024}, {primary, 16, 768}, {primary, 11, 1024 << 16}, {primary, 12, 768 << 16},
	}
	f.must(f.blocking(func() error { return f.atomic(uapi.ModeAtomicAllowModeset, 0, scene...) }))
	check := func(what string, c color.NRGBA) {
		t.Helper()
		picture, err := f.screenshot()
		f.must(err)
		if got := picture.NRGBAAt(1023, 767); got != c {
			t.Errorf("%s: %v, want %v", what, got, c)
		}
	}
	check("BT.601, limited", color.NRGBA{254, 0, 0, 255})
	f.must(f.blocking(func() error { return f.atomic(0, 0, change{primary, colorRange, 1}) }))
	check("BT.601, full", color.NRGBA{238, 14, 14, 255})
	f.must(f.blocking(func() error { return f.atomic(0, 0, change{primary, encoding, 1}) }))
	check("BT.709, full", color.NRGBA{255, 36, 10, 255})
	want(t, "an unknown encoding", f.atomic(0, 0, change{primary, encoding, 3}), unix.EINVAL)
}
