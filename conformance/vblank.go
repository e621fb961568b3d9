package conformance

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var vblankCases = []Case{
	{"vblank/counter", NeedVblank, vblankCounter},
	{"vblank/wait", NeedVblank, vblankWait},
	{"vblank/many-waiters", NeedVblank, vblankWaiters},
	{"vblank/passed", NeedVblank, vblankPassed},
	{"vblank/event", NeedVblank, vblankEvent},
	{"vblank/errors", NeedVblank, vblankErrors},
	{"vblank/crtc-off", NeedVblank, vblankOff},
	{"vblank/goes-off", NeedVblank, vblankGoesOff},
	{"sequence/get", NeedVblank, sequenceGet},
	{"sequence/queue", NeedVblank, sequenceQueue},
	{"sequence/errors", NeedVblank, sequenceErrors},
}

// pipe returns the flags by which WAIT_VBLANK names the CRTC: its index.
func (s *screen) pipe() uint32 { return uint32(s.Pipe) << uapi.VblankHighCRTCShift }

// queueVblank asks for an event n vblanks from now.
func (s *screen) queueVblank(n uint32, userData uint64) {
	s.t.Helper()
	s.Must(uapi.IoctlWaitVblank, &uapi.WaitVblankRequest{
		Type: uapi.VblankRelative | uapi.VblankEvent | s.pipe(), Sequence: n, Signal: userData,
	})
}

// waitVblank sends a WAIT_VBLANK and returns the reply.
func (s *screen) waitVblank(vblankType, sequence uint32) (sequenceNow uint32, at time.Duration, err error) {
	arg := uapi.WaitVblankReply{Type: vblankType | s.pipe(), Sequence: sequence}
	err = s.Ioctl(uapi.IoctlWaitVblank, &arg)
	return arg.Sequence, time.Duration(arg.TvalSec)*time.Second + time.Duration(arg.TvalUsec)*time.Microsecond, err
}

// mustVblank is waitVblank. The case ends on an error.
func (s *screen) mustVblank(vblankType, sequence uint32) (uint32, time.Duration) {
	s.t.Helper()
	got, at, err := s.waitVblank(vblankType, sequence)
	s.t.Must("WAIT_VBLANK", err)
	return got, at
}

func vblankCounter(t *tester) {
	s := t.Show()
	first, _ := s.mustVblank(uapi.VblankRelative, 1)
	second, at := s.mustVblank(uapi.VblankRelative, 0)
	if int32(second-first) < 0 {
		t.Errorf("the counter went from %d to %d", first, second)
	}
	if at > now() || at < now()-timeout {
		t.Errorf("the last vblank was at %v, now is %v", at, now())
	}
}

// vblankWait checks that a wait ends with its vblank, and that vblanks have the
// rate of the mode.
func vblankWait(t *tester) {
	s := t.Show()
	before, _ := s.mustVblank(uapi.VblankRelative, 0)
	first, at := s.mustVblank(uapi.VblankRelative, 1)
	if int32(first-before) < 1 {
		t.Errorf("a wait for the vblank after %d ended with %d", before, first)
	}
	second, later := s.mustVblank(uapi.VblankAbsolute, first+4)
	if int32(second-first) < 4 {
		t.Errorf("a wait for vblank %d ended with %d", first+4, second)
	}
	m := s.GetCRTC().Mode
	frame := time.Duration(m.HTotal) * time.Duration(m.VTotal) * time.Millisecond / time.Duration(m.Clock)
	if m.Flags&uapi.ModeFlagDblscan != 0 {
		frame *= 2
	}
	if m.Flags&uapi.ModeFlagInterlace != 0 {
		frame /= 2
	}
	if got := (later - at) / time.Duration(second-first); got < frame*9/10 || got > frame*11/10 {
		t.Errorf("%d vblanks took %v each, a frame of the mode takes %v", second-first, got, frame)
	}
}

// vblankWaiters checks that each of several waits ends with its own vblank.
func vblankWaiters(t *tester) {
	s := t.Show()
	first, _ := s.mustVblank(uapi.VblankRelative, 1)
	var waits []func() uint32
	for i := range uint32(6) {
		arg := uapi.WaitVblankReply{Type: uapi.VblankAbsolute | s.pipe(), Sequence: first + 4 - i/2}
		waits = append(waits, later(func() uint32 {
			if err := s.Ioctl(uapi.IoctlWaitVblank, &arg); err != nil {
				return 0
			}
			return arg.Sequence
		}))
	}
	for i, wait := range waits {
		if got, want := wait(), first+4-uint32(i)/2; int32(got-want) < 0 {
			t.Errorf("a wait for vblank %d ended with %d", want, got)
		}
	}
}

// vblankPassed checks that a wait for a past vblank ends at once, or at the
// next vblank with NEXTONMISS.
func vblankPassed(t *tester) {
	s := t.Show()
	now, _ := s.mustVblank(uapi.VblankRelative, 1)
	got, _ := s.mustVblank(uapi.VblankAbsolute, now-10)
	if int32(got-now) < 0 {
		t.Errorf("a wait for vblank %d, after %d, ended with %d", now-10, now, got)
	}
	got, _ = s.mustVblank(uapi.VblankAbsolute|uapi.VblankNextOnMiss, now-10)
	if int32(got-now) < 1 {
		t.Errorf("a wait for the vblank after %d ended with %d", now, got)
	}
}

func vblankEvent(t *tester) {
	s := t.Show()
	before, _ := s.mustVblank(uapi.VblankRelative, 0)
	arg := uapi.WaitVblankRequest{Type: uapi.VblankRelative | uapi.VblankEvent | s.pipe(), Sequence: 2, Signal: 0xfedcba9876543210}
	s.Must(uapi.IoctlWaitVblank, &arg)
	if int32(arg.Sequence-before) < 2 {
		t.Errorf("the event two vblanks after %d is due at %d", before, arg.Sequence)
	}
	e := s.Event()
	equal(t, "the type of the event", e.Type, uapi.EventTypeVblank)
	equal(t, "the user data", e.UserData, 0xfedcba9876543210)
	equal(t, "the CRTC", e.CRTC, s.CRTC)
	if int32(uint32(e.Sequence)-arg.Sequence) < 0 {
		t.Errorf("the event for vblank %d came at %d", arg.Sequence, e.Sequence)
	}
	// For a past vblank it comes at once.
	s.Must(uapi.IoctlWaitVblank,
		&uapi.WaitVblankRequest{Type: uapi.VblankAbsolute | uapi.VblankEvent | s.pipe(), Sequence: before, Signal: 7})
	equal(t, "the user data", s.Event().UserData, 7)
}

func vblankErrors(t *tester) {
	s := t.Show()
	for _, c := range []struct {
		what       string
		vblankType uint32
	}{
		{"with an unknown type", 1 << 8},
		{"with a signal", uapi.VblankRelative | uapi.VblankSignal},
		{"on a nonexistent CRTC", uapi.VblankRelative | uapi.VblankHighCRTCMask},
	} {
		s.Want(c.what, uapi.IoctlWaitVblank, &uapi.WaitVblankRequest{Type: c.vblankType}, unix.EINVAL)
	}
	if len(s.MustResources().CRTCs) == 1 {
		s.Want("on the second CRTC of a device with one", uapi.IoctlWaitVblank,
			&uapi.WaitVblankRequest{Type: uapi.VblankRelative | uapi.VblankSecondary}, unix.EINVAL)
	}
}

// vblankOff checks that a disabled CRTC has no vblanks.
func vblankOff(t *tester) {
	s := t.Show()
	s.Must(uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: s.CRTC})
	for _, vblankType := range []uint32{uapi.VblankRelative, uapi.VblankAbsolute, uapi.VblankRelative | uapi.VblankEvent} {
		_, _, err := s.waitVblank(vblankType, 1)
		t.Want("WAIT_VBLANK on a disabled CRTC", err, unix.EINVAL)
	}
	s.Want("on a disabled CRTC", uapi.IoctlCRTCGetSequence, &uapi.CRTCGetSequence{CRTCID: s.CRTC}, unix.EINVAL)
	s.Want("on a disabled CRTC", uapi.IoctlCRTCQueueSequence, &uapi.CRTCQueueSequence{CRTCID: s.CRTC}, unix.EINVAL)
	s.NoEvent()
}

// vblankGoesOff checks that a CRTC delivers all pending events when it is
// disabled.
func vblankGoesOff(t *tester) {
	s := t.Show()
	s.queueVblank(100000, 1)
	s.Must(uapi.IoctlCRTCQueueSequence,
		&uapi.CRTCQueueSequence{CRTCID: s.CRTC, Flags: uapi.CRTCSequenceRelative, Sequence: 100000, UserData: 2})
	s.NoEvent()
	s.Must(uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: s.CRTC})
	seen := map[uint64]bool{s.Event().UserData: true}
	seen[s.Event().UserData] = true
	if !seen[1] || !seen[2] {
		t.Errorf("the events of the disabled CRTC have the user data %v, want 1 and 2", seen)
	}
}

func sequenceGet(t *tester) {
	s := t.Show()
	arg := uapi.CRTCGetSequence{CRTCID: s.CRTC}
	s.Want("", uapi.IoctlCRTCGetSequence, &arg)
	equal(t, "the field active", arg.Active, 1)
	if at := time.Duration(arg.SequenceNs); at > now() || at < now()-timeout {
		t.Errorf("the last vblank was at %v, now is %v", at, now())
	}
	// Both requests count the same vblanks.
	low, _ := s.mustVblank(uapi.VblankRelative, 0)
	later := uapi.CRTCGetSequence{CRTCID: s.CRTC}
	s.Must(uapi.IoctlCRTCGetSequence, &later)
	if int32(low-uint32(arg.Sequence)) < 0 || int32(uint32(later.Sequence)-low) < 0 {
		t.Errorf("CRTC_GET_SEQUENCE, WAIT_VBLANK, CRTC_GET_SEQUENCE say %d, %d, %d", arg.Sequence, low, later.Sequence)
	}
}

func sequenceQueue(t *tester) {
	s := t.Show()
	var before uapi.CRTCGetSequence
	before.CRTCID = s.CRTC
	s.Must(uapi.IoctlCRTCGetSequence, &before)
	arg := uapi.CRTCQueueSequence{CRTCID: s.CRTC, Flags: uapi.CRTCSequenceRelative, Sequence: 2, UserData: 0xfedcba9876543210}
	s.Want("with a relative sequence", uapi.IoctlCRTCQueueSequence, &arg)
	if arg.Sequence < before.Sequence+2 {
		t.Errorf("the event two vblanks after %d is due at %d", before.Sequence, arg.Sequence)
	}
	e := s.Event()
	equal(t, "the type of the event", e.Type, uapi.EventTypeCRTCSequence)
	equal(t, "the user data", e.UserData, 0xfedcba9876543210)
	if e.Sequence < arg.Sequence {
		t.Errorf("the event for vblank %d came at %d", arg.Sequence, e.Sequence)
	}
	absolute := uapi.CRTCQueueSequence{CRTCID: s.CRTC, Sequence: before.Sequence, UserData: 3}
	s.Want("for a past sequence", uapi.IoctlCRTCQueueSequence, &absolute)
	equal(t, "the user data", s.Event().UserData, 3)
	next := uapi.CRTCQueueSequence{CRTCID: s.CRTC, Flags: uapi.CRTCSequenceNextOnMiss, Sequence: before.Sequence, UserData: 4}
	s.Want("for a past sequence with NEXT_ON_MISS", uapi.IoctlCRTCQueueSequence, &next)
	if e := s.Event(); e.UserData != 4 || e.Sequence <= before.Sequence {
		t.Errorf("the event for the vblank after %d: %+v", before.Sequence, e)
	}
}

func sequenceErrors(t *tester) {
	s := t.Show()
	for _, flags := range []uint32{1 << 2, 1 << 31} {
		s.Want("with unknown flags", uapi.IoctlCRTCQueueSequence, &uapi.CRTCQueueSequence{CRTCID: s.CRTC, Flags: flags}, unix.EINVAL)
	}
	s.NoEvent()
}
