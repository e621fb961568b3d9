package kms_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// TestAsyncFlip checks both ways to flip without waiting for a vblank, and what
// such a flip may change.
func TestAsyncFlip(t *testing.T) {
	plain, f := newBare(t, policy{})
	fb := f.enable()
	want(t, "PAGE_FLIP without async flips", f.flip(fb, uapi.ModePageFlipAsync, 0), unix.EINVAL)
	want(t, "ATOMIC without async flips",
		f.atomic(uapi.ModePageFlipAsync|uapi.ModeAtomicNonblock, 0, f.set(plain.primary, "FB_ID", uint64(fb))), unix.EINVAL)

	p, f := newBare(t, policy{limits: kms.Limits{AsyncPageFlip: true}})
	for _, capability := range []uint64{uapi.CapAsyncPageFlip, uapi.CapAtomicAsyncPageFlip} {
		arg := uapi.GetCap{Capability: capability}
		if f.must(ioctl(f, uapi.IoctlGetCap, &arg)); arg.Value != 1 {
			t.Errorf("capability %#x is %d, want 1", capability, arg.Value)
		}
	}
	fb = f.enable()
	other := f.fb(1024, 768, uapi.FormatXRGB8888)
	small := f.fb(64, 64, uapi.FormatXRGB8888)
	const flags = uapi.ModePageFlipAsync | uapi.ModePageFlipEvent

	// The clock stands still: there is no vblank.
	f.must(f.flip(other, flags, 1))
	if e := f.event(); e.UserData != 1 || p.m.State().Plane(p.primary).FB.ID() != other {
		t.Errorf("event %+v, want one for the flip", e)
	}
	flip := f.set(p.primary, "FB_ID", uint64(fb))
	f.must(f.atomic(flags|uapi.ModeAtomicNonblock, 2, flip))
	if e := f.event(); e.UserData != 2 || p.m.State().Plane(p.primary).FB.ID() != fb {
		t.Errorf("event %+v, want one for the flip", e)
	}
	f.must(f.atomic(uapi.ModePageFlipAsync, 0, flip)) // blocking
	f.must(f.atomic(uapi.ModePageFlipAsync, 0, flip, f.set(p.primary, "CRTC_W", 1024), f.set(p.crtc, "ACTIVE", 1)))

	for _, tc := range []struct {
		what    string
		changes []change
	}{
		{"a position", []change{f.set(p.primary, "CRTC_X", 1)}},
		{"a size", []change{flip, f.set(p.primary, "SRC_W", 512<<16)}},
		{"the CRTC", []change{flip, f.set(p.crtc, "ACTIVE", 0)}},
		{"an out-fence", []change{flip, f.set(p.crtc, "OUT_FENCE_PTR", 0x1000)}},
		{"a connector", []change{flip, f.set(p.connector, "CRTC_ID", 0)}},
		{"an overlay", []change{flip, f.set(p.overlay, "FB_ID", uint64(small))}},
	} {
		want(t, "an async flip that changes "+tc.what, f.atomic(uapi.ModePageFlipAsync, 0, tc.changes...), unix.EINVAL)
	}
	want(t, "an async flip to a framebuffer that is too small",
		f.atomic(uapi.ModePageFlipAsync, 0, f.set(p.primary, "FB_ID", uint64(small))), unix.ENOSPC)

	// A flip that waits for its vblank is in the way.
	f.must(f.flip(other, 0, 0))
	want(t, "PAGE_FLIP before the vblank of another", f.flip(fb, flags, 0), unix.EBUSY)
	f.step()
	f.must(f.flip(fb, flags, 0))
}

// TestAsyncFlipOfComposedFrame checks that an async flip is not reported while the
// CRC of the frame before it is being computed: the client draws there then.
func TestAsyncFlipOfComposedFrame(t *testing.T) {
	_, f := newBare(t, policy{limits: kms.Limits{AsyncPageFlip: true}})
	fbs := []uint32{f.enable(), f.fb(1024, 768, uapi.FormatXRGB8888)} // both black
	var pixels [2][]byte
	for i, fb := range fbs {
		pixels[i], _ = f.pixels(fb)
	}
	s, err := f.openCRC()
	f.must(err)
	defer s.Close()
	f.step()
	black := f.crc(s).Value
	for i := range 30 {
		f.step()
		next := (i + 1) % 2
		clear(pixels[next])
		f.must(f.flip(fbs[next], uapi.ModePageFlipAsync|uapi.ModePageFlipEvent, 0))
		var e [32]byte
		_, err := f.File.Read(t.Context(), e[:], false)
		f.must(err)
		for at := range pixels[i%2] {
			pixels[i%2][at] = 0xff
		}
		if c := f.crc(s); c.Value != black {
			t.Fatalf("CRC %#x of frame %d, want %#x", c.Value, c.Frame, black)
		}
	}
}
