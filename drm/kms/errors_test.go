package kms_test

import (
	"math"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

const badAddr = 0xdead_0000_0000

// Requests for objects that are not there, of every kind.
func TestUnknownObjects(t *testing.T) {
	f := newFixture(t)
	f.setCap(uapi.ClientCapAtomic, 1)
	fb := f.enable()
	for _, id := range []uint32{0, 1, fb, 9999, math.MaxUint32} {
		for _, tc := range []struct {
			name  string
			err   error
			errno unix.Errno
		}{
			{"GETCRTC", ioctl(f, uapi.IoctlModeGetCRTC, &uapi.ModeCRTC{CRTCID: id}), unix.ENOENT},
			{"SETCRTC", ioctl(f, uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: id}), unix.ENOENT},
			{"GETCONNECTOR", ioctl(f, uapi.IoctlModeGetConnector, &uapi.ModeGetConnector{ConnectorID: id}), unix.ENOENT},
			{"GETENCODER", ioctl(f, uapi.IoctlModeGetEncoder, &uapi.ModeGetEncoder{EncoderID: id}), unix.ENOENT},
			{"GETPLANE", ioctl(f, uapi.IoctlModeGetPlane, &uapi.ModeGetPlane{PlaneID: id}), unix.ENOENT},
			{"SETPLANE", ioctl(f, uapi.IoctlModeSetPlane, &uapi.ModeSetPlane{PlaneID: id}), unix.ENOENT},
			{"SETPLANE's CRTC", ioctl(f, uapi.IoctlModeSetPlane, &uapi.ModeSetPlane{PlaneID: primaryID, FBID: fb, CRTCID: id}), unix.ENOENT},
			{"CURSOR", ioctl(f, uapi.IoctlModeCursor, &uapi.ModeCursor{CRTCID: id, Flags: uapi.ModeCursorMove}), unix.ENOENT},
			{"GETGAMMA", ioctl(f, uapi.IoctlModeGetGamma, &uapi.ModeCRTCLUT{CRTCID: id}), unix.ENOENT},
			{"SETGAMMA", ioctl(f, uapi.IoctlModeSetGamma, &uapi.ModeCRTCLUT{CRTCID: id}), unix.ENOENT},
			{"PAGE_FLIP", ioctl(f, uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{CRTCID: id, FBID: fb}), unix.ENOENT},
			{"GETPROPBLOB", ioctl(f, uapi.IoctlModeGetPropBlob, &uapi.ModeGetBlob{BlobID: id}), unix.ENOENT},
			{"DESTROYPROPBLOB", ioctl(f, uapi.IoctlModeDestroyPropBlob, &uapi.ModeDestroyBlob{BlobID: id}), unix.ENOENT},
		} {
			want(t, tc.name, tc.err, tc.errno)
		}
		if id == fb {
			continue
		}
		rm := id
		want(t, "RMFB", ioctl(f, uapi.IoctlModeRmFB, &rm), unix.ENOENT)
		want(t, "CLOSEFB", ioctl(f, uapi.IoctlModeCloseFB, &uapi.ModeCloseFB{FBID: id}), unix.ENOENT)
		want(t, "GETFB", ioctl(f, uapi.IoctlModeGetFB, &uapi.ModeFBCmd{FBID: id}), unix.ENOENT)
		want(t, "GETFB2", ioctl(f, uapi.IoctlModeGetFB2, &uapi.ModeFBCmd2{FBID: id}), unix.ENOENT)
		want(t, "DIRTYFB", ioctl(f, uapi.IoctlModeDirtyFB, &uapi.ModeFBDirtyCmd{FBID: id}), unix.ENOENT)
		want(t, "flip to it", f.flip(id, 0, 0), unix.ENOENT)
		if id != 1 {
			want(t, "GETPROPERTY", ioctl(f, uapi.IoctlModeGetProperty, &uapi.ModeGetProperty{PropID: id}), unix.ENOENT)
			want(t, "OBJ_GETPROPERTIES", ioctl(f, uapi.IoctlModeObjGetProperties, &uapi.ModeObjGetProperties{ObjID: id}), unix.ENOENT)
			want(t, "OBJ_SETPROPERTY", ioctl(f, uapi.IoctlModeObjSetProperty, &uapi.ModeObjSetProperty{ObjID: id}), unix.ENOENT)
		}
	}
	// Objects without properties.
	for _, id := range []uint32{1, fb, encoderID, 33} {
		want(t, "OBJ_GETPROPERTIES", ioctl(f, uapi.IoctlModeObjGetProperties, &uapi.ModeObjGetProperties{ObjID: id}), unix.EINVAL)
		want(t, "OBJ_SETPROPERTY", ioctl(f, uapi.IoctlModeObjSetProperty, &uapi.ModeObjSetProperty{ObjID: id}), unix.EINVAL)
	}
	want(t, "an object of another type", ioctl(f, uapi.IoctlModeObjGetProperties,
		&uapi.ModeObjGetProperties{ObjID: crtcID, ObjType: uapi.ModeObjectPlane}), unix.ENOENT)
}

func TestSetCRTCErrors(t *testing.T) {
	f := newFixture(t)
	fb := f.enable()
	small := f.fb(800, 600, uapi.FormatXRGB8888)
	good := *f.setCRTCArg(fb, "1024x768")
	_, before := f.properties(crtcID, uapi.ModeObjectCRTC)
	for _, tc := range []struct {
		name   string
		change func(arg *uapi.ModeCRTC)
		errno  unix.Errno
	}{
		{"x out of range", func(a *uapi.ModeCRTC) { a.X = 1 << 16 }, unix.ERANGE},
		{"y out of range", func(a *uapi.ModeCRTC) { a.Y = 1 << 16 }, unix.ERANGE},
		{"unknown framebuffer", func(a *uapi.ModeCRTC) { a.FBID = 9999 }, unix.ENOENT},
		{"no framebuffer", func(a *uapi.ModeCRTC) { a.FBID = 0 }, unix.ENOENT},
		{"a CRTC as framebuffer", func(a *uapi.ModeCRTC) { a.FBID = crtcID }, unix.ENOENT},
		{"framebuffer too small", func(a *uapi.ModeCRTC) { a.FBID = small }, unix.ENOSPC},
		{"beyond the framebuffer", func(a *uapi.ModeCRTC) { a.X = 1 }, unix.ENOSPC},
		{"no connectors", func(a *uapi.ModeCRTC) { a.CountConnectors = 0 }, unix.EINVAL},
		{"too many connectors", func(a *uapi.ModeCRTC) { a.CountConnectors = 3 }, unix.EINVAL},
		{"absurdly many connectors", func(a *uapi.ModeCRTC) { a.CountConnectors = math.MaxUint32 }, unix.EINVAL},
		{"connectors without mode", func(a *uapi.ModeCRTC) { a.ModeValid = 0 }, unix.EINVAL},
		{"bad pointer", func(a *uapi.ModeCRTC) { a.SetConnectorsPtr = badAddr }, unix.EFAULT},
		{"bad pointer and framebuffer too small", func(a *uapi.ModeCRTC) { a.SetConnectorsPtr, a.FBID = badAddr, small }, unix.ENOSPC},
		{"unknown connector", func(a *uapi.ModeCRTC) {
			a.SetConnectorsPtr = drmtest.PutSlice(f.Arena, []uint32{encoderID})
		}, unix.ENOENT},
		{"zero clock", func(a *uapi.ModeCRTC) { a.Mode.Clock = 0 }, unix.EINVAL},
		{"int-max clock", func(a *uapi.ModeCRTC) { a.Mode.Clock = math.MaxInt32 }, unix.EINVAL},
		{"uint-max clock", func(a *uapi.ModeCRTC) { a.Mode.Clock = math.MaxUint32 }, unix.ERANGE},
		{"slowest clock", func(a *uapi.ModeCRTC) { a.Mode.Clock = 1 }, unix.EINVAL},
		{"zero hdisplay", func(a *uapi.ModeCRTC) { a.Mode.HDisplay = 0 }, unix.EINVAL},
		{"zero vdisplay", func(a *uapi.ModeCRTC) { a.Mode.VDisplay = 0 }, unix.EINVAL},
		{"bad hsync start", func(a *uapi.ModeCRTC) { a.Mode.HSyncStart = a.Mode.HDisplay - 1 }, unix.EINVAL},
		{"bad hsync end", func(a *uapi.ModeCRTC) { a.Mode.HSyncEnd = a.Mode.HSyncStart - 1 }, unix.EINVAL},
		{"bad htotal", func(a *uapi.ModeCRTC) { a.Mode.HTotal = a.Mode.HSyncEnd - 1 }, unix.EINVAL},
		{"bad vsync start", func(a *uapi.ModeCRTC) { a.Mode.VSyncStart = a.Mode.VDisplay - 1 }, unix.EINVAL},
		{"bad vsync end", func(a *uapi.ModeCRTC) { a.Mode.VSyncEnd = a.Mode.VSyncStart - 1 }, unix.EINVAL},
		{"bad vtotal", func(a *uapi.ModeCRTC) { a.Mode.VTotal = a.Mode.VSyncEnd - 1 }, unix.EINVAL},
		{"unknown mode flag", func(a *uapi.ModeCRTC) { a.Mode.Flags |= 1 << 30 }, unix.EINVAL},
		{"aspect ratio unasked", func(a *uapi.ModeCRTC) { a.Mode.Flags |= uapi.ModeFlagPicAR4_3 }, unix.EINVAL},
		{"frame packing needs both eyes", func(a *uapi.ModeCRTC) { a.Mode.Flags |= uapi.ModeFlag3DFramePacking }, unix.ENOSPC},
	} {
		arg := good
		tc.change(&arg)
		want(t, tc.name, ioctl(f, uapi.IoctlModeSetCRTC, &arg), tc.errno)
	}
	if _, after := f.properties(crtcID, uapi.ModeObjectCRTC); after[gammaID] != before[gammaID] {
		t.Error("a refused SETCRTC has changed something")
	}
	crtc := uapi.ModeCRTC{CRTCID: crtcID}
	f.must(ioctl(f, uapi.IoctlModeGetCRTC, &crtc))
	if crtc.FBID != fb || crtc.ModeValid != 1 || cString(crtc.Mode.Name[:]) != "1024x768" {
		t.Errorf("after the refused requests %+v is shown", crtc)
	}
	// -1 keeps the framebuffer.
	keep := good
	keep.FBID = math.MaxUint32
	f.must(f.blocking(func() error { return ioctl(f, uapi.IoctlModeSetCRTC, &keep) }))
	f.disable()
	want(t, "keeping a framebuffer that is not there", ioctl(f, uapi.IoctlModeSetCRTC, &keep), unix.EINVAL)

	other := f.open()
	want(t, "SETCRTC by who is not master", ioctl(other, uapi.IoctlModeSetCRTC, &good), unix.EACCES)
}

func TestPageFlipErrors(t *testing.T) {
	f := newFixture(t)
	want(t, "before SETCRTC", f.flip(1, 0, 0), unix.EBUSY)
	fb := f.enable()
	for _, tc := range []struct {
		name  string
		arg   uapi.ModeCRTCPageFlip
		errno unix.Errno
	}{
		{"async", uapi.ModeCRTCPageFlip{Flags: uapi.ModePageFlipAsync}, unix.EINVAL},
		{"unknown flag", uapi.ModeCRTCPageFlip{Flags: 1 << 8}, unix.EINVAL},
		{"absolute target", uapi.ModeCRTCPageFlip{Flags: uapi.ModePageFlipTargetAbsolute}, unix.EINVAL},
		{"relative target", uapi.ModeCRTCPageFlip{Flags: uapi.ModePageFlipTargetRelative}, unix.EINVAL},
		{"both targets", uapi.ModeCRTCPageFlip{Flags: uapi.ModePageFlipTarget}, unix.EINVAL},
		{"reserved", uapi.ModeCRTCPageFlip{Reserved: 1}, unix.EINVAL},
		{"too small", uapi.ModeCRTCPageFlip{FBID: f.fb(800, 600, uapi.FormatXRGB8888)}, unix.ENOSPC},
		{"another format", uapi.ModeCRTCPageFlip{FBID: f.fb(1024, 768, uapi.FormatARGB8888)}, unix.EINVAL},
	} {
		arg := tc.arg
		arg.CRTCID = crtcID
		if arg.FBID == 0 {
			arg.FBID = fb
		}
		want(t, tc.name, ioctl(f, uapi.IoctlModePageFlip, &arg), tc.errno)
	}
	f.dpms(uapi.ModeDPMSOff)
	want(t, "while switched off", f.flip(fb, 0, 0), unix.EINVAL)
	f.dpms(uapi.ModeDPMSOn)
	f.must(f.flip(fb, 0, 0))
}

// TestPageFlipTarget checks which vblanks a flip can name, on a device that has such
// flips. Each is shown at the next one.
func TestPageFlipTarget(t *testing.T) {
	p, f := newBare(t, policy{limits: kms.Limits{PageFlipTarget: true}})
	if value, err := f.kms().Cap(uapi.CapPageFlipTarget); err != nil || value != 1 {
		t.Errorf("PAGE_FLIP_TARGET is %d, %v", value, err)
	}
	want(t, "while off", f.flip(1, 0, 0), unix.EINVAL)
	fb := f.enable()
	count := func() uint32 {
		arg := uapi.CRTCGetSequence{CRTCID: p.crtc.ID()}
		f.must(ioctl(f, uapi.IoctlCRTCGetSequence, &arg))
		return uint32(arg.Sequence)
	}
	for _, tc := range []struct {
		name   string
		flags  uint32
		target int // of an absolute one: beyond the last vblank
		errno  unix.Errno
	}{
		{"now", uapi.ModePageFlipTargetRelative, 0, 0},
		{"the next", uapi.ModePageFlipTargetRelative, 1, 0},
		{"the one after", uapi.ModePageFlipTargetRelative, 2, unix.EINVAL},
		{"the next, by its number", uapi.ModePageFlipTargetAbsolute, 1, 0},
		{"a past one", uapi.ModePageFlipTargetAbsolute, -2, 0},
		{"a future one", uapi.ModePageFlipTargetAbsolute, 2, unix.EINVAL},
		{"none", 0, 0, 0},
		{"a number without a flag", 0, 1, unix.EINVAL},
		{"both", uapi.ModePageFlipTarget, 0, unix.EINVAL},
	} {
		arg := uapi.ModeCRTCPageFlip{CRTCID: p.crtc.ID(), FBID: fb, Flags: tc.flags | uapi.ModePageFlipEvent, Reserved: uint32(tc.target)}
		before := count()
		if tc.flags == uapi.ModePageFlipTargetAbsolute {
			arg.Reserved += before
		}
		want(t, tc.name, ioctl(f, uapi.IoctlModePageFlip, &arg), tc.errno)
		if tc.errno != 0 {
			continue
		}
		f.step()
		if e := f.event(); e.Sequence != before+1 {
			t.Errorf("%s: shown at vblank %d, want %d", tc.name, e.Sequence, before+1)
		}
	}
}

// dpms sets the legacy property of the connector.
func (f *fixture) dpms(value uint64) {
	f.Helper()
	f.must(f.blocking(func() error {
		return ioctl(f, uapi.IoctlModeSetProperty, &uapi.ModeConnectorSetProperty{ConnectorID: connectorID, PropID: dpmsID, Value: value})
	}))
}

func TestDPMS(t *testing.T) {
	f := newFixture(t)
	f.setCap(uapi.ClientCapAtomic, 1)
	fb := f.enable()
	check := func(active, dpms uint64) {
		t.Helper()
		_, crtc := f.properties(crtcID, uapi.ModeObjectCRTC)
		_, connector := f.properties(connectorID, uapi.ModeObjectConnector)
		if crtc[activeID] != active || connector[dpmsID] != dpms {
			t.Errorf("ACTIVE %d, DPMS %d; want %d, %d", crtc[activeID], connector[dpmsID], active, dpms)
		}
	}
	check(1, uapi.ModeDPMSOn)
	f.dpms(uapi.ModeDPMSStandby)
	check(0, uapi.ModeDPMSOff)
	f.dpms(uapi.ModeDPMSOff)
	check(0, uapi.ModeDPMSOff)
	// A modeset switches on again.
	arg := f.setCRTCArg(fb, "1024x768")
	f.must(f.blocking(func() error { return ioctl(f, uapi.IoctlModeSetCRTC, arg) }))
	check(1, uapi.ModeDPMSOn)
	// Whatever is not on is off.
	f.dpms(1 << 40)
	check(0, uapi.ModeDPMSOff)
	f.dpms(uapi.ModeDPMSOn)
	check(1, uapi.ModeDPMSOn)
	// A connector that is fed by nothing is off.
	f.disable()
	check(0, uapi.ModeDPMSOff)
}

func TestPlaneErrors(t *testing.T) {
	f := newFixture(t)
	fb := f.enable()
	for _, tc := range []struct {
		name   string
		change func(a *uapi.ModeSetPlane)
		errno  unix.Errno
	}{
		{"as it is", func(a *uapi.ModeSetPlane) {}, 0},
		{"beyond the screen", func(a *uapi.ModeSetPlane) { a.CRTCX = 5000 }, 0},
		{"partly above", func(a *uapi.ModeSetPlane) { a.CRTCY = -100 }, 0},
		{"source outside", func(a *uapi.ModeSetPlane) { a.SrcX = 1 }, unix.ENOSPC},
		{"scaled up", func(a *uapi.ModeSetPlane) { a.SrcW /= 2 }, unix.ERANGE},
		{"scaled down", func(a *uapi.ModeSetPlane) { a.CRTCH /= 2 }, unix.ERANGE},
		{"a little scaled", func(a *uapi.ModeSetPlane) { a.SrcW-- }, unix.ERANGE},
		{"out of range", func(a *uapi.ModeSetPlane) { a.CRTCX = math.MaxInt32 }, unix.ERANGE},
		{"absurdly wide", func(a *uapi.ModeSetPlane) { a.CRTCW = math.MaxUint32 }, unix.ERANGE},
		{"source overflow", func(a *uapi.ModeSetPlane) { a.SrcX, a.SrcW = math.MaxUint32, math.MaxUint32 }, unix.ENOSPC},
		{"unknown framebuffer", func(a *uapi.ModeSetPlane) { a.FBID = 9999 }, unix.ENOENT},
		{"off", func(a *uapi.ModeSetPlane) { a.FBID = 0 }, 0},
	} {
		arg := f.planeArg(primaryID, fb, 0, 0, 1024, 768)
		tc.change(arg)
		want(t, tc.name, f.blocking(func() error { return ioctl(f, uapi.IoctlModeSetPlane, arg) }), tc.errno)
	}
}

func TestPermissions(t *testing.T) {
	f := newFixture(t)
	f.enable()
	other := f.open()
	for _, tc := range []struct {
		name string
		err  error
	}{
		{"SETPLANE", ioctl(other, uapi.IoctlModeSetPlane, &uapi.ModeSetPlane{PlaneID: primaryID})},
		{"PAGE_FLIP", other.flip(1, 0, 0)},
		{"CURSOR", ioctl(other, uapi.IoctlModeCursor, &uapi.ModeCursor{})},
		{"CURSOR2", ioctl(other, uapi.IoctlModeCursor2, &uapi.ModeCursor2{})},
		{"SETGAMMA", ioctl(other, uapi.IoctlModeSetGamma, &uapi.ModeCRTCLUT{})},
		{"SETPROPERTY", ioctl(other, uapi.IoctlModeSetProperty, &uapi.ModeConnectorSetProperty{})},
		{"OBJ_SETPROPERTY", ioctl(other, uapi.IoctlModeObjSetProperty, &uapi.ModeObjSetProperty{})},
		{"DIRTYFB", ioctl(other, uapi.IoctlModeDirtyFB, &uapi.ModeFBDirtyCmd{})},
		{"ATOMIC", ioctl(other, uapi.IoctlModeAtomic, &uapi.ModeAtomic{})},
		{"ATTACHMODE", ioctl(other, uapi.IoctlModeAttachMode, &uapi.ModeModeCmd{})},
		{"DETACHMODE", ioctl(other, uapi.IoctlModeDetachMode, &uapi.ModeModeCmd{})},
	} {
		want(t, tc.name, tc.err, unix.EACCES)
	}
	// Looking is free for all, and so are buffers of one's own.
	other.fb(64, 64, uapi.FormatXRGB8888)
	other.query()
	want(t, "GETRESOURCES", ioctl(other, uapi.IoctlModeGetResources, &uapi.ModeCardRes{}), 0)
}
