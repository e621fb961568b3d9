package conformance

import (
	"errors"
	"math"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var flipCases = []Case{
	{"flip/event", NeedDisplay | NeedDumb, flipEvent},
	{"flip/without-event", NeedDisplay | NeedDumb, flipWithoutEvent},
	{"flip/second-is-busy", NeedDisplay | NeedDumb, flipBusy},
	{"flip/order", NeedVblank, flipOrder},
	{"flip/errors", NeedDisplay | NeedDumb, flipErrors},
	{"flip/crtc-off", NeedDisplay | NeedDumb, flipOff},
	{"flip/client-closes", NeedDisplay | NeedDumb, flipClose},
	{"event/read", NeedVblank, eventRead},
	{"event/blocking-read", NeedVblank, eventBlocking},
	{"event/space", NeedVblank, eventSpace},
	{"event/none", 0, eventNone},
}

// Flip shows a framebuffer from the next vblank on, and asks for an event.
func (s *screen) Flip(fb uint32, userData uint64) error {
	return s.Ioctl(uapi.IoctlModePageFlip,
		&uapi.ModeCRTCPageFlip{CRTCID: s.CRTC, FBID: fb, Flags: uapi.ModePageFlipEvent, UserData: userData})
}

// Settle waits until the last flip of any client is shown.
func (s *screen) Settle() {
	s.t.Helper()
	arg := s.SetCRTC() // it waits for the pending flip
	arg.FBID = math.MaxUint32
	s.Must(uapi.IoctlModeSetCRTC, &arg)
}

func flipEvent(t *tester) {
	s := t.Show()
	fb := s.Another()
	before := now()
	t.Must("PAGE_FLIP", s.Flip(fb, 0x123456789abcdef0))
	e := s.Event()
	equal(t, "the type of the event", e.Type, uapi.EventTypeFlipComplete)
	equal(t, "the user data", e.UserData, 0x123456789abcdef0)
	equal(t, "the CRTC", e.CRTC, s.CRTC)
	// The vblank may lie before the request, but not long before.
	if e.At < before-timeout || e.At > now()+timeout {
		t.Errorf("shown at %v, requested at %v, now is %v", e.At, before, now())
	}
	equal(t, "the framebuffer shown", s.GetCRTC().FBID, fb)
	s.NoEvent()
	t.Must("PAGE_FLIP back", s.Flip(s.FB, 1))
	equal(t, "the user data", s.Event().UserData, 1)
}

func flipWithoutEvent(t *tester) {
	s := t.Show()
	s.Must(uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{CRTCID: s.CRTC, FBID: s.Another()})
	s.Settle()
	s.NoEvent()
}

// flipBusy checks that a CRTC takes one flip at a time. A vblank may fall
// between two requests, but not every time.
func flipBusy(t *tester) {
	s := t.Show()
	fb := s.Another()
	for range 20 {
		t.Must("PAGE_FLIP", s.Flip(fb, 1))
		err := s.Flip(s.FB, 2)
		equal(t, "the user data of the first flip", s.Event().UserData, 1)
		if err == nil {
			equal(t, "the user data of the second flip", s.Event().UserData, 2)
			continue
		}
		t.Want("a second PAGE_FLIP", err, unix.EBUSY)
		equal(t, "the framebuffer after the second was refused", s.GetCRTC().FBID, fb)
		s.NoEvent()
		return
	}
	t.Errorf("a second PAGE_FLIP succeeded 20 times while the first was pending")
}

// flipOrder checks that each flip is shown at a later vblank than the one
// before.
func flipOrder(t *tester) {
	s := t.Show()
	fbs := [2]uint32{s.FB, s.Another()}
	var last event
	for i := range 5 {
		t.Must("PAGE_FLIP", s.Flip(fbs[(i+1)%2], uint64(i)))
		e := s.Event()
		if i > 0 && (int32(uint32(e.Sequence)-uint32(last.Sequence)) <= 0 || e.At <= last.At) {
			t.Errorf("flip %d was shown at vblank %d (%v), the one before at %d (%v)", i, e.Sequence, e.At, last.Sequence, last.At)
		}
		last = e
	}
}

func flipErrors(t *tester) {
	s := t.Show()
	fb, small := s.Another(), s.NewFB(64, 64)
	dumb := t.NewDumb(s.file, uint32(s.Mode.HDisplay), uint32(s.Mode.VDisplay), 32)
	other := fbOf(&dumb)
	other.PixelFormat = uapi.FormatARGB8888
	_ = s.Ioctl(uapi.IoctlModeAddFB2, &other) // optional
	for _, c := range []struct {
		what   string
		change func(*uapi.ModeCRTCPageFlip)
		errnos []unix.Errno
	}{
		{"with unknown flags", func(a *uapi.ModeCRTCPageFlip) { a.Flags = 1 << 30 }, []unix.Errno{unix.EINVAL}},
		{"with a nonzero reserved field", func(a *uapi.ModeCRTCPageFlip) { a.Reserved = 1 }, []unix.Errno{unix.EINVAL}},
		{"with both target flags", func(a *uapi.ModeCRTCPageFlip) { a.Flags = uapi.ModePageFlipTarget }, []unix.Errno{unix.EINVAL}},
		{"to a nonexistent framebuffer", func(a *uapi.ModeCRTCPageFlip) { a.FBID = 0x7ffffff0 }, []unix.Errno{unix.ENOENT}},
		{"to framebuffer 0", func(a *uapi.ModeCRTCPageFlip) { a.FBID = 0 }, []unix.Errno{unix.ENOENT}},
		{"to a framebuffer smaller than the mode", func(a *uapi.ModeCRTCPageFlip) { a.FBID = small }, []unix.Errno{unix.ENOSPC}},
		{"to another format", func(a *uapi.ModeCRTCPageFlip) { a.FBID = other.FBID }, []unix.Errno{unix.EINVAL, unix.ENOENT}},
	} {
		arg := uapi.ModeCRTCPageFlip{CRTCID: s.CRTC, FBID: fb, Flags: uapi.ModePageFlipEvent}
		c.change(&arg)
		s.Want(c.what, uapi.IoctlModePageFlip, &arg, c.errnos...)
	}
	if async, err := s.Cap(uapi.CapAsyncPageFlip); err == nil && async == 0 {
		s.Want("with ASYNC, unsupported by device", uapi.IoctlModePageFlip,
			&uapi.ModeCRTCPageFlip{CRTCID: s.CRTC, FBID: fb, Flags: uapi.ModePageFlipAsync}, unix.EINVAL)
	}
	if target, err := s.Cap(uapi.CapPageFlipTarget); err == nil && target == 0 {
		s.Want("with a target, unsupported by device", uapi.IoctlModePageFlip,
			&uapi.ModeCRTCPageFlip{CRTCID: s.CRTC, FBID: fb, Flags: uapi.ModePageFlipTargetRelative, Reserved: 1}, unix.EINVAL)
	} else if err == nil {
		s.Want("with a target two vblanks ahead", uapi.IoctlModePageFlip,
			&uapi.ModeCRTCPageFlip{CRTCID: s.CRTC, FBID: fb, Flags: uapi.ModePageFlipTargetRelative, Reserved: 2}, unix.EINVAL)
	}
	s.NoEvent()
	equal(t, "the framebuffer after refused requests", s.GetCRTC().FBID, s.FB)
}

func flipOff(t *tester) {
	s := t.Show()
	s.Must(uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: s.CRTC})
	errno := unix.EBUSY
	if target, err := s.Cap(uapi.CapPageFlipTarget); err == nil && target != 0 {
		errno = unix.EINVAL // there is no vblank to count from
	}
	t.Want("PAGE_FLIP on a disabled CRTC", s.Flip(s.FB, 0), errno)
}

// flipClose checks that a file can be closed while its flip is pending.
func flipClose(t *tester) {
	s := t.Show()
	t.Must("PAGE_FLIP", s.Flip(s.Another(), 0))
	t.Must("close", s.Close())
	t.Show().Settle()
}

// eventRead checks that read returns whole events, as many as fit.
func eventRead(t *tester) {
	s := t.Show()
	for i := range 3 {
		s.queueVblank(1, uint64(i))
	}
	wait := uapi.WaitVblankRequest{Type: uapi.VblankRelative | s.pipe(), Sequence: 2}
	s.Must(uapi.IoctlWaitVblank, &wait)
	equal(t, "poll with events", s.Poll(unix.POLLIN, timeout), unix.POLLIN)

	n, err := s.Read(make([]byte, eventSize-1))
	if n != 0 || err != nil && !errors.Is(err, unix.EAGAIN) {
		t.Errorf("read with room for less than an event: %d bytes, %s", n, name(err))
	}
	p := make([]byte, eventSize+1)
	n, err = s.Read(p)
	t.Must("read", err)
	if equal(t, "bytes read, with room for an event and one byte", n, eventSize) {
		equal(t, "the user data", s.parse(p).UserData, 0)
	}
	p = make([]byte, 10*eventSize)
	n, err = s.Read(p)
	t.Must("read", err)
	if equal(t, "bytes read, with room for ten events", n, 2*eventSize) {
		equal(t, "the user data", s.parse(p[eventSize:]).UserData, 2)
	}
	_, err = s.Read(p)
	t.Want("read without events", err, unix.EAGAIN)
}

// eventBlocking checks that a read without O_NONBLOCK waits for an event.
func eventBlocking(t *tester) {
	primary, _ := t.nodes()
	s := t.ShowOn(t.OpenPath(primary, unix.O_RDWR))
	s.queueVblank(2, 5)
	p := make([]byte, 3*eventSize)
	n, err := s.Read(p)
	t.Must("read", err)
	if equal(t, "bytes read", n, eventSize) {
		equal(t, "the user data", s.parse(p).UserData, 5)
	}
}

// eventSpace checks that a file has room for 4096 bytes of events, pending ones
// included.
func eventSpace(t *tester) {
	s := t.Show()
	const room = 4096 / eventSize
	for i := range room {
		s.queueVblank(1000, uint64(i))
	}
	full := uapi.WaitVblankRequest{Type: uapi.VblankRelative | uapi.VblankEvent | s.pipe(), Sequence: 1000}
	s.Want("without room for an event", uapi.IoctlWaitVblank, &full, unix.ENOMEM)
	s.Want("without room for an event", uapi.IoctlCRTCQueueSequence,
		&uapi.CRTCQueueSequence{CRTCID: s.CRTC, Flags: uapi.CRTCSequenceRelative, Sequence: 1000}, unix.ENOMEM)
	t.Want("PAGE_FLIP without room for an event", s.Flip(s.Another(), 0), unix.ENOMEM)

	// A CRTC that is disabled delivers its events at once.
	s.Must(uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: s.CRTC})
	for i := range room {
		equal(t, "the user data", s.Event().UserData, uint64(i))
	}
	s.NoEvent()
}

func eventNone(t *tester) {
	f := t.Open()
	equal(t, "poll without events", f.Poll(unix.POLLIN, 0), 0)
	_, err := f.Read(make([]byte, 128))
	t.Want("read without events", err, unix.EAGAIN)
}
