package conformance

import (
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var framebufferCases = []Case{
	{"framebuffer/add", NeedModeset | NeedDumb, fbAdd},
	{"framebuffer/add-errors", NeedModeset | NeedDumb, fbAddErrors},
	{"framebuffer/add-legacy", NeedModeset | NeedDumb, fbAddLegacy},
	{"framebuffer/formats", NeedModeset | NeedDumb, fbFormats},
	{"framebuffer/other-formats", NeedAtomic | NeedDumb, fbOtherFormats},
	{"framebuffer/modifiers", NeedModeset | NeedDumb | NeedModifiers, fbModifiers},
	{"framebuffer/planes", NeedModeset | NeedMaster | NeedDumb | NeedPlanar, fbPlanes},
	{"framebuffer/get", NeedModeset | NeedMaster | NeedDumb, fbGet},
	{"framebuffer/get-handles", NeedModeset | NeedMaster | NeedDumb, fbGetHandles},
	{"framebuffer/remove", NeedModeset | NeedDumb, fbRemove},
	{"framebuffer/remove-shown", NeedDisplay | NeedDumb, fbRemoveShown},
	{"framebuffer/close", NeedModeset | NeedDumb | NeedCloseFB, fbClose},
	{"framebuffer/close-shown", NeedDisplay | NeedDumb | NeedCloseFB, fbCloseShown},
	{"framebuffer/keeps-buffer", NeedModeset | NeedMaster | NeedDumb, fbKeepsBuffer},
	{"framebuffer/dirty", NeedModeset | NeedMaster | NeedDumb, fbDirty},
}

func fbAdd(t *tester) {
	f := t.Open()
	dumb := t.NewDumb(f, 64, 64, 32)
	ids := make(map[uint32]bool)
	for range 2 { // a buffer may have several framebuffers
		arg := fbOf(&dumb)
		arg.FBID = 77
		f.Want("", uapi.IoctlModeAddFB2, &arg)
		if arg.FBID == 0 || ids[arg.FBID] {
			t.Errorf("id %d is zero or that of another framebuffer", arg.FBID)
		}
		ids[arg.FBID] = true
	}
	part := fbOf(&dumb)
	part.Width, part.Height, part.Offsets[0] = 32, 32, 4*32
	f.Want("of a part of the buffer", uapi.IoctlModeAddFB2, &part)
}

func fbAddErrors(t *tester) {
	f := t.Open()
	dumb := t.NewDumb(f, 64, 64, 32)
	for _, c := range []struct {
		what   string
		change func(*uapi.ModeFBCmd2)
		errnos []unix.Errno
	}{
		{"with unknown flags", func(a *uapi.ModeFBCmd2) { a.Flags = 1 << 30 }, []unix.Errno{unix.EINVAL}},
		{"of width 0", func(a *uapi.ModeFBCmd2) { a.Width = 0 }, []unix.Errno{unix.EINVAL}},
		{"of height 0", func(a *uapi.ModeFBCmd2) { a.Height = 0 }, []unix.Errno{unix.EINVAL}},
		{"with an oversized width", func(a *uapi.ModeFBCmd2) { a.Width = math.MaxUint32 }, []unix.Errno{unix.EINVAL}},
		{"with an oversized height", func(a *uapi.ModeFBCmd2) { a.Height = math.MaxUint32 }, []unix.Errno{unix.EINVAL}},
		{"in format 0", func(a *uapi.ModeFBCmd2) { a.PixelFormat = 0 }, []unix.Errno{unix.EINVAL}},
		{"in an unknown format", func(a *uapi.ModeFBCmd2) { a.PixelFormat = 0x3f3f3f3f }, []unix.Errno{unix.EINVAL}},
		{"with handle 0", func(a *uapi.ModeFBCmd2) { a.Handles[0] = 0 }, []unix.Errno{unix.EINVAL}},
		{"of a nonexistent handle", func(a *uapi.ModeFBCmd2) { a.Handles[0] = 999 }, []unix.Errno{unix.ENOENT}},
		{"with a pitch shorter than a line", func(a *uapi.ModeFBCmd2) { a.Pitches[0] = 4*64 - 1 }, []unix.Errno{unix.EINVAL}},
		{"with pitch 0", func(a *uapi.ModeFBCmd2) { a.Pitches[0] = 0 }, []unix.Errno{unix.EINVAL}},
		{"with a pitch that overflows the size", func(a *uapi.ModeFBCmd2) { a.Pitches[0] = math.MaxUint32 }, []unix.Errno{unix.ERANGE, unix.EINVAL}},
		{"with an offset that overflows the size", func(a *uapi.ModeFBCmd2) { a.Offsets[0] = math.MaxUint32 }, []unix.Errno{unix.ERANGE, unix.EINVAL}},
		{"larger than its buffer", func(a *uapi.ModeFBCmd2) { a.Height = 64 + 64 }, []unix.Errno{unix.EINVAL}},
		{"beyond the end of its buffer", func(a *uapi.ModeFBCmd2) { a.Offsets[0] = uint32(dumb.Size) }, []unix.Errno{unix.EINVAL}},
		{"with a modifier without the flag", func(a *uapi.ModeFBCmd2) { a.Modifier[0] = 1 }, []unix.Errno{unix.EINVAL}},
	} {
		arg := fbOf(&dumb)
		c.change(&arg)
		f.Want(c.what, uapi.IoctlModeAddFB2, &arg, c.errnos...)
	}
	other := t.Open()
	arg := fbOf(&dumb)
	other.Want("of another file's handle", uapi.IoctlModeAddFB2, &arg, unix.ENOENT)
	if fbs := f.MustResources().FBs; len(fbs) != 0 {
		t.Errorf("refused requests left the framebuffers %d", fbs)
	}
}

// fbAddLegacy checks ADDFB, which has bpp and depth instead of a format.
func fbAddLegacy(t *tester) {
	f := t.Open()
	dumb := t.NewDumb(f, 64, 64, 32)
	good := uapi.ModeFBCmd{Width: 64, Height: 64, Pitch: dumb.Pitch, BPP: 32, Depth: 24, Handle: dumb.Handle}
	arg := good
	f.Want("with bpp 32 and depth 24", uapi.IoctlModeAddFB, &arg)
	if arg.FBID == 0 {
		t.Errorf("the id is zero")
	}
	for _, c := range []struct {
		what   string
		change func(*uapi.ModeFBCmd)
		errno  unix.Errno
	}{
		{"with bpp 0", func(a *uapi.ModeFBCmd) { a.BPP = 0 }, unix.EINVAL},
		{"with a depth that no format has", func(a *uapi.ModeFBCmd) { a.Depth = 17 }, unix.EINVAL},
		{"with a depth above bpp", func(a *uapi.ModeFBCmd) { a.BPP, a.Depth = 16, 24 }, unix.EINVAL},
		{"of width 0", func(a *uapi.ModeFBCmd) { a.Width = 0 }, unix.EINVAL},
		{"of a nonexistent handle", func(a *uapi.ModeFBCmd) { a.Handle = 999 }, unix.ENOENT},
		{"with a pitch shorter than a line", func(a *uapi.ModeFBCmd) { a.Pitch = 4 }, unix.EINVAL},
	} {
		arg := good
		c.change(&arg)
		f.Want(c.what, uapi.IoctlModeAddFB, &arg, c.errno)
	}
}

func fbModifiers(t *tester) {
	f := t.Open()
	dumb := t.NewDumb(f, 64, 64, 32)
	good := fbOf(&dumb)
	good.Flags = uapi.ModeFBModifiers // linear
	arg := good
	f.Want("with the linear modifier", uapi.IoctlModeAddFB2, &arg)
	for what, change := range map[string]func(*uapi.ModeFBCmd2){
		"with an unknown modifier":            func(a *uapi.ModeFBCmd2) { a.Modifier[0] = 0x7f7f7f7f7f7f7f7f },
		"with a modifier for an unused plane": func(a *uapi.ModeFBCmd2) { a.Modifier[1] = 1 },
		"with a handle for an unused plane":   func(a *uapi.ModeFBCmd2) { a.Handles[1] = dumb.Handle },
		"with a pitch for an unused plane":    func(a *uapi.ModeFBCmd2) { a.Pitches[1] = 256 },
		"with an offset for an unused plane":  func(a *uapi.ModeFBCmd2) { a.Offsets[3] = 4 },
	} {
		arg := good
		change(&arg)
		f.Want(what, uapi.IoctlModeAddFB2, &arg, unix.EINVAL)
	}
}

// nv12 returns the ADDFB2 argument for a framebuffer in NV12, with both planes
// in one buffer.
func nv12(dumb *uapi.ModeCreateDumb) uapi.ModeFBCmd2 {
	return uapi.ModeFBCmd2{
		Width: 64, Height: 64, PixelFormat: uapi.FormatNV12,
		Handles: [4]uint32{dumb.Handle, dumb.Handle}, Pitches: [4]uint32{dumb.Pitch, dumb.Pitch},
		Offsets: [4]uint32{0, dumb.Pitch * 64},
	}
}

func fbPlanes(t *tester) {
	f := t.Open()
	dumb := t.NewDumb(f, 64, 96, 8)
	add := nv12(&dumb)
	f.Want("of two planes", uapi.IoctlModeAddFB2, &add)
	get := uapi.ModeFBCmd2{FBID: add.FBID}
	f.Want("of two planes", uapi.IoctlModeGetFB2, &get)
	equal(t, "the pitches", get.Pitches, add.Pitches)
	equal(t, "the offsets", get.Offsets, add.Offsets)
	if get.Handles[0] == 0 || get.Handles[0] != get.Handles[1] || get.Handles[2] != 0 {
		t.Errorf("the handles of two planes in one buffer are %d", get.Handles)
	}
	f.Want("of two planes", uapi.IoctlModeGetFB, &uapi.ModeFBCmd{FBID: add.FBID}, unix.EINVAL)
	for what, change := range map[string]func(*uapi.ModeFBCmd2){
		"without the second handle":                        func(a *uapi.ModeFBCmd2) { a.Handles[1] = 0 },
		"with a second pitch shorter than a line":          func(a *uapi.ModeFBCmd2) { a.Pitches[1] = 63 },
		"with a second plane beyond the end of the buffer": func(a *uapi.ModeFBCmd2) { a.Offsets[1] += dumb.Pitch * 64 },
		"with different modifiers":                         func(a *uapi.ModeFBCmd2) { a.Flags, a.Modifier[1] = uapi.ModeFBModifiers, 1 },
		"with a pitch for an unused plane":                 func(a *uapi.ModeFBCmd2) { a.Flags, a.Pitches[2] = uapi.ModeFBModifiers, 64 },
	} {
		arg := nv12(&dumb)
		change(&arg)
		f.Want(what, uapi.IoctlModeAddFB2, &arg, unix.EINVAL)
	}
}

func fbGet(t *tester) {
	f := t.Open()
	dumb := t.NewDumb(f, 64, 48, 32)
	add := fbOf(&dumb)
	f.Must(uapi.IoctlModeAddFB2, &add)

	old := uapi.ModeFBCmd{FBID: add.FBID}
	f.Want("", uapi.IoctlModeGetFB, &old)
	old.Handle = 0
	equal(t, "GETFB", old, uapi.ModeFBCmd{FBID: add.FBID, Width: 64, Height: 48, Pitch: dumb.Pitch, BPP: 32, Depth: 24})

	arg := uapi.ModeFBCmd2{FBID: add.FBID}
	f.Want("", uapi.IoctlModeGetFB2, &arg)
	equal(t, "the format", arg.PixelFormat, uapi.FormatXRGB8888)
	equal(t, "the width", arg.Width, 64)
	equal(t, "the height", arg.Height, 48)
	equal(t, "the pitches", arg.Pitches, add.Pitches)
	equal(t, "the offsets", arg.Offsets, add.Offsets)
}

// fbGetHandles checks that only the master gets handles, which give access to
// the contents.
func fbGetHandles(t *tester) {
	f, other := t.Open(), t.Open()
	dumb := t.NewDumb(f, 64, 64, 32)
	add := fbOf(&dumb)
	f.Must(uapi.IoctlModeAddFB2, &add)
	pixels, _ := mapDumb(f, &dumb)
	pixels[0] = 42

	t.Unprivileged(func() {
		old, arg := uapi.ModeFBCmd{FBID: add.FBID}, uapi.ModeFBCmd2{FBID: add.FBID}
		other.Want("as non-master", uapi.IoctlModeGetFB, &old)
		other.Want("as non-master", uapi.IoctlModeGetFB2, &arg)
		equal(t, "the handle that GETFB returns to a non-master", old.Handle, 0)
		equal(t, "the handles that GETFB2 returns to a non-master", arg.Handles, [4]uint32{})

		arg = uapi.ModeFBCmd2{FBID: add.FBID}
		f.Want("as master", uapi.IoctlModeGetFB2, &arg)
		if arg.Handles[0] == 0 || arg.Handles[0] == dumb.Handle {
			t.Fatalf("GETFB2 returns handle %d to the master, want a new one", arg.Handles[0])
		}
		same := dumb
		same.Handle = arg.Handles[0]
		others, _ := mapDumb(f, &same)
		equal(t, "the contents of the buffer", others[0], 42)
		f.Want("", uapi.IoctlGEMClose, &uapi.GEMClose{Handle: same.Handle})
		old = uapi.ModeFBCmd{FBID: add.FBID}
		f.Want("as master", uapi.IoctlModeGetFB, &old)
		if old.Handle == 0 {
			t.Errorf("GETFB returns no handle to the master")
		}
	})
}

func fbRemove(t *tester) {
	f, other := t.Open(), t.Open()
	fb := f.NewFB(64, 64)
	other.Want("by another file", uapi.IoctlModeRmFB, &fb, unix.ENOENT)
	f.Want("", uapi.IoctlModeRmFB, &fb)
	f.Want("again", uapi.IoctlModeRmFB, &fb, unix.ENOENT)
	f.Want("after RMFB", uapi.IoctlModeGetFB, &uapi.ModeFBCmd{FBID: fb}, unix.ENOENT)
	fb = f.NewFB(64, 64)
	t.Must("close", f.Close())
	other.Want("after its file is closed", uapi.IoctlModeGetFB2, &uapi.ModeFBCmd2{FBID: fb}, unix.ENOENT)
}

// fbRemoveShown checks that a removed framebuffer is no longer shown.
func fbRemoveShown(t *tester) {
	s := t.Show()
	equal(t, "the framebuffer of the CRTC", s.GetCRTC().FBID, s.FB)
	s.Must(uapi.IoctlModeRmFB, &s.FB)
	equal(t, "the framebuffer of the CRTC after RMFB", s.GetCRTC().FBID, 0)
}

func fbClose(t *tester) {
	f, other := t.Open(), t.Open()
	fb := f.NewFB(64, 64)
	f.Want("with padding", uapi.IoctlModeCloseFB, &uapi.ModeCloseFB{FBID: fb, Pad: 1}, unix.EINVAL)
	other.Want("by another file", uapi.IoctlModeCloseFB, &uapi.ModeCloseFB{FBID: fb}, unix.ENOENT)
	f.Want("", uapi.IoctlModeCloseFB, &uapi.ModeCloseFB{FBID: fb})
	f.Want("again", uapi.IoctlModeCloseFB, &uapi.ModeCloseFB{FBID: fb}, unix.ENOENT)
	f.Want("of id 0", uapi.IoctlModeCloseFB, &uapi.ModeCloseFB{}, unix.ENOENT)
	f.Want("after CLOSEFB", uapi.IoctlModeGetFB, &uapi.ModeFBCmd{FBID: fb}, unix.ENOENT)
}

// fbCloseShown checks that CLOSEFB, unlike RMFB, leaves the framebuffer on the
// screen, so that a client can exit without a flash.
func fbCloseShown(t *tester) {
	s := t.Show()
	s.Want("", uapi.IoctlModeCloseFB, &uapi.ModeCloseFB{FBID: s.FB})
	equal(t, "the framebuffer of the CRTC after CLOSEFB", s.GetCRTC().FBID, s.FB)
	s.Want("", uapi.IoctlModeRmFB, &s.FB, unix.ENOENT)
	other := t.Open() // after the last close, a kernel's console would take the display
	t.Must("close", s.Close())
	crtc := uapi.ModeCRTC{CRTCID: s.CRTC}
	other.Must(uapi.IoctlModeGetCRTC, &crtc)
	equal(t, "the framebuffer of the CRTC after its file is closed", crtc.FBID, s.FB)
	t.Must("disabling the CRTC", t.Open().Disable(s.CRTC)) // as the new master
}

// fbKeepsBuffer checks that a framebuffer keeps its buffer.
func fbKeepsBuffer(t *tester) {
	f := t.Open()
	dumb := t.NewDumb(f, 64, 64, 32)
	pixels, _ := mapDumb(f, &dumb)
	pixels[0] = 42
	add := fbOf(&dumb)
	f.Must(uapi.IoctlModeAddFB2, &add)
	f.Must(uapi.IoctlModeDestroyDumb, &uapi.ModeDestroyDumb{Handle: dumb.Handle})
	get := uapi.ModeFBCmd2{FBID: add.FBID}
	f.Must(uapi.IoctlModeGetFB2, &get)
	same := dumb
	same.Handle = get.Handles[0]
	others, _ := mapDumb(f, &same)
	equal(t, "the contents of the buffer after its handle is closed", others[0], 42)
}

// fbDirty checks DIRTYFB. A driver that scans out buffers directly answers
// ENOSYS.
func fbDirty(t *tester) {
	f := t.Open()
	fb := f.NewFB(64, 64)
	clips := addr(t, slices.Repeat([]uapi.ClipRect{{X2: 8, Y2: 8}}, 3))
	f.Want("", uapi.IoctlModeDirtyFB, &uapi.ModeFBDirtyCmd{FBID: fb}, 0, unix.ENOSYS)
	f.Want("with clips", uapi.IoctlModeDirtyFB, &uapi.ModeFBDirtyCmd{FBID: fb, NumClips: 2, ClipsPtr: clips}, 0, unix.ENOSYS)
	for _, c := range []struct {
		what  string
		arg   uapi.ModeFBDirtyCmd
		errno unix.Errno
	}{
		{"with a count but no clips", uapi.ModeFBDirtyCmd{NumClips: 1}, unix.EINVAL},
		{"with clips but no count", uapi.ModeFBDirtyCmd{ClipsPtr: clips}, unix.EINVAL},
		{"with an odd number of clips for copies", uapi.ModeFBDirtyCmd{NumClips: 3, ClipsPtr: clips, Flags: uapi.ModeFBDirtyAnnotateCopy}, unix.EINVAL},
		{"with too many clips", uapi.ModeFBDirtyCmd{NumClips: uapi.ModeFBDirtyMaxClips + 1, ClipsPtr: clips}, unix.EINVAL},
		{"with the clips at a bad address", uapi.ModeFBDirtyCmd{NumClips: 1, ClipsPtr: t.BadAddr()}, unix.EFAULT},
	} {
		c.arg.FBID = fb
		f.Want(c.what, uapi.IoctlModeDirtyFB, &c.arg, c.errno)
	}
}
