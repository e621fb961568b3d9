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

// GetPlane returns what a plane shows.
func (f *file) MustPlane(id uint32) uapi.ModeGetPlane {
	f.t.Helper()
	arg := uapi.ModeGetPlane{PlaneID: id}
	f.Must(uapi.IoctlModeGetPlane, &arg)
	return arg
}

func planeShow(t *tester) {
	s := t.Show()
	plane := s.Plane(uapi.PlaneTypeOverlay)
	equal(t, "what an unused plane shows", s.MustPlane(plane).FBID, 0)
	fb := s.NewFB(64, 64)
	arg := uapi.ModeSetPlane{
		PlaneID: plane, CRTCID: s.CRTC, FBID: fb, CRTCX: 10, CRTCY: 20, CRTCW: 64, CRTCH: 64, SrcW: 64 << 16, SrcH: 64 << 16,
	}
	s.Want("", uapi.IoctlModeSetPlane, &arg)
	equal(t, "what the plane shows", s.MustPlane(plane).FBID, fb)
	equal(t, "where the plane shows it", s.MustPlane(plane).CRTCID, s.CRTC)
	arg.CRTCX, arg.CRTCY = -32, -32
	s.Want("partly outside of the screen", uapi.IoctlModeSetPlane, &arg)
	arg.CRTCX = math.MaxInt32 - 64
	s.Want("far outside of the screen", uapi.IoctlModeSetPlane, &arg)
	s.Want("off", uapi.IoctlModeSetPlane, &uapi.ModeSetPlane{PlaneID: plane})
	equal(t, "what a plane that is off shows", s.MustPlane(plane).FBID, 0)
	equal(t, "what the CRTC shows", s.GetCRTC().FBID, s.FB)
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
		{"with a framebuffer that there is not", func(a *uapi.ModeSetPlane) { a.FBID = 0x7ffffff0 }, unix.ENOENT},
		{"on a CRTC that there is not", func(a *uapi.ModeSetPlane) { a.CRTCID = 0x7ffffff0 }, unix.ENOENT},
		{"on no CRTC", func(a *uapi.ModeSetPlane) { a.CRTCID = 0 }, unix.ENOENT},
		{"of more than the framebuffer is wide", func(a *uapi.ModeSetPlane) { a.SrcW++ }, unix.ENOSPC},
		{"of more than the framebuffer is high", func(a *uapi.ModeSetPlane) { a.SrcH++ }, unix.ENOSPC},
		{"from a place outside of the framebuffer", func(a *uapi.ModeSetPlane) { a.SrcX = 1 }, unix.ENOSPC},
		{"from far outside of the framebuffer", func(a *uapi.ModeSetPlane) { a.SrcX, a.SrcW = math.MaxUint32, 2 }, unix.ENOSPC},
		{"wider than numbers go", func(a *uapi.ModeSetPlane) { a.CRTCW = math.MaxUint32 }, unix.ERANGE},
		{"higher than numbers go", func(a *uapi.ModeSetPlane) { a.CRTCH = math.MaxUint32 }, unix.ERANGE},
		{"to the right of where numbers go", func(a *uapi.ModeSetPlane) { a.CRTCX = math.MaxInt32 }, unix.ERANGE},
	} {
		arg := uapi.ModeSetPlane{
			PlaneID: plane, CRTCID: s.CRTC, FBID: s.FB, CRTCW: w, CRTCH: h, SrcW: w << 16, SrcH: h << 16,
		}
		c.change(&arg)
		s.Want(c.what, uapi.IoctlModeSetPlane, &arg, c.errno)
	}
	equal(t, "what is shown after all that was refused", s.GetCRTC().FBID, s.FB)
}

// NewCursor makes a buffer for a cursor, of the size that the device says.
func (f *file) NewCursor() uapi.ModeCreateDumb {
	f.t.Helper()
	width, err := f.Cap(uapi.CapCursorWidth)
	f.t.Must("CURSOR_WIDTH", err)
	height, err := f.Cap(uapi.CapCursorHeight)
	f.t.Must("CURSOR_HEIGHT", err)
	return f.t.NewDumb(f, uint32(width), uint32(height), 32)
}

func cursorSet(t *tester) {
	s := t.Show()
	plane := s.Plane(uapi.PlaneTypeCursor)
	dumb := s.NewCursor()
	set := uapi.ModeCursor{Flags: uapi.ModeCursorBO, CRTCID: s.CRTC, Width: dumb.Width, Height: dumb.Height, Handle: dumb.Handle}
	s.Want("to a buffer", uapi.IoctlModeCursor, &set)
	if s.MustPlane(plane).FBID == 0 {
		t.Errorf("the cursor plane shows nothing")
	}
	for _, at := range [][2]int32{{10, 20}, {-5, -5}, {math.MaxInt16, math.MaxInt16}} {
		s.Want("to another place", uapi.IoctlModeCursor,
			&uapi.ModeCursor{Flags: uapi.ModeCursorMove, CRTCID: s.CRTC, X: at[0], Y: at[1]})
	}
	// The buffer is held by what is shown.
	s.Must(uapi.IoctlModeDestroyDumb, &uapi.ModeDestroyDumb{Handle: dumb.Handle})
	s.Want("to another place", uapi.IoctlModeCursor, &uapi.ModeCursor{Flags: uapi.ModeCursorMove, CRTCID: s.CRTC})
	s.Want("to nothing", uapi.IoctlModeCursor, &uapi.ModeCursor{Flags: uapi.ModeCursorBO, CRTCID: s.CRTC})
	equal(t, "what the cursor plane shows", s.MustPlane(plane).FBID, 0)
	s.Want("to another place, with nothing to show", uapi.IoctlModeCursor,
		&uapi.ModeCursor{Flags: uapi.ModeCursorMove, CRTCID: s.CRTC, X: 1, Y: 1})
}

func cursorHotSpot(t *tester) {
	s := t.Show()
	dumb := s.NewCursor()
	s.Want("with a hot spot, and to a place", uapi.IoctlModeCursor2, &uapi.ModeCursor2{
		Flags: uapi.ModeCursorBO | uapi.ModeCursorMove, CRTCID: s.CRTC, X: 5, Y: 5,
		Width: dumb.Width, Height: dumb.Height, Handle: dumb.Handle, HotX: 2, HotY: 3,
	})
	s.Want("to nothing", uapi.IoctlModeCursor2, &uapi.ModeCursor2{Flags: uapi.ModeCursorBO, CRTCID: s.CRTC})
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
	s.Want("with a handle that there is not", uapi.IoctlModeCursor, &bad, unix.ENOENT)
	bad = good
	bad.Height = good.Height * 1000
	s.Want("larger than its buffer", uapi.IoctlModeCursor, &bad, unix.EINVAL)
	bad = good
	bad.Width, bad.Height = 0, 0
	s.Want("of no size", uapi.IoctlModeCursor, &bad, unix.EINVAL)
}
