package conformance

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// An event is what read(2) of a node returns: struct drm_event_vblank or struct
// drm_event_crtc_sequence.
type event struct {
	Type     uint32
	UserData uint64
	At       time.Duration // on CLOCK_MONOTONIC
	Sequence uint64
	CRTC     uint32 // 0 for events of CRTC_QUEUE_SEQUENCE
}

const eventSize = 32 // of both

// Event waits for the next event and reads it. The case ends if none comes.
func (f *file) Event() event {
	f.t.Helper()
	if f.Poll(unix.POLLIN, timeout)&unix.POLLIN == 0 {
		f.t.Fatalf("no event within %v", timeout)
	}
	p := make([]byte, eventSize)
	n, err := f.Read(p)
	f.t.Must("read", err)
	if n != eventSize {
		f.t.Fatalf("an event of %d bytes", n)
	}
	return f.parse(p)
}

func (f *file) parse(p []byte) event {
	f.t.Helper()
	ne := binary.NativeEndian
	e := event{Type: ne.Uint32(p), UserData: ne.Uint64(p[8:])}
	equal(f.t, "the length field of the event", ne.Uint32(p[4:]), eventSize)
	switch e.Type {
	case uapi.EventTypeVblank, uapi.EventTypeFlipComplete:
		e.At = time.Duration(ne.Uint32(p[16:]))*time.Second + time.Duration(ne.Uint32(p[20:]))*time.Microsecond
		e.Sequence = uint64(ne.Uint32(p[24:]))
		e.CRTC = ne.Uint32(p[28:])
	case uapi.EventTypeCRTCSequence:
		e.At = time.Duration(ne.Uint64(p[16:]))
		e.Sequence = ne.Uint64(p[24:])
	default:
		f.t.Errorf("an event of type %#x", e.Type)
	}
	return e
}

// NoEvent fails the case if an event is pending.
func (f *file) NoEvent() {
	f.t.Helper()
	if f.Poll(unix.POLLIN, 0) != 0 {
		f.t.Errorf("an unexpected event: %+v", f.Event())
	}
}

// now returns the time on CLOCK_MONOTONIC.
func now() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return time.Duration(ts.Nano())
}
