package vkms

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// A Topology is what a display is made of, as the kernel's vkms has it in
// configfs: /config/vkms/NAME/planes, crtcs, encoders and connectors. The
// order of each list is that in which clients see the objects; masks refer to
// it, one bit for each.
//
// Names are for errors, and for whoever reads them; clients see none but those
// that kms gives to connectors, such as "HDMI-A-1".
type Topology struct {
	Planes     []Plane
	CRTCs      []CRTC
	Encoders   []Encoder
	Connectors []Connector
}

// A Plane of a Topology. Planes lie on each other in their order.
type Plane struct {
	Name          string
	Type          int    // uapi.PlaneType*
	PossibleCRTCs uint32 // mask
}

// A CRTC of a Topology.
type CRTC struct {
	Name      string
	Writeback bool // it has a writeback connector
}

// An Encoder of a Topology.
type Encoder struct {
	Name          string
	PossibleCRTCs uint32 // mask
}

// A Connector of a Topology.
type Connector struct {
	Name             string
	Type             uint32 // uapi.ModeConnector*; 0 is uapi.ModeConnectorVirtual
	Status           uint32 // at first: uapi.ModeConnected and so on; 0 is uapi.ModeConnected
	PossibleEncoders uint32 // mask
	// Monitor is what is plugged in, or will be. nil is one without EDID,
	// which is taken to be able to show the usual modes, 1024x768 best.
	Monitor *kms.Monitor
}

// NewTopology returns a Topology of that many CRTCs and those connectors, any
// CRTC for any connector, whose PossibleEncoders it sets: what graphics cards
// have as a rule. Each CRTC has a primary plane, and as config says a cursor
// plane and a writeback connector. The overlay planes, if any, are for all.
func NewTopology(crtcs int, connectors []Connector, config *Config) *Topology {
	t := new(Topology)
	all := uint32(1)<<crtcs - 1
	for i := range crtcs {
		t.CRTCs = append(t.CRTCs, CRTC{Name: fmt.Sprintf("crtc%d", i), Writeback: config.Writeback})
		t.Planes = append(t.Planes, Plane{Name: fmt.Sprintf("primary%d", i), Type: uapi.PlaneTypePrimary, PossibleCRTCs: 1 << i})
	}
	if config.Overlay {
		for i := range overlayPlanes {
			t.Planes = append(t.Planes, Plane{Name: fmt.Sprintf("overlay%d", i), Type: uapi.PlaneTypeOverlay, PossibleCRTCs: all})
		}
	}
	if config.Cursor {
		for i := range crtcs {
			t.Planes = append(t.Planes, Plane{Name: fmt.Sprintf("cursor%d", i), Type: uapi.PlaneTypeCursor, PossibleCRTCs: 1 << i})
		}
	}
	for i, c := range connectors {
		t.Encoders = append(t.Encoders, Encoder{Name: fmt.Sprintf("encoder%d", i), PossibleCRTCs: all})
		c.PossibleEncoders = 1 << i
		t.Connectors = append(t.Connectors, c)
	}
	return t
}

// topology returns what the display is made of.
func (c *Config) topology() *Topology {
	if c.Topology != nil {
		return c.Topology
	}
	return NewTopology(1, []Connector{{Name: "connector0"}}, c)
}

// A TopologyError says that an item of a [Topology] breaks a rule.
type TopologyError struct {
	Kind  string // planes, crtcs, encoders or connectors
	Index int    // -1 for the list as a whole
	Name  string // of the item
	// Reason says what is wrong, and what to do.
	Reason string
}

func (e *TopologyError) Error() string {
	if e.Index < 0 {
		return fmt.Sprintf("vkms: %s: %s", e.Kind, e.Reason)
	}
	return fmt.Sprintf("vkms: %s/%s: %s", e.Kind, e.Name, e.Reason)
}

const (
	// MaxCRTCs is how many CRTCs the kernel's vkms takes, and how many planes,
	// encoders and connectors.
	MaxCRTCs = 31
	// maxObjects is how many encoders, and connectors, a device has with those
	// of the writebacks: the bits of a mask.
	maxObjects = 32
)

// Validate checks the rules of the kernel's vkms: 1 to 31 of each kind; each
// CRTC has one primary plane, at most one cursor plane, and an encoder; each
// plane and encoder has a CRTC, and each connector an encoder. Beyond these, a
// primary plane belongs to one CRTC only, and writebacks count among the
// encoders and connectors, of which there are 32 at most. All errors are
// reported together, each a [TopologyError].
func (t *Topology) Validate() error {
	var errs []error
	refuse := func(kind string, index int, name, format string, args ...any) {
		errs = append(errs, &TopologyError{kind, index, name, fmt.Sprintf(format, args...)})
	}
	for _, list := range []struct {
		kind string
		n    int
	}{{"planes", len(t.Planes)}, {"crtcs", len(t.CRTCs)}, {"encoders", len(t.Encoders)}, {"connectors", len(t.Connectors)}} {
		if list.n < 1 || list.n > MaxCRTCs {
			refuse(list.kind, -1, "", "there are %d: a display has 1 to %d", list.n, MaxCRTCs)
		}
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	crtcs, encoders := uint32(1)<<len(t.CRTCs)-1, uint32(1)<<len(t.Encoders)-1
	for i, p := range t.Planes {
		switch n := bits.OnesCount32(p.PossibleCRTCs); {
		case n == 0:
			refuse("planes", i, p.Name, "it can be on no CRTC: give it one in possible_crtcs")
		case p.PossibleCRTCs&^crtcs != 0:
			refuse("planes", i, p.Name, "possible_crtcs names a CRTC that does not exist")
		case p.Type == uapi.PlaneTypePrimary && n > 1:
			refuse("planes", i, p.Name, "it is the primary plane of %d CRTCs: each needs one of its own", n)
		}
	}
	var fed uint32
	for i, e := range t.Encoders {
		fed |= e.PossibleCRTCs
		switch {
		case e.PossibleCRTCs == 0:
			refuse("encoders", i, e.Name, "no CRTC can feed it: give it one in possible_crtcs")
		case e.PossibleCRTCs&^crtcs != 0:
			refuse("encoders", i, e.Name, "possible_crtcs names a CRTC that does not exist")
		}
	}
	writebacks := 0
	for i, c := range t.CRTCs {
		if c.Writeback {
			writebacks++
		}
		switch primaries := t.planesOf(i, uapi.PlaneTypePrimary); {
		case len(primaries) == 0:
			refuse("crtcs", i, c.Name, "it has no primary plane: add a plane of type primary with it in possible_crtcs")
		case len(primaries) > 1:
			refuse("crtcs", i, c.Name, "%s and %s are both primary planes of it: it has one", primaries[0].Name, primaries[1].Name)
		}
		if cursors := t.planesOf(i, uapi.PlaneTypeCursor); len(cursors) > 1 {
			refuse("crtcs", i, c.Name, "%s and %s are both cursor planes of it: it has one at most", cursors[0].Name, cursors[1].Name)
		}
		if fed&(1<<i) == 0 {
			refuse("crtcs", i, c.Name, "it can feed no encoder: name it in possible_crtcs of one")
		}
	}
	for i, c := range t.Connectors {
		switch {
		case c.PossibleEncoders == 0:
			refuse("connectors", i, c.Name, "no encoder can feed it: give it one in possible_encoders")
		case c.PossibleEncoders&^encoders != 0:
			refuse("connectors", i, c.Name, "possible_encoders names an encoder that does not exist")
		case c.Type == uapi.ModeConnectorWriteback:
			refuse("connectors", i, c.Name, "writeback connectors come with their CRTC: set its writeback")
		}
	}
	if len(t.Encoders)+writebacks > maxObjects {
		refuse("encoders", -1, "", "there are %d, and those of %d writebacks: together a device has %d at most", len(t.Encoders), writebacks, maxObjects)
	}
	if len(t.Connectors)+writebacks > maxObjects {
		refuse("connectors", -1, "", "there are %d, and %d writebacks: together a device has %d at most", len(t.Connectors), writebacks, maxObjects)
	}
	return errors.Join(errs...)
}

// planesOf returns the planes of that type that can be on the CRTC.
func (t *Topology) planesOf(crtc, planeType int) (planes []Plane) {
	for _, p := range t.Planes {
		if p.Type == planeType && p.PossibleCRTCs&(1<<crtc) != 0 {
			planes = append(planes, p)
		}
	}
	return planes
}
