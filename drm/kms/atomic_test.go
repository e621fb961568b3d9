package kms_test

import (
	"math"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// A change is one property of an atomic request.
type change struct {
	object, property uint32
	value            uint64
}

// atomicArg lays out a request: consecutive changes of one object together.
func (f *fixture) atomicArg(flags uint32, userData uint64, changes ...change) *uapi.ModeAtomic {
	var objects, counts, properties []uint32
	var values []uint64
	for _, c := range changes {
		if n := len(objects); n == 0 || objects[n-1] != c.object {
			objects, counts = append(objects, c.object), append(counts, 0)
		}
		counts[len(counts)-1]++
		properties, values = append(properties, c.property), append(values, c.value)
	}
	return &uapi.ModeAtomic{
		Flags: flags, CountObjs: uint32(len(objects)), UserData: userData,
		ObjsPtr:       drmtest.PutSlice(f.Arena, objects),
		CountPropsPtr: drmtest.PutSlice(f.Arena, counts),
		PropsPtr:      drmtest.PutSlice(f.Arena, properties),
		PropValuesPtr: drmtest.PutSlice(f.Arena, values),
	}
}

func (f *fixture) atomic(flags uint32, userData uint64, changes ...change) error {
	return ioctl(f, uapi.IoctlModeAtomic, f.atomicArg(flags, userData, changes...))
}

// scene are the changes that show fb on the whole screen of the named mode.
func (f *fixture) scene(fb uint32, mode string) []change {
	f.Helper()
	m := f.mode(mode)
	w, h := uint64(m.HDisplay), uint64(m.VDisplay)
	return []change{
		{f.connector(), crtcPropID, uint64(f.crtc())},
		{f.crtc(), modePropID, uint64(f.createBlob(structBytes(m)))},
		{f.crtc(), activeID, 1},
		{f.primary(), fbPropID, uint64(fb)},
		{f.primary(), crtcPropID, uint64(f.crtc())},
		{f.primary(), 13, 0}, {f.primary(), 14, 0}, {f.primary(), 15, w}, {f.primary(), 16, h},
		{f.primary(), 9, 0}, {f.primary(), 10, 0}, {f.primary(), 11, w << 16}, {f.primary(), 12, h << 16},
	}
}

func TestAtomic(t *testing.T) { onEachDisplay(t, testAtomic) }

func testAtomic(f *fixture) {
	t := f.T
	want(t, "without the capability", f.atomic(0, 0), unix.EINVAL)
	f.setCap(uapi.ClientCapAtomic, 1)
	fb := f.fb(1024, 768, uapi.FormatXRGB8888)
	scene := f.scene(fb, "1024x768")

	want(t, "nothing", f.atomic(0, 0), 0)
	want(t, "a test of nothing", f.atomic(uapi.ModeAtomicTestOnly, 0), 0)
	want(t, "a modeset that is not allowed", f.atomic(0, 0, scene...), unix.EINVAL)
	want(t, "a test", f.atomic(uapi.ModeAtomicTestOnly|uapi.ModeAtomicAllowModeset, 0, scene...), 0)
	if _, v := f.properties(f.crtc(), uapi.ModeObjectCRTC); v[activeID] != 0 || v[modePropID] != 0 {
		t.Error("a test has changed something")
	}
	f.must(f.blocking(func() error { return f.atomic(uapi.ModeAtomicAllowModeset, 0, scene...) }))
	f.noEvent()

	other := f.fb(1024, 768, uapi.FormatXRGB8888)
	flip := change{f.primary(), fbPropID, uint64(other)}
	f.must(f.atomic(uapi.ModeAtomicNonblock|uapi.ModePageFlipEvent, 9, flip))
	want(t, "a second flip", f.atomic(uapi.ModeAtomicNonblock, 0, flip), unix.EBUSY)
	want(t, "a second, legacy flip", f.flip(fb, 0, 0), unix.EBUSY)
	want(t, "a test meanwhile", f.atomic(uapi.ModeAtomicTestOnly, 0, flip), 0)
	// A blocking one waits for its turn.
	f.must(f.blocking(func() error { return f.atomic(uapi.ModePageFlipEvent, 10, change{f.primary(), fbPropID, uint64(fb)}) }))
	first, second := f.event(), f.event()
	if first.UserData != 9 || second.UserData != 10 || second.Sequence <= first.Sequence {
		t.Errorf("events %+v and %+v", first, second)
	}

	off := []change{
		{f.connector(), crtcPropID, 0}, {f.crtc(), modePropID, 0}, {f.crtc(), activeID, 0}, {f.primary(), fbPropID, 0}, {f.primary(), crtcPropID, 0},
	}
	f.must(f.blocking(func() error { return f.atomic(uapi.ModeAtomicAllowModeset|uapi.ModePageFlipEvent, 11, off...) }))
	if e := f.event(); e.UserData != 11 {
		t.Errorf("event %+v", e)
	}
	want(t, "an event of a CRTC that stays off", f.atomic(uapi.ModePageFlipEvent|uapi.ModeAtomicAllowModeset, 0, off...), unix.EINVAL)
	f.noEvent()
}

// TestSwitchOffNonblocking checks that a nonblocking commit that switches a CRTC
// off completes when the frame under way ends. Until then the CRTC is busy.
func TestSwitchOffNonblocking(t *testing.T) { onEachDisplay(t, testSwitchOffNonblocking) }

func testSwitchOffNonblocking(f *fixture) {
	t := f.T
	f.setCap(uapi.ClientCapAtomic, 1)
	f.enable()
	cursor, _ := f.dumb(64, 64, 32)
	last, at := f.query()
	f.clock.Advance(framePeriod / 4)
	off := change{f.crtc(), activeID, 0}
	f.must(f.atomic(uapi.ModeAtomicNonblock|uapi.ModeAtomicAllowModeset|uapi.ModePageFlipEvent, 7, off))
	f.noEvent()
	want(t, "WAIT_VBLANK", ioctl(f, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative, 0, 0)), unix.EINVAL)
	on := change{f.crtc(), activeID, 1}
	want(t, "another nonblocking commit", f.atomic(uapi.ModeAtomicNonblock|uapi.ModeAtomicAllowModeset, 0, on), unix.EBUSY)

	// A legacy cursor waits for modesets.
	f.must(f.blocking(func() error {
		return ioctl(f, uapi.IoctlModeCursor, &uapi.ModeCursor{CRTCID: f.crtc(), Flags: uapi.ModeCursorBO, Handle: cursor, Width: 64, Height: 64})
	}))
	e := f.event()
	if got := time.Duration(e.TvSec)*time.Second + time.Duration(e.TvUsec)*time.Microsecond; e.UserData != 7 || e.Sequence != last || got != at {
		t.Errorf("event %+v, want the last vblank, %d at %v", e, last, at)
	}
	if took := f.clock.Now() - at; took < framePeriod || took > framePeriod+time.Microsecond {
		t.Errorf("the signal ended %v after the last vblank, want a frame, %v", took, framePeriod)
	}
	f.must(f.atomic(uapi.ModeAtomicNonblock|uapi.ModeAtomicAllowModeset, 0, on))
}

func TestAtomicErrors(t *testing.T) { onEachDisplay(t, testAtomicErrors) }

func testAtomicErrors(f *fixture) {
	t := f.T
	f.setCap(uapi.ClientCapAtomic, 1)
	f.enable()
	before := f.driver.ModeConfig().State()
	changes := func(c ...change) func(a *uapi.ModeAtomic) {
		return func(a *uapi.ModeAtomic) { flags := a.Flags; *a = *f.atomicArg(flags, 0, c...) }
	}
	for _, tc := range []struct {
		name   string
		change func(a *uapi.ModeAtomic)
		errno  unix.Errno
	}{
		{"unknown flag", func(a *uapi.ModeAtomic) { a.Flags = 1 << 20 }, unix.EINVAL},
		{"async", func(a *uapi.ModeAtomic) { a.Flags = uapi.ModePageFlipAsync }, unix.EINVAL},
		{"reserved", func(a *uapi.ModeAtomic) { a.Reserved = 1 }, unix.EINVAL},
		{"event of a test", func(a *uapi.ModeAtomic) { a.Flags = uapi.ModeAtomicTestOnly | uapi.ModePageFlipEvent }, unix.EINVAL},
		{"event of nothing", func(a *uapi.ModeAtomic) { a.Flags, a.CountObjs = uapi.ModePageFlipEvent, 0 }, unix.EINVAL},
		{"objects nowhere", func(a *uapi.ModeAtomic) { a.ObjsPtr = badAddr }, unix.EFAULT},
		{"counts nowhere", func(a *uapi.ModeAtomic) { a.CountPropsPtr = badAddr }, unix.EFAULT},
		{"properties nowhere", func(a *uapi.ModeAtomic) { a.PropsPtr = badAddr }, unix.EFAULT},
		{"values nowhere", func(a *uapi.ModeAtomic) { a.PropValuesPtr = badAddr }, unix.EFAULT},
		{"absurdly many objects", func(a *uapi.ModeAtomic) { a.CountObjs = math.MaxUint32 }, unix.EFAULT},
		{"absurdly many properties", func(a *uapi.ModeAtomic) {
			a.CountPropsPtr = drmtest.PutSlice(f.Arena, []uint32{math.MaxUint32})
		}, unix.EFAULT},
		{"unknown object", changes(change{9999, fbPropID, 0}), unix.ENOENT},
		{"object without properties", changes(change{encoderID, fbPropID, 0}), unix.ENOENT},
		{"unknown property", changes(change{f.primary(), 9999, 0}), unix.ENOENT},
		{"property of another object", changes(change{f.crtc(), fbPropID, 0}), unix.ENOENT},
		{"immutable property", changes(change{f.primary(), 8, 0}), unix.EINVAL},
		{"DPMS", changes(change{f.connector(), dpmsID, 0}), unix.EINVAL},
		{"framebuffer without CRTC", changes(change{f.primary(), crtcPropID, 0}), unix.EINVAL},
		{"CRTC without framebuffer", changes(change{f.primary(), fbPropID, 0}), unix.EINVAL},
		{"source outside", changes(change{f.primary(), 9, 1 << 16}), unix.ENOSPC},
		{"scaling", changes(change{f.primary(), 15, 512}), unix.ERANGE},
		{"active without mode", changes(change{f.crtc(), modePropID, 0}), unix.EINVAL},
		{"CRTC without connector", changes(change{f.connector(), crtcPropID, 0}), unix.EINVAL},
		{"a modeset", changes(change{f.crtc(), activeID, 0}), unix.EINVAL},
	} {
		arg := f.atomicArg(0, 0, change{f.primary(), rotationID, 1})
		tc.change(arg)
		if tc.name != "a modeset" {
			arg.Flags |= uapi.ModeAtomicAllowModeset
		}
		want(t, tc.name, ioctl(f, uapi.IoctlModeAtomic, arg), tc.errno)
		if f.driver.ModeConfig().State() != before {
			t.Fatalf("%s: a refused request has changed the state", tc.name)
		}
	}
}

// When several things are wrong, the first counts: properties in their order,
// then planes, then the rest.
func TestAtomicOrder(t *testing.T) { onEachDisplay(t, testAtomicOrder) }

func testAtomicOrder(f *fixture) {
	t := f.T
	f.setCap(uapi.ClientCapAtomic, 1)
	f.enable()
	badRotation := change{f.primary(), rotationID, 3}
	unknown := change{9999, fbPropID, 0}
	outside := change{f.primary(), 9, 1 << 16}
	noMode := change{f.crtc(), modePropID, 0}
	for _, tc := range []struct {
		name    string
		changes []change
		errno   unix.Errno
	}{
		{"a bad value, then an object that is not there", []change{badRotation, unknown}, unix.EINVAL},
		{"and the other way round", []change{unknown, badRotation}, unix.ENOENT},
		{"a bad plane, then an object that is not there", []change{outside, unknown}, unix.ENOENT},
		{"a bad plane on a bad CRTC", []change{noMode, outside}, unix.ENOSPC},
	} {
		want(t, tc.name, f.atomic(uapi.ModeAtomicAllowModeset, 0, tc.changes...), tc.errno)
	}
	// So does what is wrong after a property that the client can see set.
	ptr := f.outPtr()
	want(t, "a fence, then an object that is not there", f.atomic(0, 0, change{f.crtc(), outFenceID, ptr}, unknown), unix.ENOENT)
	if fd := f.fenceAt(ptr); fd != -1 {
		t.Errorf("the descriptor of the fence is %d", fd)
	}
}
