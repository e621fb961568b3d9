package conformance

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// ruleCases are about the checks that all requests share: those that drm_ioctl
// makes before a handler runs, in its order.
var ruleCases = []Case{
	{"rules/bad-pointer", NeedMaster | NeedAdmin, badPointer},
	{"rules/unknown", 0, unknownRequests},
	{"rules/size", 0, sizes},
	{"rules/master", NeedMaster, onlyMaster},
	{"rules/authenticated", NeedMaster, onlyAuthenticated},
	{"rules/root", NeedMaster | NeedAdmin, onlyRoot},
	{"rules/absent-features", 0, absentFeatures},
	{"rules/render-node", NeedRender, onlyRender},
}

// buffer returns the address of zeros that are enough for any argument.
func (t *tester) buffer() uintptr { return uintptr(addr(t, make([]uint64, 64))) }

// known returns the requests that the device knows. Older kernels lack the
// youngest ones.
func known(f *file) []request {
	f.t.Helper()
	var list []request
	for _, r := range requests {
		switch r.cmd {
		case uapi.IoctlSetClientName, uapi.IoctlModeCloseFB, uapi.IoctlSyncobjEventfd, uapi.IoctlGEMChangeHandle:
			if errors.Is(f.Ioctl(r.cmd, uintptr(f.t.BadAddr())), unix.EINVAL) {
				continue
			}
		}
		list = append(list, r)
	}
	return list
}

// badPointer checks that an argument at a bad address is EFAULT.
func badPointer(t *tester) {
	f := t.Open()
	f.Must(uapi.IoctlSetMaster, nil)
	for _, r := range known(f) {
		if uapi.IOCDir(r.cmd) == uapi.IOCNone {
			continue
		}
		f.Want("at an unmapped address", r.cmd, uintptr(t.BadAddr()), unix.EFAULT)
		f.Want("at NULL", r.cmd, uintptr(0), unix.EFAULT)
	}
	f.Want("into read-only memory", uapi.IoctlGetCap, uintptr(t.ReadOnlyAddr()), unix.EFAULT, unix.EINVAL, unix.EOPNOTSUPP)
	f.Want("into read-only memory", uapi.IoctlVersion, uintptr(t.ReadOnlyAddr()), unix.EFAULT)
	f.Want("into read-only memory", uapi.IoctlGetMagic, uintptr(t.ReadOnlyAddr()), unix.EFAULT)
}

// unknownRequests checks that an unknown request is EINVAL, and one of another
// type ENOTTY.
func unknownRequests(t *tester) {
	f := t.Open()
	for _, nr := range []uint32{0x0e, 0x0f, 0x3d, 0xff} {
		f.Want("", uapi.IO(nr), nil, unix.EINVAL)
		f.Want("", uapi.IOWR(nr, 8), t.buffer(), unix.EINVAL)
		f.Want("", uapi.IOWR(nr, 8), uintptr(t.BadAddr()), unix.EINVAL)
	}
	t.Want("an ioctl of another type", f.Ioctl('x'<<8|1, t.buffer()), unix.ENOTTY)
	t.Want("VERSION with another type", f.Ioctl(uapi.IoctlVersion&^0xff00|'x'<<8, t.buffer()), unix.ENOTTY)
}

// withSize returns the request as a client sends it whose header has another
// size of the struct.
func withSize(cmd, size uint32) uint32 { return cmd&^(0x3fff<<16) | size<<16 }

// sizes checks that the size in a request's number may be that of an older or a
// newer struct. The device takes missing fields as zero, and leaves unknown
// fields alone.
func sizes(t *tester) {
	f := t.Open()
	long := [4]uint64{uapi.CapTimestampMonotonic, 7, 7, 7}
	f.Want("with a longer struct", withSize(uapi.IoctlGetCap, 32), &long)
	equal(t, "the value in a longer struct", long[1], 1)

	short := [2]uint64{uapi.CapTimestampMonotonic, 7}
	f.Want("with a shorter struct", withSize(uapi.IoctlGetCap, 8), &short)
	equal(t, "the memory behind a shorter struct", short[1], 7)

	// Only the directions that both sides know are copied.
	in := [2]uint64{uapi.CapTimestampMonotonic, 7}
	f.Want("in the write direction only", uapi.IoctlGetCap&^(uapi.IOCRead<<30), &in)
	equal(t, "the value after a request in the write direction only", in[1], 7)
}

// onlyMaster checks that requests for the master are EACCES for others.
func onlyMaster(t *tester) {
	f, other := t.Open(), t.Open()
	f.Must(uapi.IoctlSetMaster, nil)
	for _, r := range requests {
		if r.rules&forMaster != 0 {
			other.Want("as non-master", r.cmd, t.buffer(), unix.EACCES)
		}
	}
	f.Must(uapi.IoctlDropMaster, nil)
	for _, r := range requests {
		if r.rules&forMaster != 0 {
			f.Want("as former master", r.cmd, t.buffer(), unix.EACCES)
		}
	}
}

// onlyAuthenticated checks that the master must authenticate an unprivileged
// client by its magic number.
func onlyAuthenticated(t *tester) {
	master := t.Open()
	master.Must(uapi.IoctlSetMaster, nil)
	t.Unprivileged(func() {
		other := t.Open()
		try := func(when string, denied bool) {
			t.Helper()
			for _, r := range requests {
				if r.rules != forAuth {
					continue
				}
				// Other errors for an empty argument do not matter here.
				if err := other.Ioctl(r.cmd, t.buffer()); errors.Is(err, unix.EACCES) != denied {
					t.Errorf("%s when %s: %s", uapi.IoctlName(r.cmd), when, name(err))
				}
			}
			client := uapi.Client{}
			other.Must(uapi.IoctlGetClient, &client)
			equal(t, "the field auth of GET_CLIENT when "+when, client.Auth != 0, !denied)
		}
		try("not authenticated", true)
		var magic uapi.Auth
		other.Must(uapi.IoctlGetMagic, &magic)
		master.Must(uapi.IoctlAuthMagic, &magic)
		try("authenticated", false)
	})
}

// onlyRoot checks that privileged requests are EACCES without the privilege.
func onlyRoot(t *tester) {
	f := t.Open()
	f.Must(uapi.IoctlSetMaster, nil)
	t.Unprivileged(func() {
		for _, r := range requests {
			if r.rules&forRoot != 0 {
				f.Want("without CAP_SYS_ADMIN", r.cmd, t.buffer(), unix.EACCES)
			}
		}
	})
	f.Want("", uapi.IoctlBlock, t.buffer())
	f.Want("", uapi.IoctlUnblock, t.buffer())
	f.Want("", uapi.IoctlSetUnique, t.buffer(), unix.EINVAL)
}

// absentFeatures checks that a request for a feature that the device lacks is
// EOPNOTSUPP rather than EINVAL. A device with all features refuses nothing.
func absentFeatures(t *tester) {
	f := t.Open()
	_ = f.Ioctl(uapi.IoctlSetMaster, nil) // best effort
	refused := func(cmds ...uint32) {
		t.Helper()
		for _, cmd := range cmds {
			f.Want("unsupported by device", cmd, t.buffer(), unix.EOPNOTSUPP)
		}
	}
	if err := f.Ioctl(uapi.IoctlModeGetResources, t.buffer()); err != nil {
		t.Want("GETRESOURCES of a device without displays", err, unix.EOPNOTSUPP)
		refused(uapi.IoctlModeGetConnector, uapi.IoctlModeGetEncoder, uapi.IoctlModeGetCRTC, uapi.IoctlModeGetPlaneResources,
			uapi.IoctlModeGetPlane, uapi.IoctlModeGetProperty, uapi.IoctlModeObjGetProperties, uapi.IoctlModeGetPropBlob,
			uapi.IoctlModeCreatePropBlob, uapi.IoctlModeDestroyPropBlob, uapi.IoctlModeAddFB, uapi.IoctlModeAddFB2,
			uapi.IoctlModeRmFB, uapi.IoctlModeGetFB, uapi.IoctlModeGetGamma,
			uapi.IoctlWaitVblank, uapi.IoctlCRTCGetSequence, uapi.IoctlCRTCQueueSequence, uapi.IoctlSetClientCap)
		f.Want("unsupported by device", uapi.IoctlModeGetFB2, t.buffer(), unix.EOPNOTSUPP, unix.EINVAL) // Linux: EINVAL
		if asMaster(f) == nil {
			refused(uapi.IoctlModeSetCRTC, uapi.IoctlModeSetPlane, uapi.IoctlModePageFlip, uapi.IoctlModeCursor, uapi.IoctlModeCursor2,
				uapi.IoctlModeSetGamma, uapi.IoctlModeAtomic, uapi.IoctlModeSetProperty, uapi.IoctlModeObjSetProperty,
				uapi.IoctlModeDirtyFB, uapi.IoctlModeCreateLease, uapi.IoctlModeListLessees, uapi.IoctlModeGetLease, uapi.IoctlModeRevokeLease)
		}
	}
	if value, _ := f.Cap(uapi.CapSyncobj); value == 0 {
		refused(uapi.IoctlSyncobjCreate, uapi.IoctlSyncobjDestroy, uapi.IoctlSyncobjHandleToFD, uapi.IoctlSyncobjFDToHandle,
			uapi.IoctlSyncobjWait, uapi.IoctlSyncobjReset, uapi.IoctlSyncobjSignal)
	}
	if value, _ := f.Cap(uapi.CapSyncobjTimeline); value == 0 {
		refused(uapi.IoctlSyncobjTransfer, uapi.IoctlSyncobjTimelineWait, uapi.IoctlSyncobjTimelineSignal, uapi.IoctlSyncobjQuery)
	}
}

// onlyRender checks that a render node accepts the requests for render nodes,
// and answers EACCES to all others.
func onlyRender(t *tester) {
	f := t.OpenRender()
	for _, r := range known(t.Open()) {
		if err := f.Ioctl(r.cmd, t.buffer()); errors.Is(err, unix.EACCES) != (r.rules&forRender == 0) {
			t.Errorf("%s on a render node: %s", uapi.IoctlName(r.cmd), name(err))
		}
	}
}
