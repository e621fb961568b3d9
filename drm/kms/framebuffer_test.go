package kms_test

import (
	"math"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

func TestAddFB2Errors(t *testing.T) {
	f := newFixture(t)
	handle, pitch := f.dumb(1024, 768, 32)
	for _, tc := range []struct {
		name   string
		change func(a *uapi.ModeFBCmd2)
		errno  unix.Errno
	}{
		{"as it is", func(a *uapi.ModeFBCmd2) {}, 0},
		{"smaller than its buffer", func(a *uapi.ModeFBCmd2) { a.Width, a.Height = 10, 10 }, 0},
		{"linear by modifier", func(a *uapi.ModeFBCmd2) { a.Flags = uapi.ModeFBModifiers }, 0},
		{"interlaced", func(a *uapi.ModeFBCmd2) { a.Flags = uapi.ModeFBInterlaced }, 0},
		{"rubbish in unused planes, as of old", func(a *uapi.ModeFBCmd2) { a.Handles[1], a.Pitches[2], a.Offsets[3] = 1, 2, 3 }, 0},
		{"unknown flag", func(a *uapi.ModeFBCmd2) { a.Flags = 4 }, unix.EINVAL},
		{"width 0", func(a *uapi.ModeFBCmd2) { a.Width = 0 }, unix.EINVAL},
		{"too narrow", func(a *uapi.ModeFBCmd2) { a.Width = 9 }, unix.EINVAL},
		{"too wide", func(a *uapi.ModeFBCmd2) { a.Width = 8193 }, unix.EINVAL},
		{"too low", func(a *uapi.ModeFBCmd2) { a.Height = 9 }, unix.EINVAL},
		{"too high", func(a *uapi.ModeFBCmd2) { a.Height = 8193 }, unix.EINVAL},
		{"absurd", func(a *uapi.ModeFBCmd2) { a.Width, a.Height = math.MaxUint32, math.MaxUint32 }, unix.EINVAL},
		{"larger than its buffer", func(a *uapi.ModeFBCmd2) { a.Height = 769 }, unix.EINVAL},
		{"offset", func(a *uapi.ModeFBCmd2) { a.Offsets[0] = 1 }, unix.EINVAL},
		{"unknown format", func(a *uapi.ModeFBCmd2) { a.PixelFormat = 0 }, unix.EINVAL},
		{"format of no plane", func(a *uapi.ModeFBCmd2) { a.PixelFormat = uapi.FormatXBGR8888 }, unix.EINVAL},
		{"handle 0", func(a *uapi.ModeFBCmd2) { a.Handles[0] = 0 }, unix.EINVAL},
		{"unknown handle", func(a *uapi.ModeFBCmd2) { a.Handles[0] = 99 }, unix.ENOENT},
		{"pitch 0", func(a *uapi.ModeFBCmd2) { a.Pitches[0] = 0 }, unix.EINVAL},
		{"pitch too small", func(a *uapi.ModeFBCmd2) { a.Pitches[0]-- }, unix.EINVAL},
		{"pitch too large", func(a *uapi.ModeFBCmd2) { a.Pitches[0] = 65536 }, unix.EINVAL},
		{"pitch beyond 32 bits", func(a *uapi.ModeFBCmd2) { a.Pitches[0] = math.MaxUint32 }, unix.ERANGE},
		{"offset beyond 32 bits", func(a *uapi.ModeFBCmd2) { a.Offsets[0] = math.MaxUint32 }, unix.ERANGE},
		{"modifier without flag", func(a *uapi.ModeFBCmd2) { a.Modifier[0] = 1 }, unix.EINVAL},
		{"unknown modifier", func(a *uapi.ModeFBCmd2) { a.Flags, a.Modifier[0] = uapi.ModeFBModifiers, 1 }, unix.EINVAL},
		{"modifier of an unused plane", func(a *uapi.ModeFBCmd2) { a.Modifier[1] = 1 }, unix.EINVAL},
		{"handle of an unused plane", func(a *uapi.ModeFBCmd2) { a.Flags, a.Handles[1] = uapi.ModeFBModifiers, handle }, unix.EINVAL},
		{"pitch of an unused plane", func(a *uapi.ModeFBCmd2) { a.Flags, a.Pitches[1] = uapi.ModeFBModifiers, 1 }, unix.EINVAL},
		{"offset of an unused plane", func(a *uapi.ModeFBCmd2) { a.Flags, a.Offsets[1] = uapi.ModeFBModifiers, 1 }, unix.EINVAL},
		{"two planes, one buffer", func(a *uapi.ModeFBCmd2) { a.PixelFormat = uapi.FormatNV12 }, unix.EINVAL},
		{"no linear layout", func(a *uapi.ModeFBCmd2) { a.PixelFormat = uapi.FormatYUV420_8BIT }, unix.EINVAL},
	} {
		arg := uapi.ModeFBCmd2{
			Width: 1024, Height: 768, PixelFormat: uapi.FormatXRGB8888, Handles: [4]uint32{handle}, Pitches: [4]uint32{pitch},
		}
		tc.change(&arg)
		objects := f.driver.ModeConfig().Objects()
		err := ioctl(f, uapi.IoctlModeAddFB2, &arg)
		want(t, tc.name, err, tc.errno)
		if tc.errno != 0 && f.driver.ModeConfig().Objects() != objects {
			t.Errorf("%s: objects are left behind", tc.name)
		}
	}
	for _, size := range []uint32{10, 8192} {
		f.fb(size, 10, uapi.FormatXRGB8888)
		f.fb(10, size, uapi.FormatRGB565)
	}
}

func TestAddFB(t *testing.T) {
	f := newFixture(t)
	handle, pitch := f.dumb(64, 64, 64)
	for _, tc := range []struct {
		bpp, depth uint32
		errno      unix.Errno
	}{
		{32, 24, 0},
		{32, 32, 0},
		{16, 16, 0},
		{16, 15, unix.EINVAL}, // vkms has no such format
		{8, 8, unix.EINVAL},
		{24, 24, unix.EINVAL},
		{32, 30, unix.EINVAL},
		{0, 0, unix.EINVAL},
		{32, 16, unix.EINVAL},
		{math.MaxUint32, math.MaxUint32, unix.EINVAL},
	} {
		arg := uapi.ModeFBCmd{Width: 64, Height: 64, Pitch: pitch, BPP: tc.bpp, Depth: tc.depth, Handle: handle}
		want(t, "ADDFB", ioctl(f, uapi.IoctlModeAddFB, &arg), tc.errno)
		if tc.errno != 0 {
			continue
		}
		got := uapi.ModeFBCmd{FBID: arg.FBID}
		f.must(ioctl(f, uapi.IoctlModeGetFB, &got))
		if got.Width != 64 || got.Height != 64 || got.Pitch != pitch || got.BPP != tc.bpp || got.Depth != tc.depth || got.Handle == 0 || got.Handle == handle {
			t.Errorf("bpp %d, depth %d: GETFB returned %+v", tc.bpp, tc.depth, got)
		}
	}
}

func TestGetFB(t *testing.T) {
	f := newFixture(t)
	handle, pitch := f.dumb(64, 64, 32)
	arg := uapi.ModeFBCmd2{Width: 64, Height: 64, PixelFormat: uapi.FormatXRGB8888, Handles: [4]uint32{handle}, Pitches: [4]uint32{pitch}}
	f.must(ioctl(f, uapi.IoctlModeAddFB2, &arg))
	a, b := uapi.ModeFBCmd2{FBID: arg.FBID}, uapi.ModeFBCmd2{FBID: arg.FBID}
	f.must(ioctl(f, uapi.IoctlModeGetFB2, &a))
	f.must(ioctl(f, uapi.IoctlModeGetFB2, &b))
	if a.Handles[0] == b.Handles[0] || a.Handles[0] == handle {
		t.Errorf("GETFB2 returned handles %d and %d, want %d", a.Handles[0], b.Handles[0], handle)
	}
	if a.Flags != uapi.ModeFBModifiers || a.PixelFormat != uapi.FormatXRGB8888 || a.Pitches != [4]uint32{pitch} {
		t.Errorf("%+v", a)
	}
	// ADDFB2 accepts what GETFB2 returns.
	f.must(ioctl(f, uapi.IoctlModeAddFB2, &a))

	// Only the master gets handles.
	other := f.open()
	c := uapi.ModeFBCmd2{FBID: arg.FBID}
	f.must(ioctl(other, uapi.IoctlModeGetFB2, &c))
	d := uapi.ModeFBCmd{FBID: arg.FBID}
	f.must(ioctl(other, uapi.IoctlModeGetFB, &d))
	if c.Handles[0] != 0 || d.Handle != 0 || c.Width != 64 || d.Width != 64 {
		t.Errorf("as non-master: %+v and %+v", c, d)
	}
	id := arg.FBID
	want(t, "RMFB of another's framebuffer", ioctl(other, uapi.IoctlModeRmFB, &id), unix.ENOENT)
}

func TestFramebufferLife(t *testing.T) {
	f := newFixture(t)
	fb := f.enable()
	list := func() []uint32 {
		arg := uapi.ModeCardRes{CountFBs: 16}
		ids := make([]uint32, 16)
		arg.FBIDPtr = drmtest.PutSlice(f.Arena, ids)
		f.must(ioctl(f, uapi.IoctlModeGetResources, &arg))
		f.must(drmtest.GetSlice(f.Arena, ids, arg.FBIDPtr))
		return ids[:arg.CountFBs]
	}
	shown := func() uint32 {
		arg := uapi.ModeGetPlane{PlaneID: primaryID}
		f.must(ioctl(f, uapi.IoctlModeGetPlane, &arg))
		return arg.FBID
	}
	if got := list(); !slices.Equal(got, []uint32{fb}) {
		t.Errorf("framebuffers %v", got)
	}
	// A closed framebuffer is still shown, and its id stays in use.
	f.must(ioctl(f, uapi.IoctlModeCloseFB, &uapi.ModeCloseFB{FBID: fb}))
	want(t, "CLOSEFB again", ioctl(f, uapi.IoctlModeCloseFB, &uapi.ModeCloseFB{FBID: fb}), unix.ENOENT)
	want(t, "CLOSEFB with padding", ioctl(f, uapi.IoctlModeCloseFB, &uapi.ModeCloseFB{FBID: fb, Pad: 1}), unix.EINVAL)
	if len(list()) != 0 || shown() != fb {
		t.Errorf("after CLOSEFB: framebuffers %v, %d is shown", list(), shown())
	}
	second := f.fb(1024, 768, uapi.FormatXRGB8888)
	third := f.fb(64, 64, uapi.FormatXRGB8888)
	if got := list(); !slices.Equal(got, []uint32{third, second}) {
		t.Errorf("framebuffers %v, want the newest first", got)
	}
	f.must(ioctl(f, uapi.IoctlModeRmFB, &third))
	if second == fb {
		t.Error("the id of a shown framebuffer was used again")
	}
	f.must(f.flip(second, 0, 0))
	f.step()
	if third := f.fb(1024, 768, uapi.FormatXRGB8888); third != fb {
		t.Errorf("lowest free id %d, but the next framebuffer has %d", fb, third)
	}
	// Removing a framebuffer disables its plane, but not the CRTC.
	f.must(f.blocking(func() error { id := second; return ioctl(f, uapi.IoctlModeRmFB, &id) }))
	crtc := uapi.ModeCRTC{CRTCID: crtcID}
	f.must(ioctl(f, uapi.IoctlModeGetCRTC, &crtc))
	if shown() != 0 || crtc.FBID != 0 || crtc.ModeValid != 1 {
		t.Errorf("after RMFB: %d is shown, CRTC %+v", shown(), crtc)
	}
	want(t, "a flip after RMFB", f.flip(fb, 0, 0), unix.EBUSY)

	// Closing the file removes its framebuffers.
	f.enable()
	objects := f.driver.ModeConfig().Objects()
	other := f.open()
	f.File.Close()
	plane := uapi.ModeGetPlane{PlaneID: primaryID}
	f.must(ioctl(other, uapi.IoctlModeGetPlane, &plane))
	if plane.FBID != 0 || plane.CRTCID != 0 {
		t.Errorf("after the client closed its file: plane %+v", plane)
	}
	// Two framebuffers and one mode blob are gone. The CRTC keeps its mode.
	if got := f.driver.ModeConfig().Objects(); got != objects-2 {
		t.Errorf("%d objects, want %d", got, objects)
	}
	if n := f.driver.Buffers().Objects(); n != 0 {
		t.Errorf("%d buffers are left", n)
	}
}

func TestDirtyFB(t *testing.T) {
	f := newFixture(t)
	fb := f.fb(64, 64, uapi.FormatXRGB8888)
	clips := f.Put(make([]byte, 8*256))
	for _, tc := range []struct {
		name  string
		arg   uapi.ModeFBDirtyCmd
		errno unix.Errno
	}{
		{"whole", uapi.ModeFBDirtyCmd{}, unix.ENOSYS},
		{"clips", uapi.ModeFBDirtyCmd{NumClips: 256, ClipsPtr: clips}, unix.ENOSYS},
		{"too many clips", uapi.ModeFBDirtyCmd{NumClips: 257, ClipsPtr: clips}, unix.EINVAL},
		{"absurdly many clips", uapi.ModeFBDirtyCmd{NumClips: math.MaxUint32, ClipsPtr: clips}, unix.EINVAL},
		{"clips nowhere", uapi.ModeFBDirtyCmd{NumClips: 1}, unix.EINVAL},
		{"no clips somewhere", uapi.ModeFBDirtyCmd{ClipsPtr: clips}, unix.EINVAL},
		{"half a copy", uapi.ModeFBDirtyCmd{NumClips: 1, ClipsPtr: clips, Flags: uapi.ModeFBDirtyAnnotateCopy}, unix.EINVAL},
		{"bad pointer", uapi.ModeFBDirtyCmd{NumClips: 1, ClipsPtr: badAddr}, unix.EFAULT},
	} {
		tc.arg.FBID = fb
		want(t, tc.name, ioctl(f, uapi.IoctlModeDirtyFB, &tc.arg), tc.errno)
	}
}
