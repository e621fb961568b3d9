package conformance

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var planeCases = []Case{
	{"plane/show-and-off", NeedOverlay | NeedDumb, planeShow},
	{"plane/errors", NeedDisplay | NeedDumb, planeErrors},
	{"cursor/set-move-hide", NeedCursor | NeedDumb, cursorSet},
	{"cursor/hot-spot", NeedCursor | NeedDumb, cursorHotSpot},
	{"cursor/errors", NeedCursor | NeedDumb, cursorErrors},
}

// MustPlane returns the state of a plane. The case ends on an error.
func (f *file) MustPlane(id uint32) uapi.ModeGetPlane {
	f.t.Helper()
	arg := uapi.ModeGetPlane{PlaneID: id}
	f.Must(uapi.IoctlModeGetPlane, &arg)
	return arg
}

func planeShow(t *tester) {
	s := t.Show()
	plane := s.Plane(uapi.PlaneTypeOverlay)
	equal(t, "the framebuffer of an unused plane", s.MustPlane(plane).FBID, 0)
	fb := s.NewFB(64, 64)
	arg := uapi.ModeSetPlane{
		PlaneID: plane, CRTCID: s.CRTC, FBID: fb, CRTCX: 10, CRTCY: 20, CRTCW: 64, CRTCH: 64, SrcW: 64 << 16, SrcH: 64 << 16,
	}
	s.Want("", uapi.IoctlModeSetPlane, &arg)
	equal(t, "the framebuffer of the plane", s.MustPlane(plane).FBID, fb)
	equal(t, "the CRTC of the plane", s.MustPlane(plane).CRTCID, s.CRTC)
	arg.CRTCX, arg.CRTCY = -32, -32
	s.Want("partly outside the screen", uapi.IoctlModeSetPlane, &arg)
	arg.CRTCX = math.MaxInt32 - 64
	s.Want("far outside the screen", uapi.IoctlModeSetPlane, &arg)
	s.Want("to disable", uapi.IoctlModeSetPlane, &uapi.ModeSetPlane{PlaneID: plane})
	equal(t, "the framebuffer of a disabled plane", s.MustPlane(plane).FBID, 0)
	equal(t, "the framebuffer of the CRTC", s.GetCRTC().FBID, s.FB)
}

func planeErrors(t *tester) {
	s := t.Show()
	plane := s.Plane(uapi.PlaneTypePrimary)
	w, h := uint32(s.Mode.HDisplay), uint32(s.Mode.VDisplay)
	for _, c := range []struct {
		what   string
		change func(*uapi.ModeSetPlane)
		errno  unix.Errno
	}{
		{"of a nonexistent framebuffer", func(a *uapi.ModeSetPlane) { a.FBID = 0x7ffffff0 }, unix.ENOENT},
		{"on a nonexistent CRTC", func(a *uapi.ModeSetPlane) { a.CRTCID = 0x7ffffff0 }, unix.ENOENT},
		{"on CRTC 0", func(a *uapi.ModeSetPlane) { a.CRTCID = 0 }, unix.ENOENT},
		{"with a source wider than the framebuffer", func(a *uapi.ModeSetPlane) { a.SrcW++ }, unix.ENOSPC},
		{"with a source higher than the framebuffer", func(a *uapi.ModeSetPlane) { a.SrcH++ }, unix.ENOSPC},
		{"with a source partly outside the framebuffer", func(a *uapi.ModeSetPlane) { a.SrcX = 1 }, unix.ENOSPC},
		{"with a source far outside the framebuffer", func(a *uapi.ModeSetPlane) { a.SrcX, a.SrcW = math.MaxUint32, 2 }, unix.ENOSPC},
		{"with a width beyond 31 bits", func(a *uapi.ModeSetPlane) { a.CRTCW = math.MaxUint32 }, unix.ERANGE},
		{"with a height beyond 31 bits", func(a *uapi.ModeSetPlane) { a.CRTCH = math.MaxUint32 }, unix.ERANGE},
		{"with a right edge beyond 31 bits", func(a *uapi.ModeSetPlane) { a.CRTCX = math.MaxInt32 }, unix.ERANGE},
	} {
		arg := uapi.ModeSetPlane{
			PlaneID: plane, CRTCID: s.CRTC, FBID: s.FB, CRTCW: w, CRTCH: h, SrcW: w << 16, SrcH: h << 16,
		}
		c.change(&arg)
		s.Want(c.what, uapi.IoctlModeSetPlane, &arg, c.errno)
	}
	equal(t, "the framebuffer after refused requests", s.GetCRTC().FBID, s.FB)
}

// NewCursor makes a buffer for a cursor, of the size that the device supports.
func (f *file) NewCursor() uapi.ModeCreateDumb {
	f.t.Helper()
	width, err := f.Cap(uapi.CapCursorWidth)
	f.t.Must("GET_CAP CURSOR_WIDTH", err)
	height, err := f.Cap(uapi.CapCursorHeight)
	f.t.Must("GET_CAP CURSOR_HEIGHT", err)
	return f.t.NewDumb(f, uint32(width), uint32(height), 32)
}

func cursorSet(t *tester) {
	s := t.Show()
	plane := s.Plane(uapi.PlaneTypeCursor)
	dumb := s.NewCursor()
	set := uapi.ModeCursor{Flags: uapi.ModeCursorBO, CRTCID: s.CRTC, Width: dumb.Width, Height: dumb.Height, Handle: dumb.Handle}
	s.Want("to a buffer", uapi.IoctlModeCursor, &set)
	if s.MustPlane(plane).FBID == 0 {
		t.Errorf("the cursor plane has no framebuffer")
	}
	for _, at := range [][2]int32{{10, 20}, {-5, -5}, {math.MaxInt16, math.MaxInt16}} {
		s.Want("to another position", uapi.IoctlModeCursor,
			&uapi.ModeCursor{Flags: uapi.ModeCursorMove, CRTCID: s.CRTC, X: at[0], Y: at[1]})
	}
	// The plane keeps the buffer.
	s.Must(uapi.IoctlModeDestroyDumb, &uapi.ModeDestroyDumb{Handle: dumb.Handle})
	s.Want("to another position", uapi.IoctlModeCursor, &uapi.ModeCursor{Flags: uapi.ModeCursorMove, CRTCID: s.CRTC})
	s.Want("to none", uapi.IoctlModeCursor, &uapi.ModeCursor{Flags: uapi.ModeCursorBO, CRTCID: s.CRTC})
	equal(t, "the framebuffer of the cursor plane", s.MustPlane(plane).FBID, 0)
	s.Want("to another position, without a cursor", uapi.IoctlModeCursor,
		&uapi.ModeCursor{Flags: uapi.ModeCursorMove, CRTCID: s.CRTC, X: 1, Y: 1})
}

func cursorHotSpot(t *tester) {
	s := t.Show()
	dumb := s.NewCursor()
	s.Want("with a hot spot and a position", uapi.IoctlModeCursor2, &uapi.ModeCursor2{
		Flags: uapi.ModeCursorBO | uapi.ModeCursorMove, CRTCID: s.CRTC, X: 5, Y: 5,
		Width: dumb.Width, Height: dumb.Height, Handle: dumb.Handle, HotX: 2, HotY: 3,
	})
	s.Want("to none", uapi.IoctlModeCursor2, &uapi.ModeCursor2{Flags: uapi.ModeCursorBO, CRTCID: s.CRTC})
}

func cursorErrors(t *tester) {
	s := t.Show()
	for _, flags := range []uint32{0, uapi.ModeCursorFlags + 1, math.MaxUint32} {
		s.Want("with bad flags", uapi.IoctlModeCursor, &uapi.ModeCursor{Flags: flags, CRTCID: s.CRTC}, unix.EINVAL)
		s.Want("with bad flags", uapi.IoctlModeCursor2, &uapi.ModeCursor2{Flags: flags, CRTCID: s.CRTC}, unix.EINVAL)
	}
	dumb := s.NewCursor()
	good := uapi.ModeCursor{Flags: uapi.ModeCursorBO, CRTCID: s.CRTC, Width: dumb.Width, Height: dumb.Height, Handle: dumb.Handle}
	bad := good
	bad.Handle = 0x7ffffff0
	s.Want("of a nonexistent handle", uapi.IoctlModeCursor, &bad, unix.ENOENT)
	bad = good
	bad.Height = good.Height * 1000
	s.Want("larger than its buffer", uapi.IoctlModeCursor, &bad, unix.EINVAL)
	bad = good
	bad.Width, bad.Height = 0, 0
	s.Want("of size 0", uapi.IoctlModeCursor, &bad, unix.EINVAL)
}
