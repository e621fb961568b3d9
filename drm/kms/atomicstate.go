package kms

import (
	"iter"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/mode"
)

// An AtomicState is a change of state before it is committed: struct
// drm_atomic_state. It has the current state and a copy of it that the request
// changes. The copy is checked as a whole, and then committed or dropped.
//
// A driver gets it in its hooks, and must not keep it.
type AtomicState struct {
	m        *ModeConfig
	old, new *State

	// The objects that the request names, or that it concerns, changed or not:
	// masks by index. A commit waits for the next vblank of each CRTC.
	planes     uint32
	crtcs      uint32
	connectors uint32

	held   []counted          // references until end
	events map[int]*flipEvent // sent when the commit is shown, by CRTC index

	req        *drm.Request              // the request that sets fences; nil without one
	inFences   map[int]*fence.Fence      // the commit waits for them; by plane index
	outFences  map[int]*outFence         // signalled when the commit is shown; by CRTC index
	writebacks map[int]*writebackRequest // by connector index

	async        bool // an async flip; see setProperty
	allowModeset bool
	// stealEncoders: SETCRTC switches off a connector whose encoder it needs;
	// other requests are refused instead.
	stealEncoders bool
	onSuccess     func() // called with ModeConfig.mu held
}

func (m *ModeConfig) begin() *AtomicState {
	old := m.state.Load()
	return &AtomicState{m: m, old: old, new: old.clone(), allowModeset: true}
}

// end releases what a holds. Events of a state that was not committed are
// cancelled.
func (a *AtomicState) end() {
	for _, e := range a.events {
		e.pending.Cancel()
	}
	a.events = nil
	for _, c := range a.held {
		a.m.objects.put(c)
	}
	a.held = nil
}

// Old returns the current state, which the commit replaces.
func (a *AtomicState) Old() *State { return a.old }

// New returns the state that the request asks for.
func (a *AtomicState) New() *State { return a.new }

// Planes returns the planes of the change, in the order of their indexes
// (for_each_new_plane_in_state). A modeset concerns all planes and connectors
// of its CRTC. Planes that are added during the iteration are part of it.
func (a *AtomicState) Planes() iter.Seq[*Plane] { return touched(a.m.planes, &a.planes) }

// CRTCs returns the CRTCs of the change, as Planes does.
func (a *AtomicState) CRTCs() iter.Seq[*CRTC] { return touched(a.m.crtcs, &a.crtcs) }

// Connectors returns the connectors of the change, as Planes does.
func (a *AtomicState) Connectors() iter.Seq[*Connector] {
	return func(yield func(*Connector) bool) {
		for _, c := range a.m.Connectors() {
			if a.connectors&(1<<c.index) != 0 && !yield(c) {
				return
			}
		}
	}
}

// Async reports whether the change is an async flip: it is shown at once, not
// at a vblank. Only framebuffers of primary planes, and operations of colour
// pipelines, can change.
func (a *AtomicState) Async() bool { return a.async }

func touched[T any](objects []T, mask *uint32) iter.Seq[T] {
	return func(yield func(T) bool) {
		for i, o := range objects {
			if *mask&(1<<i) != 0 && !yield(o) {
				return
			}
		}
	}
}

// hold keeps the caller's reference until the end.
func (a *AtomicState) hold(c counted) { a.held = append(a.held, c) }

// wantEvent reserves an event that f gets when the commit is shown on c.
// Errors: ENOMEM when too many events of f are pending.
func (a *AtomicState) wantEvent(f *drm.File, c *CRTC, userData uint64) error {
	pending, err := f.ReserveEvent(vblankEventSize)
	if err != nil {
		return err
	}
	if a.events == nil {
		a.events = make(map[int]*flipEvent)
	}
	a.events[c.index] = &flipEvent{pending, userData}
	return nil
}

// plane adds p to the change and returns its new state, which may be changed.
func (a *AtomicState) plane(p *Plane) *PlaneState {
	s := &a.new.planes[p.index]
	if a.planes&(1<<p.index) == 0 {
		s.DamageClips = nil // those of an earlier commit
	}
	a.planes |= 1 << p.index
	if s.CRTC != nil {
		a.crtc(s.CRTC)
	}
	return s
}

// crtc is plane for a CRTC.
func (a *AtomicState) crtc(c *CRTC) *CRTCState {
	a.crtcs |= 1 << c.index
	return &a.new.crtcs[c.index]
}

// connector is plane for a connector.
func (a *AtomicState) connector(c *Connector) *ConnectorState {
	a.connectors |= 1 << c.index
	s := &a.new.connectors[c.index]
	if s.CRTC != nil {
		a.crtc(s.CRTC)
	}
	return s
}

// The setters below keep state that depends on each other consistent.

func (a *AtomicState) setPlaneCRTC(p *Plane, c *CRTC) {
	a.plane(p).CRTC = c
	if c != nil {
		a.crtc(c)
	}
}

func (a *AtomicState) setPlaneFB(p *Plane, fb *Framebuffer) {
	s := a.plane(p)
	s.FB = fb
	if fb != nil && p.hotspotX == nil {
		s.HotX, s.HotY = fb.hotX, fb.hotY
	}
}

// disablePlane switches p off. Its other properties stay
// (__drm_atomic_helper_disable_plane).
func (a *AtomicState) disablePlane(p *Plane) {
	s := a.plane(p)
	s.CRTC, s.FB = nil, nil
	s.CRTCX, s.CRTCY, s.CRTCW, s.CRTCH = 0, 0, 0, 0
	s.SrcX, s.SrcY, s.SrcW, s.SrcH = 0, 0, 0, 0
	s.HotX, s.HotY = 0, 0
}

func (a *AtomicState) setConnectorCRTC(c *Connector, crtc *CRTC) {
	a.connector(c).CRTC = crtc
	if crtc != nil {
		a.crtc(crtc)
	}
}

// setMode gives c a mode; nil disables it. blob is the mode as the client gave
// it; when it is nil, setMode makes one.
func (a *AtomicState) setMode(c *CRTC, timing *mode.Mode, blob *Blob) {
	s := a.crtc(c)
	if timing == nil {
		s.Enable, s.Mode, s.ModeBlob = false, mode.Mode{}, nil
		return
	}
	if blob == nil && s.ModeBlob != nil && s.Mode == *timing {
		blob = s.ModeBlob
	}
	if blob == nil {
		blob = a.m.newBlob(encodeMode(timing))
		a.hold(blob)
	}
	s.Enable, s.Mode, s.ModeBlob = true, *timing, blob
}
