package kms_test

import (
	"context"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// TestFrames checks that each kind of change of the picture is announced, and
// which of them count as frames.
func TestFrames(t *testing.T) { onEachDisplay(t, testFrames) }

func testFrames(f *fixture) {
	t := f.T
	m := f.driver.ModeConfig()
	crtc := m.CRTCs()[0]
	frames := uint64(0)
	step := func(what string, newFrames uint64, change func()) {
		t.Helper()
		changed := m.Changed()
		select {
		case <-changed:
			t.Fatalf("%s: announced before it happened", what)
		default:
		}
		change()
		select {
		case <-changed:
		default:
			t.Errorf("%s: not announced", what)
		}
		frames += newFrames
		if got := crtc.Frames(); got != frames {
			t.Errorf("%s: %d frames, want %d", what, got, frames)
			frames = got
		}
	}
	var fb uint32
	step("SETCRTC", 1, func() { fb = f.enable() })
	step("PAGE_FLIP", 1, func() { f.must(f.flip(fb, 0, 0)); f.step() })
	step("DIRTYFB", 0, func() {
		want(t, "DIRTYFB", ioctl(f, uapi.IoctlModeDirtyFB, &uapi.ModeFBDirtyCmd{FBID: fb}), unix.ENOSYS)
	})
	step("CURSOR", 0, func() {
		f.must(ioctl(f, uapi.IoctlModeCursor, &uapi.ModeCursor{CRTCID: f.crtc(), Flags: uapi.ModeCursorMove, X: 1, Y: 2}))
	})
	step("PAGE_FLIP without a vblank", 0, func() {
		f.must(f.flip(fb, 0, 0))
		if err := f.parent.Remove(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
