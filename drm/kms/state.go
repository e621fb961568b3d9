package kms

import (
	"slices"

	"github.com/udrm/udrm/drm/mode"
)

// A State is the state of all planes, CRTCs and connectors of a device at one
// moment. It does not change: a commit replaces it by another State.
type State struct {
	planes     []PlaneState
	crtcs      []CRTCState
	connectors []ConnectorState
	colorops   [][]propertyValue // their properties
}

// A PlaneState says what a plane shows, and where. CRTC and FB are both set, or
// both nil.
type PlaneState struct {
	CRTC         *CRTC
	FB           *Framebuffer
	CRTCX, CRTCY int32 // on the CRTC, pixels
	CRTCW, CRTCH uint32
	SrcX, SrcY   uint32 // of the framebuffer, 1/65536 pixels
	SrcW, SrcH   uint32
	Rotation     uint32 // uapi.ModeRotate*, uapi.ModeReflect*
	Alpha        uint16 // of the plane as a whole
	BlendMode    BlendMode
	Zpos         uint32 // as clients set it
	// For YUV formats, the values of COLOR_ENCODING and COLOR_RANGE: Color*.
	ColorEncoding, ColorRange uint32
	ScalingFilter             ScalingFilter
	HotX, HotY                int32 // of a cursor
	DamageClips               *Blob // of this commit: see Damage; or nil

	// What the check of the state has computed.
	Visible        bool // some of the plane lies on the CRTC
	NormalizedZpos int  // the position among the planes of the CRTC, from 0 at the bottom

	properties []propertyValue // of the driver; never changed in place
}

// A CRTCState has the mode of a CRTC and says whether it is active.
type CRTCState struct {
	Enable     bool // it has a mode and connectors
	Active     bool // it shows a picture
	Mode       mode.Mode
	ModeBlob   *Blob // the mode as clients gave it, or nil
	DegammaLUT *Blob // or nil, as CTM and GammaLUT
	CTM        *Blob
	GammaLUT   *Blob
	VRREnabled bool

	ScalingFilter   ScalingFilter
	BackgroundColor uint64 // 16 bits each of alpha, red, green, blue from the highest

	properties []propertyValue
}

// A ConnectorState says which CRTC feeds a connector.
type ConnectorState struct {
	CRTC        *CRTC
	BestEncoder *Encoder // or nil, without a CRTC
	LinkStatus  uint32   // uapi.ModeLinkStatus*
	DPMS        uint32   // uapi.ModeDPMS*, as the legacy property shows it

	properties []propertyValue
}

// Plane returns the state of p.
func (s *State) Plane(p *Plane) PlaneState { return s.planes[p.index] }

// CRTC returns the state of c.
func (s *State) CRTC(c *CRTC) CRTCState { return s.crtcs[c.index] }

// Connector returns the state of c.
func (s *State) Connector(c *Connector) ConnectorState { return *s.connector(c) }

// connector returns the state of c. A connector that was added later is off.
func (s *State) connector(c *Connector) *ConnectorState {
	if c.index < len(s.connectors) {
		return &s.connectors[c.index]
	}
	return new(ConnectorState)
}

func (s *State) clone() *State {
	return &State{
		planes:     slices.Clone(s.planes),
		crtcs:      slices.Clone(s.crtcs),
		connectors: slices.Clone(s.connectors),
		colorops:   slices.Clone(s.colorops),
	}
}

// connected reports whether c feeds a connector.
func (s *State) connected(c *CRTC) bool {
	return slices.ContainsFunc(s.connectors, func(cs ConnectorState) bool { return cs.CRTC == c })
}

// initialState returns a state in which everything is off. It holds references.
func (m *ModeConfig) initialState() *State {
	s := &State{
		planes:     make([]PlaneState, len(m.planes)),
		crtcs:      make([]CRTCState, len(m.crtcs)),
		connectors: make([]ConnectorState, m.connectorSlots()),
		colorops:   make([][]propertyValue, len(m.colorops)),
	}
	for i, p := range m.planes {
		s.planes[i] = p.initialState()
	}
	for i, c := range m.crtcs {
		s.crtcs[i] = c.initial
		s.crtcs[i].properties = c.properties.initial()
	}
	for _, c := range m.Connectors() {
		s.connectors[c.index].properties = c.properties.initial()
	}
	for i, o := range m.colorops {
		s.colorops[i] = o.properties.initial()
	}
	s.references(func(c counted) bool { m.objects.get(c); return true })
	return s
}

// references yields each counted object that a state holds, once for each use.
func (s *State) references(yield func(counted) bool) {
	for i := range s.planes {
		if fb := s.planes[i].FB; fb != nil && !yield(fb) {
			return
		}
		if b := s.planes[i].DamageClips; b != nil && !yield(b) {
			return
		}
		if !yieldValues(s.planes[i].properties, yield) {
			return
		}
	}
	for i := range s.crtcs {
		for _, b := range [...]*Blob{s.crtcs[i].ModeBlob, s.crtcs[i].DegammaLUT, s.crtcs[i].CTM, s.crtcs[i].GammaLUT} {
			if b != nil && !yield(b) {
				return
			}
		}
		if !yieldValues(s.crtcs[i].properties, yield) {
			return
		}
	}
	for i := range s.connectors {
		if !yieldValues(s.connectors[i].properties, yield) {
			return
		}
	}
	for _, values := range s.colorops {
		if !yieldValues(values, yield) {
			return
		}
	}
}

func yieldValues(values []propertyValue, yield func(counted) bool) bool {
	for _, v := range values {
		if v.ref != nil && !yield(v.ref) {
			return false
		}
	}
	return true
}
