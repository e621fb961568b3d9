package conformance

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// twoCases are about two displays of one device.
var twoCases = []Case{
	{"two/independent", NeedTwoDisplays | NeedDumb, twoIndependent},
	{"two/atomic", NeedTwoDisplays | NeedDumb | NeedAtomic, twoAtomic},
	{"two/vblanks", NeedTwoDisplays | NeedVblank, twoVblanks},
	{"two/lease-one", NeedTwoDisplays | NeedVblank, twoLease},
}

// Two returns the first two displays.
func (f *file) Two() [2]*kmsclient.Display {
	f.t.Helper()
	displays, err := f.Displays()
	f.t.Must("looking for two displays", err)
	if len(displays) < 2 {
		f.t.Fatalf("%d displays, want 2", len(displays))
	}
	return [2]*kmsclient.Display(displays)
}

// twoIndependent checks that the displays do not affect each other. Both can
// have a pending flip.
func twoIndependent(t *tester) {
	f := t.Open()
	two := f.Two()
	a, b := f.Enable(two[0]), f.Enable(two[1])
	t.Must("PAGE_FLIP of the first", a.Flip(a.Another(), 1))
	t.Must("PAGE_FLIP of the second", b.Flip(b.Another(), 2))
	seen := make(map[uint64]uint32)
	for range 2 {
		e := f.Event()
		seen[e.UserData] = e.CRTC
	}
	equal(t, "the CRTC of the first flip", seen[1], a.CRTC)
	equal(t, "the CRTC of the second flip", seen[2], b.CRTC)
	b.Must(uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: b.CRTC})
	equal(t, "mode_valid of the first CRTC", a.GetCRTC().ModeValid, 1)
	equal(t, "mode_valid of the second CRTC", b.GetCRTC().ModeValid, 0)
	// Both can show one framebuffer if it is large enough.
	fb := f.NewFB(uint32(max(two[0].Mode.HDisplay, two[1].Mode.HDisplay)), uint32(max(two[0].Mode.VDisplay, two[1].Mode.VDisplay)))
	for _, s := range []*screen{a, b} {
		s.FB = fb
		arg := s.SetCRTC()
		s.Want("of a framebuffer that both show", uapi.IoctlModeSetCRTC, &arg)
	}
	equal(t, "the framebuffer of the first CRTC", a.GetCRTC().FBID, fb)
	f.Must(uapi.IoctlModeRmFB, &fb)
	equal(t, "the framebuffer of the first CRTC after RMFB", a.GetCRTC().FBID, 0)
	equal(t, "the framebuffer of the second CRTC after RMFB", b.GetCRTC().FBID, 0)
}

// twoAtomic checks that one request changes both displays or none, and that
// each display sends an event.
func twoAtomic(t *tester) {
	f := t.Open()
	t.Must("SET_CLIENT_CAP ATOMIC", f.SetClientCap(uapi.ClientCapAtomic, 1))
	two := f.Two()
	a, b := t.SceneOf(f, two[0]), t.SceneOf(f, two[1])
	arg := f.atomicArg(allowModeset|wantEvent, append(a.on(), b.on()...)...)
	arg.UserData = 3
	f.Want("that enables two displays", uapi.IoctlModeAtomic, &arg)
	seen := make(map[uint32]uint64)
	for range 2 {
		e := f.Event()
		seen[e.CRTC] = e.UserData
	}
	equal(t, "the user data of the first CRTC's event", seen[a.CRTC], 3)
	equal(t, "the user data of the second CRTC's event", seen[b.CRTC], 3)

	other := a.plane("FB_ID", uint64(a.Another()))
	t.Want("MODE_ATOMIC that is valid for the first and invalid for the second",
		f.atomic(allowModeset, other, b.crtc("MODE_ID", 0)), unix.EINVAL)
	equal(t, "the framebuffer of the first CRTC", a.GetCRTC().FBID, a.FB)
	t.Want("MODE_ATOMIC with both connectors on one CRTC", f.atomic(testOnly|allowModeset,
		a.connector("CRTC_ID", uint64(b.CRTC)), b.connector("CRTC_ID", uint64(b.CRTC)), a.crtc("MODE_ID", uint64(a.mode))), unix.EINVAL)
	t.Want("MODE_ATOMIC that disables both", f.atomic(allowModeset, append(a.off(), b.off()...)...))
	equal(t, "mode_valid of the second CRTC", b.GetCRTC().ModeValid, 0)
}

// twoVblanks checks that WAIT_VBLANK uses the CRTC that it names.
func twoVblanks(t *tester) {
	f := t.Open()
	two := f.Two()
	b := f.Enable(two[1])
	b.queueVblank(1, 7)
	e := b.Event()
	equal(t, "the CRTC of the event", e.CRTC, b.CRTC)
	a := &screen{file: f, Display: two[0]}
	f.Must(uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: a.CRTC})
	_, _, err := a.waitVblank(uapi.VblankRelative, 0)
	t.Want("WAIT_VBLANK on the disabled CRTC", err, unix.EINVAL)
	_, _, err = b.waitVblank(uapi.VblankRelative, 0)
	t.Want("WAIT_VBLANK on the enabled CRTC", err)
}

// twoLease checks that a lessee counts only leased CRTCs: its CRTC 0 need not
// be the device's.
func twoLease(t *tester) {
	l := t.Lessor()
	two := l.Two()
	own := l.Enable(two[0])
	planes, err := l.Planes()
	t.Must("GETPLANERESOURCES", err)
	theirs := &lessor{file: l.file, Display: two[1]}
	for _, id := range planes {
		plane := l.MustPlane(id)
		if plane.PossibleCRTCs&(1<<two[1].Pipe) != 0 && plane.CRTCID != own.CRTC && theirs.plane == 0 &&
			l.MustProperties(id, uapi.ModeObjectPlane)["type"].Value == uapi.PlaneTypePrimary {
			theirs.plane = id
		}
	}
	lessee, _ := theirs.Lease()
	d := lessee.Display()
	equal(t, "the CRTC of the lessee", d.CRTC, two[1].CRTC)
	equal(t, "the index of the lessee's CRTC", d.Pipe, 0)
	s := lessee.Enable(d)
	s.queueVblank(1, 9)
	equal(t, "the CRTC of the lessee's event", s.Event().CRTC, two[1].CRTC)
	_, _, err = (&screen{file: lessee, Display: two[1]}).waitVblank(uapi.VblankRelative, 0)
	t.Want("WAIT_VBLANK by the CRTC's index for the lessor", err, unix.EINVAL)
	lessee.Want("of the lessor's CRTC", uapi.IoctlModeGetCRTC, &uapi.ModeCRTC{CRTCID: own.CRTC}, unix.ENOENT)
	t.Must("PAGE_FLIP by the lessor on its own CRTC", own.Flip(own.Another(), 1))
	t.Must("PAGE_FLIP by the lessee on its own CRTC", s.Flip(s.Another(), 2))
	equal(t, "the user data of the lessor's flip", own.Event().UserData, 1)
	equal(t, "the user data of the lessee's flip", s.Event().UserData, 2)
}
