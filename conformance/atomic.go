package conformance

import (
	"encoding/binary"
	"maps"
	"math"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

var atomicCases = []Case{
	{"atomic/capability", NeedAtomic | NeedMaster, atomicNeedsCap},
	{"atomic/modeset", NeedDisplay | NeedDumb | NeedAtomic, atomicModeset},
	{"atomic/test-only", NeedDisplay | NeedDumb | NeedAtomic, atomicTestOnly},
	{"atomic/request-errors", NeedDisplay | NeedDumb | NeedAtomic, atomicRequestErrors},
	{"atomic/state-errors", NeedDisplay | NeedDumb | NeedAtomic, atomicStateErrors},
	{"atomic/all-or-nothing", NeedDisplay | NeedDumb | NeedAtomic, atomicAllOrNothing},
	{"atomic/active", NeedDisplay | NeedDumb | NeedAtomic, atomicActive},
	{"atomic/mode-blob", NeedDisplay | NeedDumb | NeedAtomic, atomicModeBlob},
	{"atomic/events", NeedDisplay | NeedDumb | NeedAtomic, atomicEvents},
	{"atomic/second-is-busy", NeedDisplay | NeedDumb | NeedAtomic, atomicBusy},
	{"atomic/out-fence", NeedDisplay | NeedDumb | NeedAtomic, atomicOutFence},
	{"atomic/out-fence-errors", NeedDisplay | NeedDumb | NeedAtomic, atomicOutFenceErrors},
	{"atomic/in-fence", NeedDisplay | NeedDumb | NeedAtomic, atomicInFence},
	{"atomic/overlay", NeedOverlay | NeedDumb | NeedAtomic, atomicOverlay},
	{"writeback/picture", NeedWriteback | NeedDumb, writebackPicture},
	{"writeback/errors", NeedWriteback | NeedDumb, writebackErrors},
}

// A change sets one property of one object.
type change struct {
	object, property uint32
	value            uint64
}

// atomicArg returns the request for the changes, each as an object of its own.
func (f *file) atomicArg(flags uint32, changes ...change) uapi.ModeAtomic {
	var objects, counts, properties []uint32
	var values []uint64
	for _, c := range changes {
		objects, counts = append(objects, c.object), append(counts, 1)
		properties, values = append(properties, c.property), append(values, c.value)
	}
	return uapi.ModeAtomic{
		Flags: flags, CountObjs: uint32(len(changes)),
		ObjsPtr: addr(f.t, objects), CountPropsPtr: addr(f.t, counts), PropsPtr: addr(f.t, properties), PropValuesPtr: addr(f.t, values),
	}
}

func (f *file) atomic(flags uint32, changes ...change) error {
	arg := f.atomicArg(flags, changes...)
	return f.Ioctl(uapi.IoctlModeAtomic, &arg)
}

const (
	testOnly     = uapi.ModeAtomicTestOnly
	allowModeset = uapi.ModeAtomicAllowModeset
	nonblock     = uapi.ModeAtomicNonblock
	wantEvent    = uapi.ModePageFlipEvent
)

// A scene is a display for a client with ATOMIC: the properties of its objects
// by name, a framebuffer and a mode.
type scene struct {
	*screen
	primary                         uint32
	crtcProps, planeProps, conProps map[string]property
	mode                            uint32 // a blob
}

// Scene finds the first display, and leaves it as it is.
func (t *tester) Scene() *scene {
	t.Helper()
	f := t.Open()
	t.Must("SET_CLIENT_CAP ATOMIC", f.SetClientCap(uapi.ClientCapAtomic, 1))
	return t.SceneOf(f, f.Display())
}

// SceneOf is Scene for the given display. The client must have ATOMIC.
func (t *tester) SceneOf(f *file, d *kmsclient.Display) *scene {
	t.Helper()
	s := &scene{screen: &screen{file: f, Display: d}}
	primary, err := f.FindPlane(d, uapi.PlaneTypePrimary)
	t.Must("looking for a plane", err)
	s.primary = primary
	s.crtcProps = f.MustProperties(d.CRTC, uapi.ModeObjectCRTC)
	s.planeProps = f.MustProperties(s.primary, uapi.ModeObjectPlane)
	s.conProps = f.MustProperties(d.Connector.ID, uapi.ModeObjectConnector)
	s.mode = f.NewModeBlob(d.Mode)
	s.FB = s.Another()
	return s
}

// NewModeBlob makes a blob of a mode and returns its id.
func (f *file) NewModeBlob(mode uapi.ModeInfo) uint32 {
	f.t.Helper()
	id, err := f.CreateModeBlob(&mode)
	f.t.Must("a blob of a mode", err)
	return id
}

func (s *scene) crtc(name string, value uint64) change {
	s.t.Helper()
	return s.change(s.CRTC, s.crtcProps, name, value)
}

func (s *scene) plane(name string, value uint64) change {
	s.t.Helper()
	return s.change(s.primary, s.planeProps, name, value)
}

func (s *scene) connector(name string, value uint64) change {
	s.t.Helper()
	return s.change(s.Connector.ID, s.conProps, name, value)
}

func (s *scene) change(object uint32, properties map[string]property, name string, value uint64) change {
	s.t.Helper()
	p, ok := properties[name]
	if !ok {
		s.t.Fatalf("object %d has no property %s", object, name)
	}
	return change{object, p.ID, value}
}

// on returns the changes that enable the display.
func (s *scene) on() []change {
	s.t.Helper()
	w, h := uint64(s.Mode.HDisplay), uint64(s.Mode.VDisplay)
	return []change{
		s.connector("CRTC_ID", uint64(s.CRTC)),
		s.crtc("MODE_ID", uint64(s.mode)), s.crtc("ACTIVE", 1),
		s.plane("FB_ID", uint64(s.FB)), s.plane("CRTC_ID", uint64(s.CRTC)),
		s.plane("CRTC_X", 0), s.plane("CRTC_Y", 0), s.plane("CRTC_W", w), s.plane("CRTC_H", h),
		s.plane("SRC_X", 0), s.plane("SRC_Y", 0), s.plane("SRC_W", w<<16), s.plane("SRC_H", h<<16),
	}
}

// off returns the changes that disable the display.
func (s *scene) off() []change {
	s.t.Helper()
	return []change{
		s.connector("CRTC_ID", 0), s.crtc("MODE_ID", 0), s.crtc("ACTIVE", 0), s.plane("FB_ID", 0), s.plane("CRTC_ID", 0),
	}
}

// ShowScene enables the first display.
func (t *tester) ShowScene() *scene {
	t.Helper()
	s := t.Scene()
	t.Must("MODE_ATOMIC that enables the display", s.atomic(allowModeset, s.on()...))
	return s
}

// state returns all properties of the three objects.
func (s *scene) state() map[change]bool {
	s.t.Helper()
	state := make(map[change]bool)
	for _, id := range []uint32{s.CRTC, s.primary, s.Connector.ID} {
		for _, p := range s.MustProperties(id, uapi.ModeObjectAny) {
			state[change{id, p.ID, p.Value}] = true
		}
	}
	return state
}

func atomicNeedsCap(t *tester) {
	f := t.Open()
	t.Want("MODE_ATOMIC without client capability ATOMIC", f.atomic(testOnly), unix.EINVAL)
	t.Must("SET_CLIENT_CAP ATOMIC", f.SetClientCap(uapi.ClientCapAtomic, 1))
	t.Want("MODE_ATOMIC without objects", f.atomic(testOnly))
	t.Want("MODE_ATOMIC without objects", f.atomic(0))
	t.Must("SET_CLIENT_CAP ATOMIC", f.SetClientCap(uapi.ClientCapAtomic, 0))
	t.Want("MODE_ATOMIC after client capability ATOMIC 0", f.atomic(testOnly), unix.EINVAL)
}

func atomicModeset(t *tester) {
	s := t.Scene()
	t.Must("MODE_ATOMIC that disables the display", s.atomic(allowModeset, s.off()...))
	t.Want("a modeset without ALLOW_MODESET", s.atomic(0, s.on()...), unix.EINVAL)
	equal(t, "mode_valid of the CRTC", s.GetCRTC().ModeValid, 0)
	t.Want("a modeset", s.atomic(allowModeset, s.on()...))
	got := s.GetCRTC()
	equal(t, "the framebuffer of the CRTC", got.FBID, s.FB)
	equal(t, "mode_valid of the CRTC", got.ModeValid, 1)
	plane := s.MustProperties(s.primary, uapi.ModeObjectPlane)
	equal(t, "FB_ID", plane["FB_ID"].Value, uint64(s.FB))
	equal(t, "CRTC_ID of the plane", plane["CRTC_ID"].Value, uint64(s.CRTC))
	equal(t, "SRC_W", plane["SRC_W"].Value, uint64(s.Mode.HDisplay)<<16)
	equal(t, "IN_FENCE_FD, which is write-only", plane["IN_FENCE_FD"].Value, math.MaxUint64)
	crtc := s.MustProperties(s.CRTC, uapi.ModeObjectCRTC)
	equal(t, "ACTIVE", crtc["ACTIVE"].Value, 1)
	equal(t, "OUT_FENCE_PTR, which is write-only", crtc["OUT_FENCE_PTR"].Value, 0)
	equal(t, "CRTC_ID of the connector", s.MustProperties(s.Connector.ID, uapi.ModeObjectConnector)["CRTC_ID"].Value, uint64(s.CRTC))
	t.Want("the same state again without ALLOW_MODESET", s.atomic(0, s.on()...))
	t.Want("MODE_ATOMIC that disables the display", s.atomic(allowModeset, s.off()...))
	equal(t, "mode_valid of the CRTC", s.GetCRTC().ModeValid, 0)
}

func atomicTestOnly(t *tester) {
	s := t.ShowScene()
	before := s.state()
	other := s.Another()
	for _, flags := range []uint32{0, allowModeset, nonblock, nonblock | allowModeset} {
		t.Want("TEST_ONLY of a flip", s.atomic(testOnly|flags, s.plane("FB_ID", uint64(other))))
	}
	t.Want("TEST_ONLY of a disable", s.atomic(testOnly|allowModeset, s.off()...))
	t.Want("TEST_ONLY of a modeset without ALLOW_MODESET", s.atomic(testOnly, s.off()...), unix.EINVAL)
	t.Want("TEST_ONLY of an invalid state", s.atomic(testOnly|allowModeset, s.plane("FB_ID", 0)), unix.EINVAL)
	if !maps.Equal(s.state(), before) {
		t.Errorf("TEST_ONLY changed the state from %v to %v", before, s.state())
	}
}

func atomicRequestErrors(t *tester) {
	s := t.ShowScene()
	fb := s.plane("FB_ID", uint64(s.FB))
	for _, c := range []struct {
		what   string
		change func(*uapi.ModeAtomic)
		errno  unix.Errno
	}{
		{"with unknown flags", func(a *uapi.ModeAtomic) { a.Flags = 1 << 20 }, unix.EINVAL},
		{"with a nonzero reserved field", func(a *uapi.ModeAtomic) { a.Reserved = 1 }, unix.EINVAL},
		{"with TEST_ONLY and an event", func(a *uapi.ModeAtomic) { a.Flags = testOnly | wantEvent }, unix.EINVAL},
		{"without objects, with an event", func(a *uapi.ModeAtomic) { a.CountObjs, a.Flags = 0, wantEvent }, unix.EINVAL},
		{"with the objects at a bad address", func(a *uapi.ModeAtomic) { a.ObjsPtr = t.BadAddr() }, unix.EFAULT},
		{"with the counts at a bad address", func(a *uapi.ModeAtomic) { a.CountPropsPtr = t.BadAddr() }, unix.EFAULT},
		{"with the properties at a bad address", func(a *uapi.ModeAtomic) { a.PropsPtr = t.BadAddr() }, unix.EFAULT},
		{"with the values at a bad address", func(a *uapi.ModeAtomic) { a.PropValuesPtr = t.BadAddr() }, unix.EFAULT},
		{"of a nonexistent object", func(a *uapi.ModeAtomic) { a.ObjsPtr = addr(t, []uint32{0x7ffffff0}) }, unix.ENOENT},
		{"of an object without properties", func(a *uapi.ModeAtomic) { a.ObjsPtr = addr(t, []uint32{s.Encoder}) }, unix.ENOENT},
		{"of a nonexistent property", func(a *uapi.ModeAtomic) { a.PropsPtr = addr(t, []uint32{0x7ffffff0}) }, unix.ENOENT},
		{"of a property of another object", func(a *uapi.ModeAtomic) { a.PropsPtr = addr(t, []uint32{s.crtcProps["ACTIVE"].ID}) }, unix.ENOENT},
	} {
		arg := s.atomicArg(0, fb)
		c.change(&arg)
		s.Want(c.what, uapi.IoctlModeAtomic, &arg, c.errno)
	}
	if async, err := s.Cap(uapi.CapAsyncPageFlip); err == nil && async == 0 {
		t.Want("MODE_ATOMIC with ASYNC, unsupported by device", s.atomic(uapi.ModePageFlipAsync, fb), unix.EINVAL)
	}
	s.NoEvent()
}

func atomicStateErrors(t *tester) {
	s := t.ShowScene()
	w, h := uint64(s.Mode.HDisplay), uint64(s.Mode.VDisplay)
	for _, c := range []struct {
		what   string
		change []change
		errnos []unix.Errno
	}{
		{"nonexistent framebuffer", []change{s.plane("FB_ID", 0x7ffffff0)}, []unix.Errno{unix.EINVAL}},
		{"a CRTC's id as framebuffer", []change{s.plane("FB_ID", uint64(s.CRTC))}, []unix.Errno{unix.EINVAL}},
		{"no framebuffer beyond 32 bits", []change{s.plane("FB_ID", 1<<32)}, []unix.Errno{unix.EINVAL}},
		{"a framebuffer beyond 32 bits", []change{s.plane("FB_ID", 1<<32|uint64(s.FB))}, []unix.Errno{0}},
		{"nonexistent CRTC", []change{s.plane("CRTC_ID", 0x7ffffff0)}, []unix.Errno{unix.EINVAL}},
		{"nonexistent blob", []change{s.crtc("MODE_ID", 0x7ffffff0)}, []unix.Errno{unix.EINVAL}},
		{"a blob that is not a mode", []change{s.crtc("MODE_ID", uint64(s.NewBlob(make([]byte, 5))))}, []unix.Errno{unix.EINVAL}},
		{"ACTIVE 2", []change{s.crtc("ACTIVE", 2)}, []unix.Errno{unix.EINVAL}},
		{"a framebuffer without a CRTC", []change{s.plane("CRTC_ID", 0)}, []unix.Errno{unix.EINVAL}},
		{"a CRTC without a framebuffer", []change{s.plane("FB_ID", 0)}, []unix.Errno{unix.EINVAL}},
		{"ACTIVE without a mode", []change{s.crtc("MODE_ID", 0)}, []unix.Errno{unix.EINVAL}},
		{"a mode without a connector", []change{s.connector("CRTC_ID", 0)}, []unix.Errno{unix.EINVAL}},
		{"a source wider than the framebuffer", []change{s.plane("SRC_W", (w+1)<<16)}, []unix.Errno{unix.ENOSPC}},
		{"a source higher than the framebuffer", []change{s.plane("SRC_H", (h+1)<<16)}, []unix.Errno{unix.ENOSPC}},
		{"a source outside the framebuffer", []change{s.plane("SRC_X", w<<16)}, []unix.Errno{unix.ENOSPC}},
		{"a width beyond 31 bits", []change{s.plane("CRTC_W", math.MaxUint32)}, []unix.Errno{unix.ERANGE, unix.EINVAL}},
		{"a width beyond 32 bits", []change{s.plane("CRTC_W", 1<<32|w)}, []unix.Errno{unix.EINVAL}},
		{"an immutable property", []change{s.plane("type", uapi.PlaneTypePrimary)}, []unix.Errno{unix.EINVAL}},
		{"DPMS, which is not atomic", []change{s.connector("DPMS", uapi.ModeDPMSOff)}, []unix.Errno{unix.EINVAL}},
		{"a descriptor that is not a fence", []change{s.plane("IN_FENCE_FD", uint64(t.Eventfd().FD()))}, []unix.Errno{unix.EINVAL}},
		{"a descriptor below -1", []change{s.plane("IN_FENCE_FD", ^uint64(1))}, []unix.Errno{unix.EINVAL}},
	} {
		t.Want("MODE_ATOMIC with "+c.what, s.atomic(allowModeset, c.change...), c.errnos...)
		t.Want("MODE_ATOMIC with TEST_ONLY and "+c.what, s.atomic(testOnly|allowModeset, c.change...), c.errnos...)
	}
	// Optional properties.
	if rotation, ok := s.planeProps["rotation"]; ok {
		for _, value := range []uint64{0, 1<<0 | 1<<2, 1 << 20} {
			t.Want("MODE_ATOMIC with a rotation of no angle, of two, or unknown", s.atomic(testOnly, change{s.primary, rotation.ID, value}), unix.EINVAL)
		}
	}
	if gamma, ok := s.crtcProps["GAMMA_LUT"]; ok {
		blob := uint64(s.NewBlob(make([]byte, 9)))
		t.Want("MODE_ATOMIC with a gamma table that ends in a partial entry", s.atomic(testOnly, change{s.CRTC, gamma.ID, blob}), unix.EINVAL)
	}
	equal(t, "the framebuffer after refused requests", s.GetCRTC().FBID, s.FB)
}

// atomicAllOrNothing checks that a request with an invalid last change makes
// none of its changes.
func atomicAllOrNothing(t *tester) {
	s := t.ShowScene()
	before := s.state()
	good := []change{s.plane("FB_ID", uint64(s.Another())), s.plane("CRTC_X", 0), s.connector("CRTC_ID", uint64(s.CRTC))}
	for what, bad := range map[string]change{
		"a nonexistent property": {s.CRTC, 0x7ffffff0, 0},
		"a nonexistent object":   {0x7ffffff0, s.crtcProps["ACTIVE"].ID, 0},
		"an invalid value":       s.crtc("ACTIVE", 7),
		"an invalid state":       s.crtc("MODE_ID", 0),
	} {
		if err := s.atomic(allowModeset, append(good, bad)...); err == nil {
			t.Errorf("MODE_ATOMIC that ends with %s succeeded", what)
		}
	}
	if !maps.Equal(s.state(), before) {
		t.Errorf("failed requests changed the state from %v to %v", before, s.state())
	}
}

// atomicActive checks that a CRTC can be inactive and keep its state.
func atomicActive(t *tester) {
	s := t.ShowScene()
	t.Want("MODE_ATOMIC with ACTIVE 0 without ALLOW_MODESET", s.atomic(0, s.crtc("ACTIVE", 0)), unix.EINVAL)
	t.Want("MODE_ATOMIC with ACTIVE 0", s.atomic(allowModeset, s.crtc("ACTIVE", 0)))
	got := s.GetCRTC()
	equal(t, "mode_valid of an inactive CRTC", got.ModeValid, 1)
	equal(t, "the framebuffer of an inactive CRTC", got.FBID, s.FB)
	other := s.Another()
	t.Want("PAGE_FLIP on an inactive CRTC", s.Flip(other, 0), unix.EINVAL)
	t.Want("another framebuffer on an inactive CRTC", s.atomic(0, s.plane("FB_ID", uint64(other))))
	t.Want("MODE_ATOMIC with ACTIVE 1", s.atomic(allowModeset, s.crtc("ACTIVE", 1)))
	equal(t, "the framebuffer of the CRTC", s.GetCRTC().FBID, other)
}

// atomicModeBlob checks that a CRTC keeps its mode after the blob is destroyed.
func atomicModeBlob(t *tester) {
	s := t.ShowScene()
	s.Must(uapi.IoctlModeDestroyPropBlob, &uapi.ModeDestroyBlob{BlobID: s.mode})
	equal(t, "the width of the mode after its blob is destroyed", s.GetCRTC().Mode.HDisplay, s.Mode.HDisplay)
	arg := uapi.ModeGetBlob{BlobID: uint32(s.MustProperties(s.CRTC, uapi.ModeObjectCRTC)["MODE_ID"].Value)}
	s.Want("of the current mode", uapi.IoctlModeGetPropBlob, &arg)
	equal(t, "the length of the current mode", arg.Length, uint32(binary.Size(uapi.ModeInfo{})))
	t.Want("another framebuffer", s.atomic(0, s.plane("FB_ID", uint64(s.Another()))))
}

func atomicEvents(t *tester) {
	s := t.Scene()
	commit := func(what string, flags uint32, changes ...change) {
		t.Helper()
		arg := s.atomicArg(flags|wantEvent, changes...)
		arg.UserData = 0xabcdef0123456789
		if !s.Want(what, uapi.IoctlModeAtomic, &arg) {
			return
		}
		e := s.Event()
		equal(t, "the type of the event of "+what, e.Type, uapi.EventTypeFlipComplete)
		equal(t, "the user data of "+what, e.UserData, 0xabcdef0123456789)
		equal(t, "the CRTC of "+what, e.CRTC, s.CRTC)
		s.NoEvent()
	}
	commit("a modeset", allowModeset, s.on()...)
	commit("a flip", 0, s.plane("FB_ID", uint64(s.Another())))
	commit("a nonblocking flip", nonblock, s.plane("FB_ID", uint64(s.FB)))
	commit("a nonblocking modeset", nonblock|allowModeset, s.crtc("ACTIVE", 0))
	t.Want("an event of a CRTC that stays inactive", s.atomic(wantEvent, s.plane("FB_ID", uint64(s.Another()))), unix.EINVAL)
	s.NoEvent()
	commit("a modeset back to active", allowModeset, s.crtc("ACTIVE", 1))
	t.Want("a flip without an event", s.atomic(0, s.plane("FB_ID", uint64(s.FB))))
	s.NoEvent()
}

// atomicBusy checks that behind a pending commit a nonblocking request is
// EBUSY, and a blocking one waits.
func atomicBusy(t *tester) {
	s := t.ShowScene()
	other := uint64(s.Another())
	busy := false
	for range 20 {
		t.Must("MODE_ATOMIC", s.atomic(nonblock|wantEvent, s.plane("FB_ID", other)))
		err := s.atomic(nonblock, s.plane("FB_ID", uint64(s.FB)))
		if err == nil { // a vblank fell between them
			s.Event()
			t.Must("a blocking MODE_ATOMIC", s.atomic(0, s.plane("FB_ID", other))) // behind the second
			continue
		}
		busy = true
		t.Want("a second nonblocking MODE_ATOMIC", err, unix.EBUSY)
		break
	}
	if !busy {
		t.Errorf("a second MODE_ATOMIC succeeded 20 times while the first was pending")
		return
	}
	t.Want("a blocking MODE_ATOMIC", s.atomic(0, s.plane("FB_ID", uint64(s.FB))))
	s.Event()
	equal(t, "the framebuffer shown", s.GetCRTC().FBID, s.FB)
}

// atomicOutFence checks that the out-fence of a commit is signalled.
func atomicOutFence(t *tester) {
	s := t.ShowScene()
	for _, flags := range []uint32{nonblock, 0} {
		fd := []int32{77, 88}
		t.Must("MODE_ATOMIC with OUT_FENCE_PTR", s.atomic(flags,
			s.plane("FB_ID", uint64(s.Another())), s.crtc("OUT_FENCE_PTR", addr(t, fd))))
		if fd[0] < 0 || fd[1] != 88 {
			t.Fatalf("the fence is descriptor %d; the memory behind it is %d, want 88", fd[0], fd[1])
		}
		fence := t.File(int(fd[0]), "a fence")
		equal(t, "poll for the fence", fence.Poll(unix.POLLIN, timeout), unix.POLLIN)
		fences := make([]uapi.SyncFenceInfo, 1)
		info := uapi.SyncFileInfo{NumFences: 1, SyncFenceInfo: addr(t, fences)}
		fence.Must(uapi.SyncIOCFileInfo, &info)
		equal(t, "the status of the fence", info.Status, 1)
		if fences[0].TimestampNs == 0 {
			t.Errorf("the fence has no timestamp")
		}
	}
}

func atomicOutFenceErrors(t *tester) {
	s := t.ShowScene()
	fd := []int32{77}
	t.Want("MODE_ATOMIC with OUT_FENCE_PTR at a bad address",
		s.atomic(0, s.plane("FB_ID", uint64(s.Another())), s.crtc("OUT_FENCE_PTR", t.BadAddr())), unix.EFAULT)
	t.Want("a failing MODE_ATOMIC with OUT_FENCE_PTR",
		s.atomic(0, s.crtc("OUT_FENCE_PTR", addr(t, fd)), s.plane("FB_ID", 0)), unix.EINVAL)
	equal(t, "the descriptor after a failing MODE_ATOMIC", fd[0], -1)
	fd[0] = 77
	t.Want("TEST_ONLY with OUT_FENCE_PTR", s.atomic(testOnly, s.crtc("OUT_FENCE_PTR", addr(t, fd))))
	equal(t, "the descriptor after TEST_ONLY", fd[0], -1)
	equal(t, "the framebuffer shown", s.GetCRTC().FBID, s.FB)
}

// atomicInFence checks that a commit accepts the fence of another commit.
func atomicInFence(t *tester) {
	s := t.ShowScene()
	fd := []int32{-1}
	t.Must("MODE_ATOMIC with OUT_FENCE_PTR", s.atomic(0, s.plane("FB_ID", uint64(s.Another())), s.crtc("OUT_FENCE_PTR", addr(t, fd))))
	fence := t.File(int(fd[0]), "a fence")
	t.Want("MODE_ATOMIC with a fence", s.atomic(0, s.plane("FB_ID", uint64(s.FB)), s.plane("IN_FENCE_FD", uint64(fence.FD()))))
	t.Want("MODE_ATOMIC with IN_FENCE_FD -1", s.atomic(0, s.plane("FB_ID", uint64(s.FB)), s.plane("IN_FENCE_FD", math.MaxUint64)))
	t.Want("MODE_ATOMIC with two fences for a plane", s.atomic(testOnly,
		s.plane("IN_FENCE_FD", uint64(fence.FD())), s.plane("IN_FENCE_FD", uint64(fence.FD()))), unix.EINVAL)
	// The client keeps the descriptor.
	var info uapi.SyncFileInfo
	fence.Want("after its use", uapi.SyncIOCFileInfo, &info)
}

// atomicOverlay checks the state of an overlay plane.
func atomicOverlay(t *tester) {
	s := t.ShowScene()
	overlay := s.Plane(uapi.PlaneTypeOverlay)
	props := s.MustProperties(overlay, uapi.ModeObjectPlane)
	set := func(name string, value uint64) change {
		t.Helper()
		return s.change(overlay, props, name, value)
	}
	fb := s.NewFB(64, 64)
	on := []change{
		set("FB_ID", uint64(fb)), set("CRTC_ID", uint64(s.CRTC)),
		set("CRTC_X", ^uint64(15)), set("CRTC_Y", 20), set("CRTC_W", 64), set("CRTC_H", 64),
		set("SRC_X", 0), set("SRC_Y", 0), set("SRC_W", 64<<16), set("SRC_H", 64<<16),
	}
	t.Want("an overlay", s.atomic(0, on...))
	got := s.MustProperties(overlay, uapi.ModeObjectPlane)
	equal(t, "CRTC_X", int64(got["CRTC_X"].Value), -16)
	equal(t, "CRTC_Y", got["CRTC_Y"].Value, 20)
	equal(t, "FB_ID", got["FB_ID"].Value, uint64(fb))
	s.Must(uapi.IoctlModeRmFB, &fb)
	got = s.MustProperties(overlay, uapi.ModeObjectPlane)
	equal(t, "FB_ID after RMFB", got["FB_ID"].Value, 0)
	equal(t, "CRTC_ID after RMFB", got["CRTC_ID"].Value, 0)
	equal(t, "the framebuffer of the primary plane after RMFB of the overlay's", s.GetCRTC().FBID, s.FB)
}
