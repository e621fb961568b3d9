package kms_test

import (
	"math"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// place returns the position of the cursor and the framebuffer that it shows.
func (f *fixture) place() (x, y int32, fb uint64) {
	f.Helper()
	_, v := f.properties(f.cursor(), uapi.ModeObjectPlane)
	return int32(v[13]), int32(v[14]), v[fbPropID]
}

func TestCursor(t *testing.T) { onEachDisplay(t, testCursor) }

func testCursor(f *fixture) {
	t := f.T
	f.setCap(uapi.ClientCapAtomic, 1)
	fb := f.enable()
	handle, _ := f.dumb(64, 64, 32)
	cursor := func(flags uint32, x, y int32, handle uint32) error {
		return ioctl(f, uapi.IoctlModeCursor, &uapi.ModeCursor{
			CRTCID: f.crtc(), Flags: flags, X: x, Y: y, Width: 64, Height: 64, Handle: handle,
		})
	}
	// Cursor updates do not wait for a vblank, nor for a pending flip.
	f.must(f.flip(fb, 0, 0))
	f.must(cursor(uapi.ModeCursorMove, 10, 20, 0))
	if _, _, fb := f.place(); fb != 0 {
		t.Errorf("a cursor without a buffer shows framebuffer %d", fb)
	}
	f.must(cursor(uapi.ModeCursorBO, 0, 0, handle))
	if x, y, fb := f.place(); x != 10 || y != 20 || fb == 0 {
		t.Errorf("the cursor is at %d,%d with framebuffer %d", x, y, fb)
	}
	_, _, first := f.place()
	f.must(cursor(uapi.ModeCursorMove, -5, 700, 0))
	if x, y, fb := f.place(); x != -5 || y != 700 || fb != first {
		t.Errorf("the cursor is at %d,%d with framebuffer %d", x, y, fb)
	}
	f.must(cursor(uapi.ModeCursorBO|uapi.ModeCursorMove, 30, 40, handle))
	objects := f.driver.ModeConfig().Objects()
	f.must(cursor(uapi.ModeCursorBO, 0, 0, 0))
	if x, y, fb := f.place(); x != 0 || y != 0 || fb != 0 {
		t.Errorf("a cursor that is off is at %d,%d with framebuffer %d", x, y, fb)
	}
	if got := f.driver.ModeConfig().Objects(); got != objects-1 {
		t.Errorf("the framebuffer of the cursor is left behind")
	}
	for _, tc := range []struct {
		name  string
		err   error
		errno unix.Errno
	}{
		{"no flags", cursor(0, 0, 0, handle), unix.EINVAL},
		{"unknown flag", cursor(4, 0, 0, handle), unix.EINVAL},
		{"unknown handle", cursor(uapi.ModeCursorBO, 0, 0, 99), unix.ENOENT},
		{"out of range", cursor(uapi.ModeCursorBO|uapi.ModeCursorMove, math.MaxInt32, 0, handle), unix.ERANGE},
		{"absurd", ioctl(f, uapi.IoctlModeCursor2, &uapi.ModeCursor2{
			CRTCID: f.crtc(), Flags: uapi.ModeCursorBO, Width: math.MaxUint32, Height: math.MaxUint32, Handle: handle,
		}), unix.EINVAL},
		{"larger than its buffer", ioctl(f, uapi.IoctlModeCursor2, &uapi.ModeCursor2{
			CRTCID: f.crtc(), Flags: uapi.ModeCursorBO, Width: 64, Height: 65, Handle: handle,
		}), unix.EINVAL},
	} {
		want(t, tc.name, tc.err, tc.errno)
	}
	if got := f.driver.ModeConfig().Objects(); got != objects-1 {
		t.Errorf("refused cursors left %d objects behind", got-objects+1)
	}
	// The cursor can be set before the mode.
	f.step()
	f.disable()
	f.must(cursor(uapi.ModeCursorBO|uapi.ModeCursorMove, 1, 2, handle))
}

func TestWithoutCursorPlane(t *testing.T) {
	f := newFixtureOf(t, vkms.Config{Kernel: drm.Linux612})
	arg := func(flags uint32) *uapi.ModeCursor { return &uapi.ModeCursor{CRTCID: 35, Flags: flags} }
	want(t, "CURSOR_BO", ioctl(f, uapi.IoctlModeCursor, arg(uapi.ModeCursorBO)), unix.ENXIO)
	want(t, "CURSOR_MOVE", ioctl(f, uapi.IoctlModeCursor, arg(uapi.ModeCursorMove)), unix.EFAULT)
}
