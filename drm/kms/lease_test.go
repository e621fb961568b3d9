package kms_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// A lessee is a client that a lease has created. It reads events from its
// descriptor.
type lessee struct {
	*fixture
	fd int32
}

// lease leases objects from f's client.
func (f *fixture) lease(objects ...uint32) *lessee {
	f.Helper()
	c, fd, err := leaseTo(f.Client, objects)
	f.must(err)
	l := &lessee{new(fixture), fd}
	*l.fixture = *f
	l.Client = c
	f.Cleanup(func() { f.must(drmtest.CloseFD(fd)) })
	return l
}

// vblank reads the event of a vblank.
func (l *lessee) vblank() (e uapi.EventVblank) {
	l.Helper()
	l.must(unix.SetNonblock(int(l.fd), true))
	buf := make([]byte, 32)
	n, err := unix.Read(int(l.fd), buf)
	l.must(err)
	if _, err := binary.Decode(buf[:n], binary.LittleEndian, &e); err != nil {
		l.Fatal(err)
	}
	return e
}

func leaseTo(c *drmtest.Client, objects []uint32) (*drmtest.Client, int32, error) {
	arg := uapi.ModeCreateLease{ObjectIDs: drmtest.PutSlice(c.Arena, objects), ObjectCount: uint32(len(objects))}
	if err := drmtest.Ioctl(c, uapi.IoctlModeCreateLease, &arg); err != nil {
		return nil, -1, err
	}
	fd := int32(arg.FD)
	return &drmtest.Client{Arena: c.Arena, File: c.LookupFile(fd).(*drm.File), As: c.As}, fd, nil
}

// leased returns the objects that GET_LEASE lists.
func (f *fixture) leased() []uint32 {
	f.Helper()
	list := make([]uint32, 64)
	arg := uapi.ModeGetLease{CountObjects: 64, ObjectsPtr: drmtest.PutSlice(f.Arena, list)}
	f.must(ioctl(f, uapi.IoctlModeGetLease, &arg))
	f.must(drmtest.GetSlice(f.Arena, list, arg.ObjectsPtr))
	return list[:arg.CountObjects]
}

// resources returns the objects that GETRESOURCES and GETPLANERESOURCES list.
func (f *fixture) resources() (crtcs, encoders, connectors, planes []uint32) {
	f.Helper()
	list := func() ([]uint32, uint64) { return make([]uint32, 8), drmtest.PutSlice(f.Arena, make([]uint32, 8)) }
	arg := uapi.ModeCardRes{CountCRTCs: 8, CountEncoders: 8, CountConnectors: 8}
	crtcs, arg.CRTCIDPtr = list()
	encoders, arg.EncoderIDPtr = list()
	connectors, arg.ConnectorIDPtr = list()
	f.must(ioctl(f, uapi.IoctlModeGetResources, &arg))
	planeArg := uapi.ModeGetPlaneRes{CountPlanes: 8}
	planes, planeArg.PlaneIDPtr = list()
	f.must(ioctl(f, uapi.IoctlModeGetPlaneResources, &planeArg))
	f.must(drmtest.GetSlice(f.Arena, crtcs, arg.CRTCIDPtr))
	f.must(drmtest.GetSlice(f.Arena, encoders, arg.EncoderIDPtr))
	f.must(drmtest.GetSlice(f.Arena, connectors, arg.ConnectorIDPtr))
	f.must(drmtest.GetSlice(f.Arena, planes, planeArg.PlaneIDPtr))
	return crtcs[:arg.CountCRTCs], encoders[:arg.CountEncoders], connectors[:arg.CountConnectors], planes[:planeArg.CountPlanes]
}

func expectIDs(t testing.TB, what string, got []uint32, want ...uint32) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestLeaseObjects checks what a lease includes and what cannot be leased.
func TestLeaseObjects(t *testing.T) {
	f := newFixture(t)
	blob := uapi.ModeCreateBlob{Data: f.Put(make([]byte, 8)), Length: 8}
	f.must(ioctl(f, uapi.IoctlModeCreatePropBlob, &blob))
	fb := f.fb(64, 64, uapi.FormatXRGB8888)
	for _, tc := range []struct {
		name      string
		universal bool // the client has the capability for universal planes
		objects   []uint32
		want      []uint32 // nil: error
		errno     unix.Errno
	}{
		{"planes come with their CRTC", false, []uint32{connectorID, crtcID}, []uint32{primaryID, cursorID, crtcID, connectorID}, 0},
		{"no connector", false, []uint32{crtcID}, nil, unix.EINVAL},
		{"no CRTC", false, []uint32{connectorID}, nil, unix.EINVAL},
		{"a plane that comes anyway", false, []uint32{connectorID, crtcID, primaryID}, nil, unix.ENOSPC},
		{"a cursor that comes anyway", false, []uint32{cursorID, connectorID, crtcID}, nil, unix.ENOSPC},

		{"planes are named", true, []uint32{crtcID, connectorID, primaryID}, []uint32{primaryID, crtcID, connectorID}, 0},
		{"an odd plane", true, []uint32{crtcID, connectorID, cursorID}, []uint32{cursorID, crtcID, connectorID}, 0},
		{"writeback", true, []uint32{crtcID, writebackID, primaryID}, []uint32{primaryID, crtcID, writebackID}, 0},
		{"nothing", true, nil, []uint32{}, 0},
		{"no plane", true, []uint32{crtcID, connectorID}, nil, unix.EINVAL},
		{"twice the same", true, []uint32{crtcID, connectorID, primaryID, crtcID}, nil, unix.ENOSPC},
		{"object 0", true, []uint32{0}, nil, unix.ENOENT},
		{"no such object", true, []uint32{crtcID, connectorID, primaryID, 4711}, nil, unix.ENOENT},
		{"an encoder", true, []uint32{crtcID, connectorID, primaryID, encoderID}, nil, unix.EINVAL},
		{"a framebuffer", true, []uint32{crtcID, connectorID, primaryID, fb}, nil, unix.EINVAL},
		{"a blob", true, []uint32{crtcID, connectorID, primaryID, blob.BlobID}, nil, unix.EINVAL},
		{"a property", true, []uint32{crtcID, connectorID, primaryID, dpmsID}, nil, unix.EINVAL},
		{"an object that is unknown comes first", true, []uint32{4711, encoderID}, nil, unix.ENOENT},
		{"an encoder before a missing object", true, []uint32{encoderID}, nil, unix.EINVAL},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f.setCap(uapi.ClientCapUniversalPlanes, map[bool]uint64{true: 1}[tc.universal])
			c, fd, err := leaseTo(f.Client, tc.objects)
			want(t, "CREATE_LEASE", err, tc.errno)
			if err == nil {
				expectIDs(t, "GET_LEASE", (&fixture{T: t, Client: c}).leased(), tc.want...)
				f.must(drmtest.CloseFD(fd))
			}
		})
	}

	// An owner has all objects, including properties and blobs.
	objects := f.leased()
	if !slices.IsSorted(objects) || len(objects) != f.driver.ModeConfig().Objects() || !slices.Contains(objects, blob.BlobID) {
		t.Errorf("GET_LEASE of the owner: %v of %d objects", objects, f.driver.ModeConfig().Objects())
	}
}

// TestLesseeSeesItsLease checks that a lessee can use what it leases and what
// all share, and nothing else.
func TestLesseeSeesItsLease(t *testing.T) {
	f := newTwin(t)
	fb := f.mustShow(0, f.connectors[0])
	second := f.mustShow(1, f.connectors[1])
	_, encoders, _, _ := f.resources()

	l := f.lease(f.crtcs[1], f.connectors[1], f.planes[1])
	l.setCap(uapi.ClientCapAtomic, 1)
	crtcs, seen, connectors, planes := l.resources()
	expectIDs(t, "CRTCs", crtcs, f.crtcs[1])
	expectIDs(t, "connectors", connectors, f.connectors[1])
	expectIDs(t, "planes", planes, f.planes[1])
	expectIDs(t, "encoders", seen, encoders...)

	// CRTCs have new indexes.
	for i, id := range encoders {
		arg := uapi.ModeGetEncoder{EncoderID: id}
		l.must(ioctl(l.fixture, uapi.IoctlModeGetEncoder, &arg))
		shows := []uint32{0, f.crtcs[1]}[i]
		if arg.PossibleCRTCs != 1 || arg.CRTCID != shows {
			t.Errorf("encoder %d shows CRTC %d of %#b, want %d of 1", i, arg.CRTCID, arg.PossibleCRTCs, shows)
		}
	}
	plane := uapi.ModeGetPlane{PlaneID: f.planes[1]}
	l.must(ioctl(l.fixture, uapi.IoctlModeGetPlane, &plane))
	if plane.PossibleCRTCs != 1 || plane.CRTCID != f.crtcs[1] || plane.FBID != second {
		t.Errorf("GETPLANE: %+v", plane)
	}
	l.must(ioctl(l.fixture, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative|uapi.VblankEvent, 1, 0)))
	l.step()
	if e := l.vblank(); e.CRTCID != f.crtcs[1] {
		t.Errorf("a vblank of CRTC %d, want %d, the lessee's first", e.CRTCID, f.crtcs[1])
	}
	want(t, "WAIT_VBLANK of a second CRTC",
		ioctl(l.fixture, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative|1<<uapi.VblankHighCRTCShift, 0, 0)), unix.EINVAL)

	// The lessee changes what it leases.
	l.must(ioctl(l.fixture, uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{CRTCID: f.crtcs[1], FBID: fb}))
	l.step()
	l.must(l.atomic(uapi.ModeAtomicNonblock, 0, change{f.planes[1], fbPropID, uint64(second)}))
	l.step()

	// Its lessor can do all that it could before.
	f.must(ioctl(f.fixture, uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{CRTCID: f.crtcs[1], FBID: fb}))
	f.step()

	// The lessee cannot find other objects.
	arg := f.planeArg(f.planes[1], fb, 0, 0, 100, 100)
	arg.CRTCID = f.crtcs[0]
	for what, err := range map[string]error{
		"GETCRTC":                       ioctl(l.fixture, uapi.IoctlModeGetCRTC, &uapi.ModeCRTC{CRTCID: f.crtcs[0]}),
		"GETCONNECTOR":                  ioctl(l.fixture, uapi.IoctlModeGetConnector, &uapi.ModeGetConnector{ConnectorID: f.connectors[0]}),
		"GETPLANE":                      ioctl(l.fixture, uapi.IoctlModeGetPlane, &uapi.ModeGetPlane{PlaneID: f.planes[0]}),
		"GETGAMMA":                      ioctl(l.fixture, uapi.IoctlModeGetGamma, &uapi.ModeCRTCLUT{CRTCID: f.crtcs[0]}),
		"SETGAMMA":                      ioctl(l.fixture, uapi.IoctlModeSetGamma, &uapi.ModeCRTCLUT{CRTCID: f.crtcs[0]}),
		"SETCRTC":                       ioctl(l.fixture, uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: f.crtcs[0]}),
		"SETPLANE":                      ioctl(l.fixture, uapi.IoctlModeSetPlane, &uapi.ModeSetPlane{PlaneID: f.planes[0]}),
		"SETPLANE on a CRTC":            ioctl(l.fixture, uapi.IoctlModeSetPlane, arg),
		"PAGE_FLIP":                     ioctl(l.fixture, uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{CRTCID: f.crtcs[0], FBID: fb}),
		"CURSOR":                        ioctl(l.fixture, uapi.IoctlModeCursor, &uapi.ModeCursor{CRTCID: f.crtcs[0], Flags: uapi.ModeCursorMove}),
		"CRTC_GET_SEQUENCE":             ioctl(l.fixture, uapi.IoctlCRTCGetSequence, &uapi.CRTCGetSequence{CRTCID: f.crtcs[0]}),
		"CRTC_QUEUE_SEQUENCE":           ioctl(l.fixture, uapi.IoctlCRTCQueueSequence, &uapi.CRTCQueueSequence{CRTCID: f.crtcs[0]}),
		"OBJ_GETPROPERTIES":             ioctl(l.fixture, uapi.IoctlModeObjGetProperties, &uapi.ModeObjGetProperties{ObjID: f.planes[0], ObjType: uapi.ModeObjectPlane}),
		"OBJ_GETPROPERTIES of any type": ioctl(l.fixture, uapi.IoctlModeObjGetProperties, &uapi.ModeObjGetProperties{ObjID: f.crtcs[0]}),
		"OBJ_SETPROPERTY":               ioctl(l.fixture, uapi.IoctlModeObjSetProperty, &uapi.ModeObjSetProperty{ObjID: f.crtcs[0], ObjType: uapi.ModeObjectCRTC, PropID: activeID}),
		"SETPROPERTY":                   ioctl(l.fixture, uapi.IoctlModeSetProperty, &uapi.ModeConnectorSetProperty{ConnectorID: f.connectors[0], PropID: dpmsID}),
		"ATOMIC":                        l.atomic(0, 0, change{f.planes[0], fbPropID, uint64(fb)}),
	} {
		want(t, what+" of an object that is not leased", err, unix.ENOENT)
	}
	_, err := (&twinFixture{fixture: l.fixture, crtcs: f.crtcs}).show(1, f.connectors[0])
	want(t, "SETCRTC with a connector that is not leased", err, unix.ENOENT)
	want(t, "ATOMIC with a CRTC that is not leased",
		l.atomic(uapi.ModeAtomicTestOnly, 0, change{f.planes[1], crtcPropID, uint64(f.crtcs[0])}), unix.EACCES)
	want(t, "ATOMIC with a CRTC that is not leased, for a connector",
		l.atomic(uapi.ModeAtomicTestOnly, 0, change{f.connectors[1], crtcPropID, uint64(f.crtcs[0])}), unix.EACCES)

	// If the lessor moves a plane to another CRTC, the lessee does not see
	// which.
	shared := f.lease(f.crtcs[0], f.connectors[0], f.planes[2])
	overlay := f.planeArg(f.planes[2], fb, 0, 0, 100, 100)
	overlay.CRTCID = f.crtcs[1]
	f.must(f.blocking(func() error { return ioctl(f.fixture, uapi.IoctlModeSetPlane, overlay) }))
	plane = uapi.ModeGetPlane{PlaneID: f.planes[2]}
	shared.must(ioctl(shared.fixture, uapi.IoctlModeGetPlane, &plane))
	if plane.PossibleCRTCs != 1 || plane.CRTCID != 0 {
		t.Errorf("a plane that the lessor has moved: %+v", plane)
	}
	f.must(f.blocking(func() error {
		return ioctl(f.fixture, uapi.IoctlModeSetPlane, &uapi.ModeSetPlane{PlaneID: f.planes[2]})
	}))

	// When the lease is revoked, the lessee has only what all share. What it
	// showed stays.
	f.must(ioctl(f.fixture, uapi.IoctlModeRevokeLease, &uapi.ModeRevokeLease{LesseeID: 1}))
	crtcs, seen, connectors, planes = l.resources()
	if len(crtcs)+len(connectors)+len(planes) != 0 || len(seen) != len(encoders) {
		t.Errorf("after revoking, the lessee sees %v, %v, %v and %v", crtcs, seen, connectors, planes)
	}
	want(t, "SETCRTC of a revoked CRTC", ioctl(l.fixture, uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: f.crtcs[1]}), unix.ENOENT)
	want(t, "WAIT_VBLANK without a CRTC", ioctl(l.fixture, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative, 0, 0)), unix.EINVAL)
	if lit, _ := f.lit(); lit != [2]bool{true, true} {
		t.Errorf("after revoking, active: %v", lit)
	}
}

// TestLeaseWithoutThePlane checks that the planes that legacy requests use must
// be leased.
func TestLeaseWithoutThePlane(t *testing.T) {
	f := newFixture(t)
	f.setCap(uapi.ClientCapUniversalPlanes, 1)
	fb := f.enable()
	withCursor := f.lease(crtcID, connectorID, cursorID)
	set := f.setCRTCArg(fb, "1024x768")
	want(t, "SETCRTC", ioctl(withCursor.fixture, uapi.IoctlModeSetCRTC, set), unix.EACCES)
	want(t, "PAGE_FLIP", withCursor.flip(fb, 0, 0), unix.EACCES)
	move := &uapi.ModeCursor{CRTCID: crtcID, Flags: uapi.ModeCursorMove}
	want(t, "CURSOR", ioctl(withCursor.fixture, uapi.IoctlModeCursor, move), 0)
	withCursor.disable() // which is allowed

	f.must(ioctl(f, uapi.IoctlModeRevokeLease, &uapi.ModeRevokeLease{LesseeID: 1}))
	withPrimary := f.lease(crtcID, connectorID, primaryID)
	want(t, "SETCRTC", withPrimary.blocking(func() error { return ioctl(withPrimary.fixture, uapi.IoctlModeSetCRTC, set) }), 0)
	want(t, "PAGE_FLIP", withPrimary.flip(fb, 0, 0), 0)
	f.step()
	want(t, "CURSOR", ioctl(withPrimary.fixture, uapi.IoctlModeCursor, move), unix.EACCES)
}

// TestClosedLesseeSwitchesOff checks that closing a lessee removes its
// framebuffers, like any client's.
func TestClosedLesseeSwitchesOff(t *testing.T) {
	f := newFixture(t)
	c, fd, err := leaseTo(f.Client, []uint32{crtcID, connectorID})
	f.must(err)
	closed := *f
	closed.Client = c
	closed.enable()
	f.must(drmtest.CloseFD(fd))
	plane := uapi.ModeGetPlane{PlaneID: primaryID}
	f.must(ioctl(f, uapi.IoctlModeGetPlane, &plane))
	if plane.FBID != 0 {
		t.Errorf("the plane of a closed lessee shows framebuffer %d", plane.FBID)
	}
	f.enable()
}

// FuzzLeases sends requests with garbage by an owner and its lessees. A step is
// the number of the client, the number of the command, and the argument.
func FuzzLeases(f *testing.F) {
	commands := append([]uint32{
		uapi.IoctlModeCreateLease, uapi.IoctlModeListLessees, uapi.IoctlModeGetLease, uapi.IoctlModeRevokeLease,
		uapi.IoctlDropMaster, uapi.IoctlSetMaster,
	}, fuzzed...)
	step := func(s *fuzzScript, client, command byte, arg []byte) {
		*s = append(append(*s, client, command), arg...)
	}
	var seed fuzzScript
	create := structBytes(uapi.ModeCreateLease{ObjectIDs: fuzzPointer, ObjectCount: 2})
	step(&seed, 0, 0, create)
	step(&seed, 1, 1, structBytes(uapi.ModeListLessees{}))
	step(&seed, 0, 1, structBytes(uapi.ModeListLessees{CountLessees: 2, LesseesPtr: fuzzPointer + 1}))
	step(&seed, 1, 2, structBytes(uapi.ModeGetLease{CountObjects: 4, ObjectsPtr: fuzzPointer + 1}))
	step(&seed, 1, 6, structBytes(uapi.ModeCardRes{CountCRTCs: 1, CRTCIDPtr: fuzzPointer + 1}))
	step(&seed, 0, 3, structBytes(uapi.ModeRevokeLease{LesseeID: 1}))
	step(&seed, 0, 0, create)
	step(&seed, 2, 0, create)
	step(&seed, 0, 0, structBytes(uapi.ModeCreateLease{}))
	step(&seed, 0, 4, nil)
	step(&seed, 0, 5, nil)
	memory := make([]byte, 64)
	memory[0], memory[4] = crtcID, connectorID
	f.Add([]byte(seed), memory)
	f.Fuzz(func(t *testing.T, script, memory []byte) {
		d := newFuzzDevice(t, newVKMS)
		owner := d.client
		clients := []*drmtest.Client{owner}
		var fds []int32
		nested := owner.Put(memory)
		s := fuzzScript(script)
		for range 32 {
			if len(s) == 0 {
				break
			}
			head := s.take(2)
			c, cmd := clients[int(head[0])%len(clients)], commands[int(head[1])%len(commands)]
			arg := s.take(int(uapi.IOCSize(cmd)))
			for i := 0; i+8 <= len(arg); i += 8 {
				resolve(arg[i:i+8], nested)
			}
			addr := owner.Put(arg)
			if err := c.File.Ioctl(context.Background(), c, cmd, addr); err == nil && cmd == uapi.IoctlModeCreateLease {
				var answer [1]uapi.ModeCreateLease
				if err := drmtest.GetSlice(owner.Arena, answer[:], addr); err != nil {
					t.Fatal(err)
				}
				fd := int32(answer[0].FD)
				fds = append(fds, fd)
				clients = append(clients, &drmtest.Client{Arena: owner.Arena, File: owner.LookupFile(fd).(*drm.File), As: owner.As})
			}
			owner.Free(addr)
			if why := doubleLease(clients, d.driver.ModeConfig()); why != "" {
				t.Fatalf("after %s: %s", uapi.IoctlName(cmd), why)
			}
		}
		for _, fd := range fds {
			if err := drmtest.CloseFD(fd); err != nil {
				t.Error(err)
			}
		}
		d.close()
		d.remove()
	})
}

// doubleLease reports whether two lessees of the only owner hold the same
// object.
func doubleLease(clients []*drmtest.Client, m *kms.ModeConfig) string {
	for _, id := range m.ObjectIDs() {
		holders := 0
		for _, c := range clients {
			if c.File.Lessee() && c.File.LeaseHeld(id) {
				holders++
			}
		}
		if holders > 1 {
			return fmt.Sprintf("object %d has %d lessees", id, holders)
		}
	}
	return ""
}
