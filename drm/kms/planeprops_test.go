package kms_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// rects returns the content of FB_DAMAGE_CLIPS.
func rects(coordinates ...int32) []byte {
	data, _ := binary.Append(nil, binary.NativeEndian, coordinates)
	return data
}

// TestDamage checks which clips FB_DAMAGE_CLIPS may have, that they belong to
// one commit, and that the driver sees them.
func TestDamage(t *testing.T) {
	var damage [][]image.Rectangle
	var p *bare
	p, f := newBare(t, policy{
		limits: kms.Limits{DirtyFB: true},
		attach: func(p *bare) { p.primary.EnableFBDamageClips() },
		driver: kms.Driver{Commit: func(_ *drm.RegisteredDevice, _, new *kms.State) error {
			ps := new.Plane(p.primary)
			damage = append(damage, ps.Damage())
			return nil
		}},
	})
	fb := f.enable()
	flip := f.set(p.primary, "FB_ID", uint64(fb))
	try := func(what string, errno unix.Errno, clips []byte) {
		t.Helper()
		blob := f.createBlob(clips)
		err := f.blocking(func() error {
			return f.atomic(0, 0, flip, f.set(p.primary, "FB_DAMAGE_CLIPS", uint64(blob)))
		})
		want(t, what, err, errno)
	}
	wantLast := func(what string, clips ...image.Rectangle) {
		t.Helper()
		if got := damage[len(damage)-1]; !slices.Equal(got, clips) {
			t.Errorf("%s: the driver is told of %v, want %v", what, got, clips)
		}
	}
	try("two clips", 0, rects(0, 0, 1024, 768, 10, 20, 30, 40))
	wantLast("two clips", image.Rect(0, 0, 1024, 768), image.Rect(10, 20, 30, 40))
	try("half a clip", unix.EINVAL, rects(0, 0))
	try("an empty clip", unix.EINVAL, rects(10, 10, 10, 20))
	try("a reversed clip", unix.EINVAL, rects(10, 10, 5, 20))
	try("a clip to the left", unix.EINVAL, rects(-1, 0, 10, 10))
	try("a clip far beyond the framebuffer", unix.EINVAL, rects(0, 0, 1024<<16+1, 10))
	try("a clip that ends beyond the framebuffer", 0, rects(0, 0, 1025, 10))
	wantLast("a clip that ends beyond the framebuffer", image.Rect(0, 0, 1024, 10))
	if _, id := f.named(p.primary, "FB_DAMAGE_CLIPS"); id == 0 {
		t.Error("FB_DAMAGE_CLIPS reads as 0 after its commit")
	}
	f.must(f.blocking(func() error { return f.atomic(0, 0, flip) }))
	f.wantValue("after the next commit", p.primary, "FB_DAMAGE_CLIPS", 0)
	wantLast("a flip without clips")

	objects := p.m.Objects()
	clips := drmtest.PutSlice(f.Arena, []uint16{1, 2, 3, 4, 0, 0, 2, 2})
	dirty := func(flags, n uint32) error {
		return f.blocking(func() error {
			return ioctl(f, uapi.IoctlModeDirtyFB, &uapi.ModeFBDirtyCmd{FBID: fb, Flags: flags, NumClips: n, ClipsPtr: clips})
		})
	}
	f.must(dirty(0, 2))
	wantLast("DIRTYFB", image.Rect(1, 2, 3, 4), image.Rect(0, 0, 2, 2))
	f.must(dirty(uapi.ModeFBDirtyAnnotateCopy, 2))
	wantLast("DIRTYFB with a copy", image.Rect(1, 2, 3, 4))
	f.must(f.blocking(func() error { return ioctl(f, uapi.IoctlModeDirtyFB, &uapi.ModeFBDirtyCmd{FBID: fb}) }))
	wantLast("DIRTYFB without clips")
	if got := p.m.Objects(); got != objects {
		t.Errorf("%d objects after DIRTYFB, want %d", got, objects)
	}
}

// TestScalingFilter checks the pixels that both filters make of an edge.
func TestScalingFilter(t *testing.T) {
	p, f := newBare(t, policy{attach: func(p *bare) {
		p.overlay.CreateScalingFilterProperty(1<<kms.FilterDefault | 1<<kms.FilterNearest)
	}})
	f.enable()
	fb := f.fb(64, 64, uapi.FormatXRGB8888) // black, the right half white
	pixels, pitch := f.pixels(fb)
	for y := range 64 {
		for x := range 32 {
			binary.LittleEndian.PutUint32(pixels[y*pitch+4*(32+x):], 0xffffff)
		}
	}
	f.must(f.blocking(func() error { return f.atomic(0, 0, f.show(p.overlay, p.crtc, fb, 0, 0, 128, 64, 64, 64)...) }))
	wantRow := func(what string, gray ...uint8) {
		t.Helper()
		picture, err := f.screenshot()
		f.must(err)
		for i, v := range gray {
			if got := picture.NRGBAAt(62+i, 10); got != (color.NRGBA{v, v, v, 255}) {
				t.Errorf("%s: the pixel at %d is %v, want %d", what, 62+i, got, v)
			}
		}
	}
	wantRow("bilinear", 0, 64, 191, 255)
	f.must(f.blocking(func() error { return f.atomic(0, 0, f.set(p.overlay, "SCALING_FILTER", uint64(kms.FilterNearest))) }))
	wantRow("nearest", 0, 0, 255, 255)
	want(t, "an unknown filter", f.atomic(0, 0, f.set(p.overlay, "SCALING_FILTER", 2)), unix.EINVAL)
}

// TestSizeHints checks the blob of SIZE_HINTS.
func TestSizeHints(t *testing.T) {
	p, f := newBare(t, policy{attach: func(p *bare) { p.overlay.AddSizeHintsProperty(image.Pt(64, 64), image.Pt(256, 128)) }})
	id, blob := f.named(p.overlay, "SIZE_HINTS")
	want64, _ := binary.Append(nil, binary.NativeEndian, []uint16{64, 64, 256, 128})
	if data, err := f.readBlob(uint32(blob)); err != nil || !bytes.Equal(data, want64) {
		t.Errorf("SIZE_HINTS are %v, %v; want %v", data, err, want64)
	}
	want(t, "setting SIZE_HINTS", f.atomic(0, 0, change{p.overlay.ID(), id, 0}), unix.EINVAL)
}

// TestAsyncFormats checks that an async flip shows only what IN_FORMATS_ASYNC
// lists.
func TestAsyncFormats(t *testing.T) {
	var primary *kms.Plane
	_, f := newBare(t, policy{limits: kms.Limits{AsyncPageFlip: true}, attach: func(p *bare) {
		primary = p.m.AddPlane(kms.PlaneConfig{
			Type: uapi.PlaneTypePrimary, PossibleCRTCs: 2, Formats: bareFormats, Modifiers: []uint64{uapi.FormatModLinear},
			AsyncFormats: bareFormats[:1], AsyncModifiers: []uint64{uapi.FormatModLinear},
		})
		p.m.AddCRTC(kms.CRTCConfig{Primary: primary})
		p.m.AddConnector(kms.ConnectorConfig{Type: uapi.ModeConnectorHDMIA}).AttachEncoder(
			p.m.AddEncoder(kms.EncoderConfig{Type: uapi.ModeEncoderTMDS, PossibleCRTCs: 2}))
	}})
	if _, blob := f.named(primary, "IN_FORMATS_ASYNC"); blob == 0 {
		t.Error("IN_FORMATS_ASYNC has no blob")
	} else if data, _ := f.readBlob(uint32(blob)); binary.NativeEndian.Uint32(data[8:]) != 1 {
		t.Errorf("IN_FORMATS_ASYNC has %d formats, want 1", binary.NativeEndian.Uint32(data[8:]))
	}
	m := f.driver.ModeConfig()
	crtc, connector := m.CRTCs()[1], m.Connectors()[1]
	mode := f.createBlob(structBytes(mode1024.Info()))
	opaque, translucent := f.fb(1024, 768, uapi.FormatXRGB8888), f.fb(1024, 768, uapi.FormatARGB8888)
	f.must(f.blocking(func() error {
		return f.atomic(uapi.ModeAtomicAllowModeset, 0, append(f.show(primary, crtc, opaque, 0, 0, 1024, 768, 1024, 768),
			f.set(connector, "CRTC_ID", uint64(crtc.ID())), f.set(crtc, "MODE_ID", uint64(mode)), f.set(crtc, "ACTIVE", 1))...)
	}))
	flip := func(fb uint32) error {
		return f.atomic(uapi.ModePageFlipAsync, 0, f.set(primary, "FB_ID", uint64(fb)))
	}
	want(t, "a format that is listed", flip(opaque), 0)
	want(t, "a format that is not listed", flip(translucent), unix.EINVAL)
}

// TestHotspot checks who sees a cursor plane with a hotspot, and that both ways
// to set a cursor set it.
func TestHotspot(t *testing.T) {
	var cursor *kms.Plane
	p, f := newBare(t, policy{offers: drm.FeatureCursorHotspot, limits: kms.Limits{MinWidth: 1, MinHeight: 1}, attach: func(p *bare) {
		cursor = p.m.AddPlane(kms.PlaneConfig{Type: uapi.PlaneTypeCursor, PossibleCRTCs: 2, Formats: bareFormats})
		cursor.CreateHotspotProperties()
		primary := p.m.AddPlane(kms.PlaneConfig{Type: uapi.PlaneTypePrimary, PossibleCRTCs: 2, Formats: bareFormats})
		p.m.AddCRTC(kms.CRTCConfig{Primary: primary, Cursor: cursor})
	}})
	sees := func(f *fixture) bool {
		planes, err := f.kms().Planes()
		f.must(err)
		return slices.Contains(planes, cursor.ID())
	}
	legacy := f.open()
	legacy.setCap(uapi.ClientCapUniversalPlanes, 1)
	want(t, "the capability before DRM_CLIENT_CAP_ATOMIC", legacy.kms().SetClientCap(uapi.ClientCapCursorPlaneHotspot, 1), unix.EINVAL)
	if !sees(legacy) {
		t.Error("a client without DRM_CLIENT_CAP_ATOMIC does not see the cursor plane")
	}
	if sees(f) {
		t.Error("an atomic client sees the cursor plane")
	}
	f.setCap(uapi.ClientCapCursorPlaneHotspot, 1)
	if !sees(f) {
		t.Error("a client that knows hotspots does not see the cursor plane")
	}
	handle, _ := f.dumb(64, 64, 32)
	crtc := p.m.CRTCs()[1]
	f.must(ioctl(f, uapi.IoctlModeCursor2, &uapi.ModeCursor2{
		Flags: uapi.ModeCursorBO, CRTCID: crtc.ID(), Width: 64, Height: 64, Handle: handle, HotX: 3, HotY: 4,
	}))
	f.wantValue("CURSOR2", cursor, "HOTSPOT_X", 3)
	f.wantValue("CURSOR2", cursor, "HOTSPOT_Y", 4)
	f.must(ioctl(f, uapi.IoctlModeCursor2, &uapi.ModeCursor2{Flags: uapi.ModeCursorMove, CRTCID: crtc.ID(), X: 10}))
	f.wantValue("a move", cursor, "HOTSPOT_X", 3)
	f.must(f.atomic(0, 0, f.set(cursor, "HOTSPOT_X", 5), f.set(cursor, "HOTSPOT_Y", 1<<64-2)))
	if s := p.m.State().Plane(cursor); s.HotX != 5 || s.HotY != -2 {
		t.Errorf("the hotspot is %d,%d, want 5,-2", s.HotX, s.HotY)
	}
}
