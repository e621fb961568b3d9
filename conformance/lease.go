package conformance

import (
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

var leaseCases = []Case{
	{"lease/create", NeedDisplay | NeedDumb, leaseCreate},
	{"lease/errors", NeedDisplay, leaseErrors},
	{"lease/only-its-objects", NeedDisplay | NeedDumb, leaseObjects},
	{"lease/two", NeedDisplay, leaseTwice},
	{"lease/list-and-get", NeedDisplay, leaseList},
	{"lease/revoke", NeedDisplay | NeedDumb, leaseRevoke},
	{"lease/master", NeedDisplay | NeedAdmin, leaseMaster},
	{"lease/lessee-closes", NeedDisplay, leaseLesseeCloses},
	{"lease/lessor-closes", NeedDisplay, leaseLessorCloses},
	{"lease/lessee-leases", NeedDisplay, leaseLessee},
	{"lease/without-primary-plane", NeedOverlay | NeedCursor | NeedDumb, leaseNoPrimary},
	{"lease/without-universal-planes", NeedDisplay, leaseImplicit},
}

// A lessor is a client with a display to lease.
type lessor struct {
	*file
	*kmsclient.Display
	plane uint32
}

// Lessor opens the node, for a client that knows all planes.
func (t *tester) Lessor() *lessor {
	t.Helper()
	f := t.Open()
	return &lessor{f, f.Display(), f.Plane(uapi.PlaneTypePrimary)}
}

// leaseArg is the request for a lease of the objects.
func (l *lessor) leaseArg(objects ...uint32) uapi.ModeCreateLease {
	return uapi.ModeCreateLease{
		ObjectIDs: addr(l.t, objects), ObjectCount: uint32(len(objects)), Flags: unix.O_CLOEXEC | unix.O_NONBLOCK,
	}
}

// Lease leases the display.
func (l *lessor) Lease() (lessee *file, id uint32) {
	l.t.Helper()
	arg := l.leaseArg(l.CRTC, l.Connector.ID, l.plane)
	l.Must(uapi.IoctlModeCreateLease, &arg)
	return l.t.File(int(arg.FD), "a lease"), arg.LesseeID
}

// leaseCreate is that a lessee can use the display.
func leaseCreate(t *tester) {
	l := t.Lessor()
	lessee, id := l.Lease()
	if id == 0 {
		t.Errorf("the lessee has no id")
	}
	flags, err := unix.FcntlInt(uintptr(lessee.fd), unix.F_GETFD, 0)
	t.Want("F_GETFD", err)
	equal(t, "whether the lease is closed on exec", flags&unix.FD_CLOEXEC != 0, true)
	t.Must("UNIVERSAL_PLANES by the lessee", lessee.SetClientCap(uapi.ClientCapUniversalPlanes, 1))
	s := t.ShowOn(lessee)
	equal(t, "what the lessee shows", s.GetCRTC().FBID, s.FB)
	crtc := uapi.ModeCRTC{CRTCID: l.CRTC}
	l.Must(uapi.IoctlModeGetCRTC, &crtc)
	equal(t, "what the lessor sees shown", crtc.FBID, s.FB)
	t.Must("PAGE_FLIP by the lessee", s.Flip(s.Another(), 5))
	equal(t, "the user data of the lessee's flip", s.Event().UserData, 5)
}

func leaseErrors(t *tester) {
	l := t.Lessor()
	create := uint32(uapi.IoctlModeCreateLease)
	for _, c := range []struct {
		what    string
		objects []uint32
		errno   unix.Errno
	}{
		{"of an object that there is not", []uint32{l.CRTC, l.Connector.ID, l.plane, 0x7ffffff0}, unix.ENOENT},
		{"of an encoder", []uint32{l.CRTC, l.Connector.ID, l.plane, l.Encoder}, unix.EINVAL},
		{"of no CRTC", []uint32{l.Connector.ID, l.plane}, unix.EINVAL},
		{"of no connector", []uint32{l.CRTC, l.plane}, unix.EINVAL},
		{"of no plane", []uint32{l.CRTC, l.Connector.ID}, unix.EINVAL},
		{"of an object twice", []uint32{l.CRTC, l.Connector.ID, l.plane, l.CRTC}, unix.ENOSPC},
	} {
		arg := l.leaseArg(c.objects...)
		l.Want(c.what, create, &arg, c.errno)
	}
	arg := l.leaseArg(l.CRTC, l.Connector.ID, l.plane)
	arg.Flags = unix.O_APPEND
	l.Want("with unknown flags", create, &arg, unix.EINVAL)
	l.Want("with the ids at a bad address", create, &uapi.ModeCreateLease{ObjectIDs: t.BadAddr(), ObjectCount: 3}, unix.EFAULT)

	l.Want("with padding", uapi.IoctlModeListLessees, &uapi.ModeListLessees{Pad: 1}, unix.EINVAL)
	l.Want("with padding", uapi.IoctlModeGetLease, &uapi.ModeGetLease{Pad: 1}, unix.EINVAL)
	for _, id := range []uint32{0, 99, math.MaxUint32} {
		l.Want("of a lessee that there is not", uapi.IoctlModeRevokeLease, &uapi.ModeRevokeLease{LesseeID: id}, unix.ENOENT)
	}
	if lessees := l.lessees(); len(lessees) != 0 {
		t.Errorf("what was refused has left the lessees %d", lessees)
	}
}

// leaseObjects is that a lessee finds what it has on lease, and nothing else
// that can be leased.
func leaseObjects(t *tester) {
	l := t.Lessor()
	all := l.MustResources()
	planes, err := l.Planes()
	t.Must("GETPLANERESOURCES", err)
	lessee, _ := l.Lease()
	t.Must("UNIVERSAL_PLANES by the lessee", lessee.SetClientCap(uapi.ClientCapUniversalPlanes, 1))
	r := lessee.MustResources()
	if !slices.Equal(r.CRTCs, []uint32{l.CRTC}) || !slices.Equal(r.Connectors, []uint32{l.Connector.ID}) {
		t.Errorf("the lessee sees the CRTCs %d and the connectors %d, want %d and %d", r.CRTCs, r.Connectors, l.CRTC, l.Connector.ID)
	}
	if !slices.Equal(r.Encoders, all.Encoders) {
		t.Errorf("the lessee sees the encoders %d, want %d", r.Encoders, all.Encoders)
	}
	leased, err := lessee.Planes()
	t.Must("GETPLANERESOURCES by the lessee", err)
	if !slices.Equal(leased, []uint32{l.plane}) {
		t.Errorf("the lessee sees the planes %d, want %d", leased, l.plane)
	}
	lessee.Want("of a plane on lease", uapi.IoctlModeGetPlane, &uapi.ModeGetPlane{PlaneID: l.plane})
	for _, id := range planes {
		if id != l.plane {
			lessee.Want("of a plane that is not on lease", uapi.IoctlModeGetPlane, &uapi.ModeGetPlane{PlaneID: id}, unix.ENOENT)
			lessee.Want("of a plane that is not on lease", uapi.IoctlModeSetPlane, &uapi.ModeSetPlane{PlaneID: id}, unix.ENOENT)
			lessee.Want("of a plane that is not on lease", uapi.IoctlModeObjGetProperties,
				&uapi.ModeObjGetProperties{ObjID: id, ObjType: uapi.ModeObjectPlane}, unix.ENOENT)
		}
	}
	for _, id := range all.CRTCs {
		if id != l.CRTC {
			lessee.Want("of a CRTC that is not on lease", uapi.IoctlModeGetCRTC, &uapi.ModeCRTC{CRTCID: id}, unix.ENOENT)
		}
	}
	for _, id := range all.Connectors {
		if id != l.Connector.ID {
			lessee.Want("of a connector that is not on lease", uapi.IoctlModeGetConnector, &uapi.ModeGetConnector{ConnectorID: id}, unix.ENOENT)
		}
	}
	// Framebuffers belong to who makes them.
	fb := l.NewFB(64, 64)
	lessee.Want("of the lessor's", uapi.IoctlModeRmFB, &fb, unix.ENOENT)
}

func leaseTwice(t *tester) {
	l := t.Lessor()
	lessee, _ := l.Lease()
	arg := l.leaseArg(l.CRTC, l.Connector.ID, l.plane)
	l.Want("of what is on lease already", uapi.IoctlModeCreateLease, &arg, unix.EBUSY)
	t.Must("close", lessee.Close())
	l.Want("when the lessee has closed", uapi.IoctlModeCreateLease, &arg)
	t.File(int(arg.FD), "a lease")
}

// lessees are those of a lessor.
func (f *file) lessees() []uint32 {
	f.t.Helper()
	var count uapi.ModeListLessees
	f.Must(uapi.IoctlModeListLessees, &count)
	ids := make([]uint32, count.CountLessees)
	f.Must(uapi.IoctlModeListLessees, &uapi.ModeListLessees{CountLessees: count.CountLessees, LesseesPtr: addr(f.t, ids)})
	return ids
}

// leased are the objects of a lessee.
func (f *file) leased() []uint32 {
	f.t.Helper()
	var count uapi.ModeGetLease
	f.Must(uapi.IoctlModeGetLease, &count)
	ids := make([]uint32, count.CountObjects)
	f.Must(uapi.IoctlModeGetLease, &uapi.ModeGetLease{CountObjects: count.CountObjects, ObjectsPtr: addr(f.t, ids)})
	slices.Sort(ids)
	return ids
}

func leaseList(t *tester) {
	l := t.Lessor()
	if lessees := l.lessees(); len(lessees) != 0 {
		t.Errorf("there are the lessees %d", lessees)
	}
	lessee, id := l.Lease()
	if lessees := l.lessees(); !slices.Equal(lessees, []uint32{id}) {
		t.Errorf("there are the lessees %d, want %d", lessees, id)
	}
	want := []uint32{l.CRTC, l.Connector.ID, l.plane}
	slices.Sort(want)
	if objects := lessee.leased(); !slices.Equal(objects, want) {
		t.Errorf("the lease has the objects %d, want %d", objects, want)
	}
	if lessees := lessee.lessees(); len(lessees) != 0 {
		t.Errorf("the lessee has the lessees %d", lessees)
	}
	l.Want("at a bad address", uapi.IoctlModeListLessees, &uapi.ModeListLessees{CountLessees: 1, LesseesPtr: t.BadAddr()}, unix.EFAULT)
	lessee.Want("at a bad address", uapi.IoctlModeGetLease, &uapi.ModeGetLease{CountObjects: 1, ObjectsPtr: t.BadAddr()}, unix.EFAULT)
	for _, object := range want {
		if !slices.Contains(l.leased(), object) {
			t.Errorf("the objects of the lessor are without %d, which it has leased away", object)
		}
	}
}

// leaseRevoke is that what is revoked can neither be seen nor used, and that
// the lessor has it back.
func leaseRevoke(t *tester) {
	l := t.Lessor()
	lessee, id := l.Lease()
	t.Must("UNIVERSAL_PLANES by the lessee", lessee.SetClientCap(uapi.ClientCapUniversalPlanes, 1))
	s := t.ShowOn(lessee)
	l.Want("", uapi.IoctlModeRevokeLease, &uapi.ModeRevokeLease{LesseeID: id})
	if objects := lessee.leased(); len(objects) != 0 {
		t.Errorf("a lease that was revoked has the objects %d", objects)
	}
	if r := lessee.MustResources(); len(r.CRTCs) != 0 || len(r.Connectors) != 0 {
		t.Errorf("a lessee of nothing sees the CRTCs %d and the connectors %d", r.CRTCs, r.Connectors)
	}
	if lessees := l.lessees(); len(lessees) != 0 {
		t.Errorf("there are the lessees %d", lessees)
	}
	lessee.Want("after the lease was revoked", uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: l.CRTC}, unix.ENOENT)
	lessee.Want("after the lease was revoked", uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{CRTCID: l.CRTC, FBID: s.FB}, unix.ENOENT)
	arg := l.leaseArg(l.CRTC, l.Connector.ID, l.plane)
	l.Want("of what was revoked", uapi.IoctlModeCreateLease, &arg)
	t.File(int(arg.FD), "a lease")
	l.Want("off, by the lessor", uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: l.CRTC})
}

// leaseMaster is that a lessee is master while its lessor is, and neither can
// give that away nor take it.
func leaseMaster(t *tester) {
	l := t.Lessor()
	lessee, _ := l.Lease()
	t.Want("a request of the master, by the lessee", asMaster(lessee))
	lessee.Want("by a lessee", uapi.IoctlDropMaster, nil, unix.EINVAL)
	l.Must(uapi.IoctlDropMaster, nil)
	t.Want("a request of the master, by the lessee of none", asMaster(lessee), unix.EACCES)
	lessee.Want("by the lessee of none", uapi.IoctlSetMaster, nil, unix.EINVAL)
	l.Must(uapi.IoctlSetMaster, nil)
	t.Want("a request of the master, by the lessee", asMaster(lessee))
}

func leaseLesseeCloses(t *tester) {
	l := t.Lessor()
	lessee, _ := l.Lease()
	t.Must("close", lessee.Close())
	if lessees := l.lessees(); len(lessees) != 0 {
		t.Errorf("there are the lessees %d when they have closed", lessees)
	}
	t.Want("a request of the master, by the lessor", asMaster(l.file))
}

func leaseLessorCloses(t *tester) {
	l := t.Lessor()
	lessee, _ := l.Lease()
	t.Must("close", l.Close())
	t.Want("a request of the master, when the lessor has closed", asMaster(lessee), unix.EACCES)
	r := lessee.MustResources()
	if len(r.CRTCs) != 0 || len(r.Connectors) != 0 {
		t.Errorf("the lessee of one who has closed sees the CRTCs %d and the connectors %d", r.CRTCs, r.Connectors)
	}
}

// leaseLessee is that leases are not leased on.
func leaseLessee(t *tester) {
	l := t.Lessor()
	lessee, id := l.Lease()
	t.Must("UNIVERSAL_PLANES by the lessee", lessee.SetClientCap(uapi.ClientCapUniversalPlanes, 1))
	arg := l.leaseArg(l.CRTC, l.Connector.ID, l.plane)
	lessee.Want("by a lessee", uapi.IoctlModeCreateLease, &arg, unix.EINVAL)
	lessee.Want("of itself, by a lessee", uapi.IoctlModeRevokeLease, &uapi.ModeRevokeLease{LesseeID: id}, unix.EACCES)
}

// leaseImplicit is that planes come along for a client that does not know
// them.
func leaseImplicit(t *tester) {
	f := t.Open()
	l := &lessor{file: f, Display: f.Display()}
	arg := l.leaseArg(l.CRTC, l.Connector.ID)
	l.Must(uapi.IoctlModeCreateLease, &arg)
	lessee := t.File(int(arg.FD), "a lease")
	if plane := f.Plane(uapi.PlaneTypePrimary); !slices.Contains(lessee.leased(), plane) {
		t.Errorf("the lease has the objects %d, without the primary plane %d", lessee.leased(), plane)
	}
}

// leaseNoPrimary is that requests that use a plane without naming it are not a
// way to planes that are not on lease.
func leaseNoPrimary(t *tester) {
	s := t.Show()
	l := &lessor{file: s.file, Display: s.Display, plane: s.Plane(uapi.PlaneTypeOverlay)}
	lessee, _ := l.Lease()
	theirs := &screen{file: lessee, Display: s.Display}
	theirs.FB = theirs.Another()
	set := theirs.SetCRTC()
	lessee.Want("without the primary plane", uapi.IoctlModeSetCRTC, &set, unix.EACCES)
	t.Want("PAGE_FLIP without the primary plane", theirs.Flip(theirs.FB, 0), unix.EACCES)
	dumb := lessee.NewCursor()
	lessee.Want("without the cursor plane", uapi.IoctlModeCursor, &uapi.ModeCursor{
		Flags: uapi.ModeCursorBO, CRTCID: s.CRTC, Width: dumb.Width, Height: dumb.Height, Handle: dumb.Handle}, unix.EACCES)
	equal(t, "what is shown", s.GetCRTC().FBID, s.FB)
	overlay := uapi.ModeSetPlane{
		PlaneID: l.plane, CRTCID: s.CRTC, FBID: lessee.NewFB(64, 64), CRTCW: 64, CRTCH: 64, SrcW: 64 << 16, SrcH: 64 << 16,
	}
	lessee.Want("on the plane on lease", uapi.IoctlModeSetPlane, &overlay)
	lessee.Want("off, which needs no plane", uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: s.CRTC})
}
