package vkms

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// A Topology lists the objects of a display, as the kernel's vkms does in
// configfs: /config/vkms/NAME/planes, crtcs, encoders and connectors. Clients
// see the objects in the order of the lists. Masks refer to that order, one bit
// for each object.
//
// Names are for error messages. Clients see other names, which kms gives to
// connectors, such as "HDMI-A-1".
type Topology struct {
	Planes     []Plane
	CRTCs      []CRTC
	Encoders   []Encoder
	Connectors []Connector
}

// A Plane of a Topology. Later planes lie on top of earlier ones.
type Plane struct {
	Name          string
	Type          int    // uapi.PlaneType*
	PossibleCRTCs uint32 // mask
}

// A CRTC of a Topology.
type CRTC struct {
	Name      string
	Writeback bool // add a writeback connector
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
	Status           uint32 // initial: uapi.ModeConnected and so on; 0 is uapi.ModeConnected
	PossibleEncoders uint32 // mask
	// Monitor is the monitor that is, or will be, plugged in. nil is a monitor
	// without EDID: it has the usual modes and prefers 1024x768.
	Monitor *kms.Monitor
}

// NewTopology returns a Topology as most graphics cards have it: any CRTC can
// drive any connector. It sets the PossibleEncoders of the connectors. Each
// CRTC has a primary plane and, as config says, a cursor plane and a writeback
// connector. All CRTCs share the overlay planes, if any.
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

// topology returns the objects of the display.
func (c *Config) topology() *Topology {
	if c.Topology != nil {
		return c.Topology
	}
	return NewTopology(1, []Connector{{Name: "connector0"}}, c)
}

// A TopologyError reports that an item of a [Topology] breaks a rule.
type TopologyError struct {
	Kind  string // planes, crtcs, encoders or connectors
	Index int    // -1 for the list as a whole
	Name  string // of the item
	// Reason tells what is wrong and what to do.
	Reason string
}

func (e *TopologyError) Error() string {
	if e.Index < 0 {
		return fmt.Sprintf("vkms: %s: %s", e.Kind, e.Reason)
	}
	return fmt.Sprintf("vkms: %s/%s: %s", e.Kind, e.Name, e.Reason)
}

const (
	// MaxCRTCs is the limit of the kernel's vkms for CRTCs, planes, encoders
	// and connectors.
	MaxCRTCs = 31
	// maxObjects is the limit for encoders and connectors, those of writebacks
	// included: the bits of a mask.
	maxObjects = 32
)

// Validate checks the rules of the kernel's vkms: 1 to 31 objects of each kind;
// one primary plane, at most one cursor plane and an encoder for each CRTC; a
// CRTC for each plane and encoder; an encoder for each connector. Two rules are
// stricter than the kernel's: a primary plane belongs to one CRTC, and encoders
// and connectors are at most 32 with those of writebacks. Validate returns all
// errors together, each a [TopologyError].
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
			refuse(list.kind, -1, "", "%d given, a display has 1 to %d", list.n, MaxCRTCs)
		}
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	crtcs, encoders := uint32(1)<<len(t.CRTCs)-1, uint32(1)<<len(t.Encoders)-1
	for i, p := range t.Planes {
		switch n := bits.OnesCount32(p.PossibleCRTCs); {
		case n == 0:
			refuse("planes", i, p.Name, "no CRTC can use it: add one to possible_crtcs")
		case p.PossibleCRTCs&^crtcs != 0:
			refuse("planes", i, p.Name, "possible_crtcs names a CRTC that does not exist")
		case p.Type == uapi.PlaneTypePrimary && n > 1:
			refuse("planes", i, p.Name, "primary plane of %d CRTCs: each CRTC needs one of its own", n)
		}
	}
	var fed uint32
	for i, e := range t.Encoders {
		fed |= e.PossibleCRTCs
		switch {
		case e.PossibleCRTCs == 0:
			refuse("encoders", i, e.Name, "no CRTC can drive it: add one to possible_crtcs")
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
			refuse("crtcs", i, c.Name, "no primary plane: add one with this CRTC in possible_crtcs")
		case len(primaries) > 1:
			refuse("crtcs", i, c.Name, "two primary planes, %s and %s: a CRTC has one", primaries[0].Name, primaries[1].Name)
		}
		if cursors := t.planesOf(i, uapi.PlaneTypeCursor); len(cursors) > 1 {
			refuse("crtcs", i, c.Name, "two cursor planes, %s and %s: a CRTC has at most one", cursors[0].Name, cursors[1].Name)
		}
		if fed&(1<<i) == 0 {
			refuse("crtcs", i, c.Name, "it can drive no encoder: add it to possible_crtcs of one")
		}
	}
	for i, c := range t.Connectors {
		switch {
		case c.PossibleEncoders == 0:
			refuse("connectors", i, c.Name, "no encoder can drive it: add one to possible_encoders")
		case c.PossibleEncoders&^encoders != 0:
			refuse("connectors", i, c.Name, "possible_encoders names an encoder that does not exist")
		case c.Type == uapi.ModeConnectorWriteback:
			refuse("connectors", i, c.Name, "not a type for this list: set writeback of a CRTC instead")
		}
	}
	if len(t.Encoders)+writebacks > maxObjects {
		refuse("encoders", -1, "", "%d given and %d for writebacks, a device has at most %d in all", len(t.Encoders), writebacks, maxObjects)
	}
	if len(t.Connectors)+writebacks > maxObjects {
		refuse("connectors", -1, "", "%d given and %d for writebacks, a device has at most %d in all", len(t.Connectors), writebacks, maxObjects)
	}
	return errors.Join(errs...)
}

// planesOf returns the planes of the given type that the CRTC can use.
func (t *Topology) planesOf(crtc, planeType int) (planes []Plane) {
	for _, p := range t.Planes {
		if p.Type == planeType && p.PossibleCRTCs&(1<<crtc) != 0 {
			planes = append(planes, p)
		}
	}
	return planes
}
