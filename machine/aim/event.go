package aim

import (
	"fmt"
	"strings"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// An Event is what a rule is aimed at.
type Event struct {
	kind     eventKind
	op       drm.Op          // of kindCall
	requests map[uint32]bool // of kindIoctl: types and numbers; nil: all
	device   drm.EventKind   // of kindDevice
	name     string
}

type eventKind int

const (
	kindIoctl eventKind = iota
	kindCall
	kindDevice
	kindStart
)

var (
	callNames   = map[string]drm.Op{"open": drm.OpOpen, "close": drm.OpClose, "mmap": drm.OpMmap}
	deviceNames = map[string]drm.EventKind{"vblank": drm.EventVblank, "frame": drm.EventFrame, "event": drm.EventSent}
)

func parseEvent(name string) (Event, error) {
	if op, ok := callNames[name]; ok {
		return Event{kind: kindCall, op: op, name: name}, nil
	}
	if kind, ok := deviceNames[name]; ok {
		return Event{kind: kindDevice, device: kind, name: name}, nil
	}
	switch name {
	case "":
		return Event{}, fmt.Errorf("there is no event")
	case "start":
		return Event{kind: kindStart, name: name}, nil
	case "all":
		return Event{kind: kindIoctl, name: "all"}, nil
	}
	e := Event{kind: kindIoctl, requests: make(map[uint32]bool), name: name}
	for one := range strings.SplitSeq(name, ",") {
		cmd, err := requestNamed(one)
		if err != nil {
			return Event{}, err
		}
		e.requests[cmd&typeAndNumber] = true
	}
	return e, nil
}

// typeAndNumber are the bits of a request number that name the request. The
// others depend on the client's headers.
const typeAndNumber = 0xffff

// requestNamed returns the request of that name.
func requestNamed(name string) (uint32, error) {
	r, near := uapi.FindRequest(name)
	switch {
	case r != nil && uapi.IOCType(r.Cmd) != uapi.IoctlBase:
		return 0, fmt.Errorf("%s is a request on a dma-buf or a sync file, which the kernel answers, so that none can be seen", r.Name)
	case r != nil:
		return r.Cmd, nil
	case name == "read":
		return 0, fmt.Errorf("the kernel answers reads, so that none can be seen; the event \"event\" is what a program reads")
	case name == "":
		return 0, fmt.Errorf("there is no request before or after a comma")
	case len(near) > 0:
		return 0, fmt.Errorf("unknown request %q; did you mean %s?", name, strings.Join(near, ", "))
	}
	return 0, fmt.Errorf("unknown event %q: events are requests, such as MODE_ATOMIC, and all, open, close, mmap, event, vblank, frame, start", name)
}

// String returns the event as it was written.
func (e *Event) String() string { return e.name }

// late reports whether the event has no point but after.
func (e *Event) late() bool {
	return e.kind == kindDevice || e.kind == kindStart || e.kind == kindCall && e.op == drm.OpClose
}

// sent reports whether the event is one that the card sends to a program.
func (e *Event) sent() bool { return e.kind == kindDevice && e.device == drm.EventSent }

// frame reports whether the event is a commit that is on the screen.
func (e *Event) frame() bool { return e.kind == kindDevice && e.device == drm.EventFrame }

// canHave reports whether a request of the event is one of those.
func (e *Event) canHave(is func(*uapi.Request) bool) bool {
	if e.kind != kindIoctl {
		return false
	}
	for r := range uapi.Requests() {
		if (e.requests == nil || e.requests[r.Cmd&typeAndNumber]) && is(r) {
			return true
		}
	}
	return false
}

// byProgram reports whether a program causes the event, by a call.
func (e *Event) byProgram() bool { return e.kind == kindIoctl || e.kind == kindCall }

// is reports whether the call is such an event.
func (e *Event) is(c *drm.Call) bool {
	switch e.kind {
	case kindIoctl:
		return c.Op == drm.OpIoctl && (e.requests == nil || e.requests[c.Cmd&typeAndNumber])
	case kindCall:
		return c.Op == e.op
	}
	return false
}
