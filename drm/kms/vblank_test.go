package kms_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// waitArg returns the argument of WAIT_VBLANK, in the form of its reply.
func waitArg(flags, sequence uint32, signal uint64) *uapi.WaitVblankReply {
	return &uapi.WaitVblankReply{Type: flags, Sequence: sequence, TvalSec: int64(signal)}
}

// query returns the number and the time of the last vblank.
func (f *fixture) query() (sequence uint32, at time.Duration) {
	f.Helper()
	arg := waitArg(uapi.VblankRelative, 0, 0)
	f.must(ioctl(f, uapi.IoctlWaitVblank, arg))
	if arg.Type != uapi.VblankAbsolute {
		f.Errorf("the reply has type %#x", arg.Type)
	}
	return arg.Sequence, time.Duration(arg.TvalSec)*time.Second + time.Duration(arg.TvalUsec)*time.Microsecond
}

func TestVblankQuery(t *testing.T) { onEachDisplay(t, testVblankQuery) }

func testVblankQuery(f *fixture) {
	t := f.T
	f.clock.Advance(time.Hour)
	want(t, "WAIT_VBLANK before the CRTC was ever on", ioctl(f, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative, 0, 0)), unix.EINVAL)
	f.enable()
	first, at := f.query()
	// The counter runs although no client waits.
	f.clock.Advance(1000 * framePeriod)
	second, later := f.query()
	if second-first != 1000 || later-at != (1000*framePeriod).Truncate(time.Microsecond) {
		t.Errorf("%d vblanks and %v in 1000 frames", second-first, later-at)
	}
	f.clock.Advance(framePeriod - 1)
	if got, _ := f.query(); got != second {
		t.Errorf("a vblank %v too early", time.Nanosecond)
	}
	f.clock.Advance(1)
	if got, _ := f.query(); got != second+1 {
		t.Error("no vblank when it was due")
	}

	// While the CRTC is off, the counter stands still.
	f.disable()
	want(t, "WAIT_VBLANK on a CRTC that is off", ioctl(f, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative, 0, 0)), unix.EINVAL)
	f.clock.Advance(time.Hour)
	f.enable()
	if got, _ := f.query(); got < second+2 || got > second+4 {
		t.Errorf("sequence %d before the CRTC was switched off, %d after it was on again", second+1, got)
	}
}

func TestVblankEvents(t *testing.T) { onEachDisplay(t, testVblankEvents) }

func testVblankEvents(f *fixture) {
	t := f.T
	f.enable()
	now, _ := f.query()

	ask := func(flags, sequence uint32, signal uint64) uint32 {
		t.Helper()
		arg := waitArg(flags|uapi.VblankEvent, sequence, signal)
		f.must(ioctl(f, uapi.IoctlWaitVblank, arg))
		return arg.Sequence
	}
	expect := func(signal uint64, sequence uint32) {
		t.Helper()
		e := f.event()
		if e.Base.Type != uapi.EventTypeVblank || e.UserData != signal || e.Sequence != sequence || e.CRTCID != f.crtc() {
			t.Errorf("event %+v, want %d at %d", e, signal, sequence)
		}
	}
	// A vblank that has passed: the event comes at once.
	if got := ask(uapi.VblankRelative, 0, 1); got != now {
		t.Errorf("an event at once: reply %d, want %d", got, now)
	}
	expect(1, now)
	if got := ask(uapi.VblankAbsolute, now-1, 2); got != now {
		t.Errorf("an event in the past: reply %d, want %d", got, now)
	}
	expect(2, now)
	// A missed vblank, with the flag for the next one.
	if got := ask(uapi.VblankAbsolute|uapi.VblankNextOnMiss, now-1, 3); got != now+1 {
		t.Errorf("an event at the next vblank: reply %d, want %d", got, now+1)
	}
	if got := ask(uapi.VblankRelative, 2, 4); got != now+2 {
		t.Errorf("an event in two frames: reply %d, want %d", got, now+2)
	}
	if got := ask(uapi.VblankAbsolute, now+2, 5); got != now+2 {
		t.Errorf("reply %d, want %d", got, now+2)
	}
	f.noEvent()
	f.step()
	expect(3, now+1)
	f.noEvent()
	f.step()
	expect(4, now+2)
	expect(5, now+2)
	f.noEvent()

	// Switching the CRTC off delivers pending events.
	ask(uapi.VblankRelative, 1000, 6)
	f.disable()
	if e := f.event(); e.UserData != 6 {
		t.Errorf("event %+v", e)
	}
}

func TestWaitVblankForms(t *testing.T) { onEachDisplay(t, testWaitVblankForms) }

func testWaitVblankForms(f *fixture) {
	t := f.T
	f.enable()
	for _, tc := range []struct {
		name  string
		flags uint32
		errno unix.Errno
	}{
		{"query", uapi.VblankRelative, 0},
		{"high CRTC 0", uapi.VblankRelative, 0},
		{"high CRTC 1", uapi.VblankRelative | 1<<uapi.VblankHighCRTCShift, unix.EINVAL},
		{"high CRTC 31", uapi.VblankRelative | 31<<uapi.VblankHighCRTCShift, unix.EINVAL},
		{"secondary", uapi.VblankRelative | uapi.VblankSecondary, unix.EINVAL},
		{"signal", uapi.VblankRelative | uapi.VblankSignal, unix.EINVAL},
		{"unknown bit", uapi.VblankRelative | 1<<20, unix.EINVAL},
	} {
		want(t, tc.name, ioctl(f, uapi.IoctlWaitVblank, waitArg(tc.flags, 0, 0)), tc.errno)
	}
}

func TestWaitVblankBlocks(t *testing.T) { onEachDisplay(t, testWaitVblankBlocks) }

func testWaitVblankBlocks(f *fixture) {
	t := f.T
	f.enable()
	now, _ := f.query()
	arg := waitArg(uapi.VblankRelative, 3, 0)
	f.must(f.blocking(func() error { return ioctl(f, uapi.IoctlWaitVblank, arg) }))
	if arg.Sequence != now+3 {
		t.Errorf("a wait of 3 frames from %d returned at %d", now, arg.Sequence)
	}
	want(t, "a wait for a minute", f.blocking(func() error {
		return ioctl(f, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative, 3600, 0))
	}), unix.EBUSY)

	// A client repeats an interrupted request as it is.
	ctx, cancel := context.WithCancel(context.Background())
	arg = waitArg(uapi.VblankRelative, 5, 0)
	now, _ = f.query()
	done := make(chan error)
	go func() { done <- drmtest.IoctlContext(ctx, f.Client, uapi.IoctlWaitVblank, arg) }()
	f.step()
	cancel()
	want(t, "an interrupted wait", <-done, unix.EINTR)
	if arg.Type != uapi.VblankAbsolute || arg.Sequence < now+5 || arg.Sequence > now+6 {
		t.Errorf("after the interruption, the argument is %+v", arg)
	}

	// Switching off ends a wait.
	f.step() // the timer that the interrupted wait has set
	go func() { done <- ioctl(f, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative, 100, 0)) }()
	f.step() // it still waits
	f.disable()
	f.must(<-done)
}

func TestCRTCSequence(t *testing.T) { onEachDisplay(t, testCRTCSequence) }

func testCRTCSequence(f *fixture) {
	t := f.T
	get := func() (uapi.CRTCGetSequence, error) {
		arg := uapi.CRTCGetSequence{CRTCID: f.crtc()}
		err := ioctl(f, uapi.IoctlCRTCGetSequence, &arg)
		return arg, err
	}
	_, err := get()
	want(t, "GET_SEQUENCE of a CRTC that is off", err, unix.EINVAL)
	want(t, "QUEUE_SEQUENCE on a CRTC that is off", ioctl(f, uapi.IoctlCRTCQueueSequence, &uapi.CRTCQueueSequence{CRTCID: f.crtc()}), unix.EINVAL)
	f.enable()
	now, err := get()
	f.must(err)
	if now.Active != 1 || now.SequenceNs == 0 {
		t.Errorf("%+v", now)
	}
	queue := func(flags uint32, sequence, userData uint64) uint64 {
		t.Helper()
		arg := uapi.CRTCQueueSequence{CRTCID: f.crtc(), Flags: flags, Sequence: sequence, UserData: userData}
		f.must(ioctl(f, uapi.IoctlCRTCQueueSequence, &arg))
		return arg.Sequence
	}
	expect := func(userData, sequence uint64, ns int64) {
		t.Helper()
		var e uapi.EventCRTCSequence
		f.readEvent(&e)
		if e.Base.Type != uapi.EventTypeCRTCSequence || e.Base.Length != 32 || e.UserData != userData || e.Sequence != sequence || e.TimeNs != ns {
			t.Errorf("event %+v, want %d at %d, %d ns", e, userData, sequence, ns)
		}
	}
	queue(uapi.CRTCSequenceRelative, 0, 1)
	expect(1, now.Sequence, now.SequenceNs)
	if got := queue(uapi.CRTCSequenceNextOnMiss, now.Sequence, 2); got != now.Sequence+1 {
		t.Errorf("reply %d", got)
	}
	queue(uapi.CRTCSequenceRelative, 1, 3)
	queue(0, now.Sequence+2, 4)
	f.step()
	expect(2, now.Sequence+1, now.SequenceNs+int64(framePeriod))
	expect(3, now.Sequence+1, now.SequenceNs+int64(framePeriod))
	f.step()
	expect(4, now.Sequence+2, now.SequenceNs+2*int64(framePeriod))

	want(t, "unknown flag", ioctl(f, uapi.IoctlCRTCQueueSequence, &uapi.CRTCQueueSequence{CRTCID: f.crtc(), Flags: 4}), unix.EINVAL)
	want(t, "unknown CRTC", ioctl(f, uapi.IoctlCRTCQueueSequence, &uapi.CRTCQueueSequence{CRTCID: 1}), unix.ENOENT)
	want(t, "unknown CRTC", ioctl(f, uapi.IoctlCRTCGetSequence, &uapi.CRTCGetSequence{CRTCID: 9999}), unix.ENOENT)
}

// A client has room for 4096 bytes of events.
func TestEventBudget(t *testing.T) { onEachDisplay(t, testEventBudget) }

func testEventBudget(f *fixture) {
	t := f.T
	fb := f.enable()
	for i := range drm.EventBudget / 32 {
		if err := ioctl(f, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative|uapi.VblankEvent, 1, 0)); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
	}
	want(t, "one event more", ioctl(f, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative|uapi.VblankEvent, 1, 0)), unix.ENOMEM)
	want(t, "a flip with an event", f.flip(fb, uapi.ModePageFlipEvent, 0), unix.ENOMEM)
	f.must(f.flip(fb, 0, 0))
	f.step()
	for range drm.EventBudget / 32 {
		f.event()
	}
	f.noEvent()
	f.must(f.flip(fb, uapi.ModePageFlipEvent, 0))
}

// TestCloseWithEventsUnderWay checks that the flip of a closed file completes,
// and that nothing is left behind.
func TestCloseWithEventsUnderWay(t *testing.T) { onEachDisplay(t, testCloseWithEventsUnderWay) }

func testCloseWithEventsUnderWay(f *fixture) {
	t := f.T
	fb := f.enable()
	f.must(ioctl(f, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative|uapi.VblankEvent, 1_000_000, 0)))
	f.must(f.flip(fb, uapi.ModePageFlipEvent, 0))
	f.File.Close()
	f.step() // the flip
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.clock.Step(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a timer is set for a closed file: %v", err)
	}
}
