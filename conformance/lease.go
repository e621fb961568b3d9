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

// A lessor is a client that leases its display.
type lessor struct {
	*file
	*kmsclient.Display
	plane uint32
}

// Lessor opens the node for a client with universal planes.
func (t *tester) Lessor() *lessor {
	t.Helper()
	f := t.Open()
	return &lessor{f, f.Display(), f.Plane(uapi.PlaneTypePrimary)}
}

// leaseArg returns the request for a lease of the objects.
func (l *lessor) leaseArg(objects ...uint32) uapi.ModeCreateLease {
	return uapi.ModeCreateLease{
		ObjectIDs: addr(l.t, objects), ObjectCount: uint32(len(objects)), Flags: unix.O_CLOEXEC | unix.O_NONBLOCK,
	}
}

// Lease leases the display and returns the lessee's file and id.
func (l *lessor) Lease() (lessee *file, id uint32) {
	l.t.Helper()
	arg := l.leaseArg(l.CRTC, l.Connector.ID, l.plane)
	l.Must(uapi.IoctlModeCreateLease, &arg)
	return l.t.File(int(arg.FD), "a lease"), arg.LesseeID
}

// leaseCreate checks that a lessee can use the display.
func leaseCreate(t *tester) {
	l := t.Lessor()
	lessee, id := l.Lease()
	if id == 0 {
		t.Errorf("the lessee has id 0")
	}
	flags, err := unix.FcntlInt(uintptr(lessee.fd), unix.F_GETFD, 0)
	t.Want("F_GETFD", err)
	equal(t, "whether the lease is closed on exec", flags&unix.FD_CLOEXEC != 0, true)
	t.Must("SET_CLIENT_CAP UNIVERSAL_PLANES by the lessee", lessee.SetClientCap(uapi.ClientCapUniversalPlanes, 1))
	s := t.ShowOn(lessee)
	equal(t, "the framebuffer seen by the lessee", s.GetCRTC().FBID, s.FB)
	crtc := uapi.ModeCRTC{CRTCID: l.CRTC}
	l.Must(uapi.IoctlModeGetCRTC, &crtc)
	equal(t, "the framebuffer seen by the lessor", crtc.FBID, s.FB)
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
		{"of a nonexistent object", []uint32{l.CRTC, l.Connector.ID, l.plane, 0x7ffffff0}, unix.ENOENT},
		{"of an encoder", []uint32{l.CRTC, l.Connector.ID, l.plane, l.Encoder}, unix.EINVAL},
		{"without a CRTC", []uint32{l.Connector.ID, l.plane}, unix.EINVAL},
		{"without a connector", []uint32{l.CRTC, l.plane}, unix.EINVAL},
		{"without a plane", []uint32{l.CRTC, l.Connector.ID}, unix.EINVAL},
		{"of a duplicate object", []uint32{l.CRTC, l.Connector.ID, l.plane, l.CRTC}, unix.ENOSPC},
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
		l.Want("of a nonexistent lessee", uapi.IoctlModeRevokeLease, &uapi.ModeRevokeLease{LesseeID: id}, unix.ENOENT)
	}
	if lessees := l.lessees(); len(lessees) != 0 {
		t.Errorf("refused requests left the lessees %d", lessees)
	}
}

// leaseObjects checks that a lessee sees the leased objects, and no others of
// the kinds that can be leased.
func leaseObjects(t *tester) {
	l := t.Lessor()
	all := l.MustResources()
	planes, err := l.Planes()
	t.Must("GETPLANERESOURCES", err)
	lessee, _ := l.Lease()
	t.Must("SET_CLIENT_CAP UNIVERSAL_PLANES by the lessee", lessee.SetClientCap(uapi.ClientCapUniversalPlanes, 1))
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
	lessee.Want("of a leased plane", uapi.IoctlModeGetPlane, &uapi.ModeGetPlane{PlaneID: l.plane})
	for _, id := range planes {
		if id != l.plane {
			lessee.Want("of a plane outside the lease", uapi.IoctlModeGetPlane, &uapi.ModeGetPlane{PlaneID: id}, unix.ENOENT)
			lessee.Want("of a plane outside the lease", uapi.IoctlModeSetPlane, &uapi.ModeSetPlane{PlaneID: id}, unix.ENOENT)
			lessee.Want("of a plane outside the lease", uapi.IoctlModeObjGetProperties,
				&uapi.ModeObjGetProperties{ObjID: id, ObjType: uapi.ModeObjectPlane}, unix.ENOENT)
		}
	}
	for _, id := range all.CRTCs {
		if id != l.CRTC {
			lessee.Want("of a CRTC outside the lease", uapi.IoctlModeGetCRTC, &uapi.ModeCRTC{CRTCID: id}, unix.ENOENT)
		}
	}
	for _, id := range all.Connectors {
		if id != l.Connector.ID {
			lessee.Want("of a connector outside the lease", uapi.IoctlModeGetConnector, &uapi.ModeGetConnector{ConnectorID: id}, unix.ENOENT)
		}
	}
	// Framebuffers belong to their file.
	fb := l.NewFB(64, 64)
	lessee.Want("of the lessor's framebuffer", uapi.IoctlModeRmFB, &fb, unix.ENOENT)
}

func leaseTwice(t *tester) {
	l := t.Lessor()
	lessee, _ := l.Lease()
	arg := l.leaseArg(l.CRTC, l.Connector.ID, l.plane)
	l.Want("of leased objects", uapi.IoctlModeCreateLease, &arg, unix.EBUSY)
	t.Must("close", lessee.Close())
	l.Want("after the lessee is closed", uapi.IoctlModeCreateLease, &arg)
	t.File(int(arg.FD), "a lease")
}

// lessees returns the ids of a lessor's lessees.
func (f *file) lessees() []uint32 {
	f.t.Helper()
	var count uapi.ModeListLessees
	f.Must(uapi.IoctlModeListLessees, &count)
	ids := make([]uint32, count.CountLessees)
	f.Must(uapi.IoctlModeListLessees, &uapi.ModeListLessees{CountLessees: count.CountLessees, LesseesPtr: addr(f.t, ids)})
	return ids
}

// leased returns the objects of a lessee in ascending order.
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
		t.Errorf("lessees %d, want none", lessees)
	}
	lessee, id := l.Lease()
	if lessees := l.lessees(); !slices.Equal(lessees, []uint32{id}) {
		t.Errorf("lessees %d, want %d", lessees, id)
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
			t.Errorf("the lessor does not see object %d, which it leased", object)
		}
	}
}

// leaseRevoke checks that a revoked lessee can neither see nor use the objects,
// and that the lessor can.
func leaseRevoke(t *tester) {
	l := t.Lessor()
	lessee, id := l.Lease()
	t.Must("SET_CLIENT_CAP UNIVERSAL_PLANES by the lessee", lessee.SetClientCap(uapi.ClientCapUniversalPlanes, 1))
	s := t.ShowOn(lessee)
	l.Want("", uapi.IoctlModeRevokeLease, &uapi.ModeRevokeLease{LesseeID: id})
	if objects := lessee.leased(); len(objects) != 0 {
		t.Errorf("a revoked lease has the objects %d", objects)
	}
	if r := lessee.MustResources(); len(r.CRTCs) != 0 || len(r.Connectors) != 0 {
		t.Errorf("a revoked lessee sees the CRTCs %d and the connectors %d", r.CRTCs, r.Connectors)
	}
	if lessees := l.lessees(); len(lessees) != 0 {
		t.Errorf("lessees %d, want none", lessees)
	}
	lessee.Want("after REVOKE_LEASE", uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: l.CRTC}, unix.ENOENT)
	lessee.Want("after REVOKE_LEASE", uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{CRTCID: l.CRTC, FBID: s.FB}, unix.ENOENT)
	arg := l.leaseArg(l.CRTC, l.Connector.ID, l.plane)
	l.Want("of revoked objects", uapi.IoctlModeCreateLease, &arg)
	t.File(int(arg.FD), "a lease")
	l.Want("to disable, by the lessor", uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: l.CRTC})
}

// leaseMaster checks that a lessee is master while its lessor is, and can
// neither drop nor set that itself.
func leaseMaster(t *tester) {
	l := t.Lessor()
	lessee, _ := l.Lease()
	t.Want("a master's request by the lessee", asMaster(lessee))
	lessee.Want("as lessee", uapi.IoctlDropMaster, nil, unix.EINVAL)
	l.Must(uapi.IoctlDropMaster, nil)
	t.Want("a master's request by the lessee after the lessor's DROP_MASTER", asMaster(lessee), unix.EACCES)
	lessee.Want("as lessee after the lessor's DROP_MASTER", uapi.IoctlSetMaster, nil, unix.EINVAL)
	l.Must(uapi.IoctlSetMaster, nil)
	t.Want("a master's request by the lessee", asMaster(lessee))
}

func leaseLesseeCloses(t *tester) {
	l := t.Lessor()
	lessee, _ := l.Lease()
	t.Must("close", lessee.Close())
	if lessees := l.lessees(); len(lessees) != 0 {
		t.Errorf("lessees %d after the lessee is closed, want none", lessees)
	}
	t.Want("a master's request by the lessor", asMaster(l.file))
}

func leaseLessorCloses(t *tester) {
	l := t.Lessor()
	lessee, _ := l.Lease()
	t.Must("close", l.Close())
	t.Want("a master's request by the lessee after the lessor is closed", asMaster(lessee), unix.EACCES)
	r := lessee.MustResources()
	if len(r.CRTCs) != 0 || len(r.Connectors) != 0 {
		t.Errorf("the lessee of a closed lessor sees the CRTCs %d and the connectors %d", r.CRTCs, r.Connectors)
	}
}

// leaseLessee checks that a lessee cannot create leases.
func leaseLessee(t *tester) {
	l := t.Lessor()
	lessee, id := l.Lease()
	t.Must("SET_CLIENT_CAP UNIVERSAL_PLANES by the lessee", lessee.SetClientCap(uapi.ClientCapUniversalPlanes, 1))
	arg := l.leaseArg(l.CRTC, l.Connector.ID, l.plane)
	lessee.Want("as lessee", uapi.IoctlModeCreateLease, &arg, unix.EINVAL)
	lessee.Want("of itself, as lessee", uapi.IoctlModeRevokeLease, &uapi.ModeRevokeLease{LesseeID: id}, unix.EACCES)
}

// leaseImplicit checks that a lease by a client without universal planes
// includes the planes of the CRTC.
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

// leaseNoPrimary checks that requests that use a plane implicitly cannot use
// one outside the lease.
func leaseNoPrimary(t *tester) {
	s := t.Show()
	l := &lessor{file: s.file, Display: s.Display, plane: s.Plane(uapi.PlaneTypeOverlay)}
	lessee, _ := l.Lease()
	theirs := &screen{file: lessee, Display: s.Display}
	theirs.FB = theirs.Another()
	set := theirs.SetCRTC()
	lessee.Want("without a lease of the primary plane", uapi.IoctlModeSetCRTC, &set, unix.EACCES)
	t.Want("PAGE_FLIP without a lease of the primary plane", theirs.Flip(theirs.FB, 0), unix.EACCES)
	dumb := lessee.NewCursor()
	lessee.Want("without a lease of the cursor plane", uapi.IoctlModeCursor, &uapi.ModeCursor{
		Flags: uapi.ModeCursorBO, CRTCID: s.CRTC, Width: dumb.Width, Height: dumb.Height, Handle: dumb.Handle}, unix.EACCES)
	equal(t, "the framebuffer shown", s.GetCRTC().FBID, s.FB)
	overlay := uapi.ModeSetPlane{
		PlaneID: l.plane, CRTCID: s.CRTC, FBID: lessee.NewFB(64, 64), CRTCW: 64, CRTCH: 64, SrcW: 64 << 16, SrcH: 64 << 16,
	}
	lessee.Want("on the leased plane", uapi.IoctlModeSetPlane, &overlay)
	lessee.Want("to disable, without a plane", uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: s.CRTC})
}
