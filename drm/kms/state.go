package kms

import "slices"

// A State is what a device shows: the state of all its planes, CRTCs and
// connectors at one moment. It does not change: a commit replaces it by
// another.
type State struct {
	planes     []PlaneState
	crtcs      []CRTCState
	connectors []ConnectorState
}

// A PlaneState is what a plane shows, and where. CRTC and FB are both set, or
// both nil.
type PlaneState struct {
	CRTC         *CRTC
	FB           *Framebuffer
	CRTCX, CRTCY int32 // on the CRTC, pixels
	CRTCW, CRTCH uint32
	SrcX, SrcY   uint32 // of the framebuffer, 1/65536 pixels
	SrcW, SrcH   uint32
	Rotation     uint32 // Rotate0 and so on
	// Of YUV formats: Color* as in COLOR_ENCODING and COLOR_RANGE.
	ColorEncoding, ColorRange uint32
	HotX, HotY                int32 // of a cursor
	Visible                   bool  // some of it lies on the CRTC
}

// A CRTCState is the mode of a CRTC, and whether it is lit.
type CRTCState struct {
	Enable     bool // it has a mode and connectors
	Active     bool // it is not switched off
	Mode       Mode
	ModeBlob   *Blob // the mode as clients gave it; nil when there is none
	GammaLUT   *Blob // nil for none
	VRREnabled bool
}

// A ConnectorState is what a connector is fed with.
type ConnectorState struct {
	CRTC        *CRTC
	BestEncoder *Encoder // nil without a CRTC
	LinkStatus  uint32   // uapi.ModeLinkStatus*
	DPMS        uint32   // uapi.ModeDPMS*, as the legacy property shows it
}

// Plane returns the state of p.
func (s *State) Plane(p *Plane) PlaneState { return s.planes[p.index] }

// CRTC returns the state of c.
func (s *State) CRTC(c *CRTC) CRTCState { return s.crtcs[c.index] }

// Connector returns the state of c.
func (s *State) Connector(c *Connector) ConnectorState { return s.connectors[c.index] }

func (s *State) clone() *State {
	return &State{
		planes:     slices.Clone(s.planes),
		crtcs:      slices.Clone(s.crtcs),
		connectors: slices.Clone(s.connectors),
	}
}

// connected reports whether a connector is fed by c.
func (s *State) connected(c *CRTC) bool {
	return slices.ContainsFunc(s.connectors, func(cs ConnectorState) bool { return cs.CRTC == c })
}

// initialState shows nothing: everything is off.
func (m *ModeConfig) initialState() *State {
	s := &State{
		planes:     make([]PlaneState, len(m.planes)),
		crtcs:      make([]CRTCState, len(m.crtcs)),
		connectors: make([]ConnectorState, len(m.connectors)),
	}
	for i := range s.planes {
		s.planes[i].Rotation = Rotate0
	}
	return s
}

// references are the counted objects that a state holds, each slot in the
// same place for every state of a device.
func (s *State) references(yield func(counted) bool) {
	for i := range s.planes {
		if fb := s.planes[i].FB; fb != nil && !yield(fb) {
			return
		}
	}
	for i := range s.crtcs {
		for _, b := range [...]*Blob{s.crtcs[i].ModeBlob, s.crtcs[i].GammaLUT} {
			if b != nil && !yield(b) {
				return
			}
		}
	}
}
