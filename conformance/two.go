package conformance

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// twoCases are about displays beside each other.
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
		f.t.Fatalf("there are %d displays", len(displays))
	}
	return [2]*kmsclient.Display(displays)
}

// twoIndependent is that what happens on one display leaves the other alone: a
// flip on each can be on its way.
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
	equal(t, "whether the first CRTC has a mode", a.GetCRTC().ModeValid, 1)
	equal(t, "whether the second CRTC has a mode", b.GetCRTC().ModeValid, 0)
	// One framebuffer can be shown by both, as far as it is large enough.
	fb := f.NewFB(uint32(max(two[0].Mode.HDisplay, two[1].Mode.HDisplay)), uint32(max(two[0].Mode.VDisplay, two[1].Mode.VDisplay)))
	for _, s := range []*screen{a, b} {
		s.FB = fb
		arg := s.SetCRTC()
		s.Want("with a framebuffer for both", uapi.IoctlModeSetCRTC, &arg)
	}
	equal(t, "what the first CRTC shows", a.GetCRTC().FBID, fb)
	f.Must(uapi.IoctlModeRmFB, &fb)
	equal(t, "what the first CRTC shows after RMFB", a.GetCRTC().FBID, 0)
	equal(t, "what the second CRTC shows after RMFB", b.GetCRTC().FBID, 0)
}

// twoAtomic is that one request can change both displays, or none: each that
// it concerns has an event.
func twoAtomic(t *tester) {
	f := t.Open()
	t.Must("ATOMIC", f.SetClientCap(uapi.ClientCapAtomic, 1))
	two := f.Two()
	a, b := t.SceneOf(f, two[0]), t.SceneOf(f, two[1])
	arg := f.atomicArg(allowModeset|wantEvent, append(a.on(), b.on()...)...)
	arg.UserData = 3
	f.Want("that lights two displays", uapi.IoctlModeAtomic, &arg)
	seen := make(map[uint32]uint64)
	for range 2 {
		e := f.Event()
		seen[e.CRTC] = e.UserData
	}
	equal(t, "the user data of the first CRTC's event", seen[a.CRTC], 3)
	equal(t, "the user data of the second CRTC's event", seen[b.CRTC], 3)

	other := a.plane("FB_ID", uint64(a.Another()))
	t.Want("ATOMIC that is right for the first and wrong for the second",
		f.atomic(allowModeset, other, b.crtc("MODE_ID", 0)), unix.EINVAL)
	equal(t, "what the first CRTC shows", a.GetCRTC().FBID, a.FB)
	t.Want("ATOMIC with a connector of the other", f.atomic(testOnly|allowModeset,
		a.connector("CRTC_ID", uint64(b.CRTC)), b.connector("CRTC_ID", uint64(b.CRTC)), a.crtc("MODE_ID", uint64(a.mode))), unix.EINVAL)
	t.Want("off, both", f.atomic(allowModeset, append(a.off(), b.off()...)...))
	equal(t, "whether the second CRTC has a mode", b.GetCRTC().ModeValid, 0)
}

// twoVblanks is that WAIT_VBLANK means the CRTC that it names.
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
	t.Want("WAIT_VBLANK on the one that is off", err, unix.EINVAL)
	_, _, err = b.waitVblank(uapi.VblankRelative, 0)
	t.Want("WAIT_VBLANK on the one that is on", err)
}

// twoLease is that a lessee counts the CRTCs that it has: its first is not the
// first of the device.
func twoLease(t *tester) {
	l := t.Lessor()
	two := l.Two()
	own := l.Enable(two[0])
	planes, err := l.Planes()
	t.Must("GETPLANERESOURCES", err)
	theirs := &lessor{file: l.file, Display: two[1]}
	for _, id := range planes {
		plane := l.MustPlane(id)
		if plane.PossibleCRTCs&(1<<two[1].Pipe) != 0 && plane.CRTCID == 0 && theirs.plane == 0 &&
			l.MustProperties(id, uapi.ModeObjectPlane)["type"].Value == uapi.PlaneTypePrimary {
			theirs.plane = id
		}
	}
	lessee, _ := theirs.Lease()
	d := lessee.Display()
	equal(t, "the CRTC of the lessee", d.CRTC, two[1].CRTC)
	equal(t, "the place of the lessee's CRTC", d.Pipe, 0)
	s := lessee.Enable(d)
	s.queueVblank(1, 9)
	equal(t, "the CRTC of the lessee's event", s.Event().CRTC, two[1].CRTC)
	_, _, err = (&screen{file: lessee, Display: two[1]}).waitVblank(uapi.VblankRelative, 0)
	t.Want("WAIT_VBLANK by the place that the CRTC has for the lessor", err, unix.EINVAL)
	lessee.Want("of the lessor's CRTC", uapi.IoctlModeGetCRTC, &uapi.ModeCRTC{CRTCID: own.CRTC}, unix.ENOENT)
	t.Must("PAGE_FLIP by the lessor, of its own", own.Flip(own.Another(), 1))
	t.Must("PAGE_FLIP by the lessee, of its own", s.Flip(s.Another(), 2))
	equal(t, "the user data of the lessor's flip", own.Event().UserData, 1)
	equal(t, "the user data of the lessee's flip", s.Event().UserData, 2)
}
