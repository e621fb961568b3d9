package lookalike

import (
	"errors"
	"fmt"
	"slices"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// A Config describes a card. Masks have one bit for each object, in the order of
// the list.
type Config struct {
	Info   drm.DriverInfo
	Bus    Bus
	Module Module

	Caps   Caps
	Limits kms.Limits

	Planes     []Plane
	CRTCs      []CRTC
	Encoders   []Encoder
	Connectors []Connector

	Constraints Constraints

	// Console has the card lit while no client is master, and gives it /dev/fb0: see
	// [kms.Config.Console].
	Console bool

	// Clock drives the vblanks; nil is the real clock.
	Clock kms.Clock
}

// A Module is the kernel module of the driver.
type Module struct {
	Name       string // "" stands for the name of the driver
	Parameters []bus.Attr
}

// Caps are the features of the driver. The zero value is an atomic driver with
// dumb buffers and dma-bufs, and without sync objects and a render node.
type Caps struct {
	Render                   bool
	Syncobj, SyncobjTimeline bool
	CursorHotspot            bool
	NoAtomic                 bool // only the legacy requests
	NoDumb                   bool // no dumb buffers
	NoImport, NoExport       bool // no dma-bufs of others, or for others
}

// A Plane of a card. Later planes lie on top of earlier ones, unless they have
// the property zpos.
type Plane struct {
	Name          string // for messages
	Type          int    // uapi.PlaneType*
	PossibleCRTCs uint32
	Formats       []uint32
	Modifiers     []Modifier // none: the plane has no property IN_FORMATS
	// AsyncFormats and AsyncModifiers are as in [kms.PlaneConfig]. Without
	// AsyncFormats, async flips can show all Formats.
	AsyncFormats   []uint32
	AsyncModifiers []uint64
	SizeHints      []Size // SIZE_HINTS, the best one first
	// Pipelines are the colour pipelines of COLOR_PIPELINE.
	Pipelines [][]kms.ColoropConfig
	// MinScale and MaxScale are as in [kms.PlaneConfig].
	MinScale, MaxScale uint32
	MustCover          bool
	Properties         []Property
	// Only hides the standard properties that Properties does not list, here and
	// below: older kernels have fewer.
	Only bool
}

// A Modifier is a layout of pixels with the formats that can have it.
type Modifier struct {
	Modifier uint64
	Formats  []uint32 // nil: all formats of the plane
}

// A CRTC of a card.
type CRTC struct {
	Name      string
	GammaSize int // of the legacy gamma table
	// LUTSize is GAMMA_LUT_SIZE; 0: the CRTC has no GAMMA_LUT.
	LUTSize     int
	DegammaSize int  // DEGAMMA_LUT_SIZE; 0: the CRTC has no DEGAMMA_LUT
	CTM         bool // the CRTC has a colour matrix
	Properties  []Property
	Only        bool
	// Primary and Cursor are the planes of the legacy requests, by index. -1 is
	// no cursor, or with NoAtomic a cursor without a plane.
	Primary, Cursor int
}

// An Encoder of a card.
type Encoder struct {
	Name           string
	Type           uint32 // uapi.ModeEncoder*
	PossibleCRTCs  uint32
	PossibleClones uint32 // itself is added
}

// A Connector of a card.
type Connector struct {
	Name             string
	Type             uint32 // uapi.ModeConnector*
	Status           uint32 // uapi.ModeConnected and so on
	PossibleEncoders []int  // by index, the first one is used
	Monitor          *kms.Monitor
	Subpixel         uint32 // as in [kms.ConnectorConfig]
	ModeFlags        uint32 // as in [kms.ConnectorConfig]
	YCbCr420         bool   // as in [kms.ConnectorConfig]
	WritebackFormats []uint32
	Properties       []Property
	Only             bool
}

// A Property is a property of an object, as drmModeGetProperty shows it.
type Property struct {
	Name  string
	Flags uint32 // uapi.ModeProp*
	// Min and Max limit a range. Of an object property, Min is the type.
	Min, Max uint64
	Enums    []kms.PropertyEnum
	Value    uint64
	Blob     []byte // the value of a blob property; nil for none
}

// kind returns the type in the flags.
func (p *Property) kind() uint32 {
	return p.Flags & (uapi.ModePropLegacyType | uapi.ModePropExtendedType)
}

// maxObjects is the limit for the objects of each kind.
const maxObjects = 32

// Validate checks that the description is whole: each object that an object
// refers to exists, and each CRTC has a primary plane. It returns all errors
// together.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := c.Bus.Validate(); err != nil {
		errs = append(errs, err)
	}
	if !isName(c.Info.Name) {
		fail("%q cannot be the name of a driver; use letters, digits, - and _", c.Info.Name)
	}
	if c.Module.Name != "" && !isName(c.Module.Name) {
		fail("%q cannot be the name of a module; use letters, digits, - and _", c.Module.Name)
	}
	for _, list := range []struct {
		kind string
		n    int
	}{{"planes", len(c.Planes)}, {"CRTCs", len(c.CRTCs)}, {"encoders", len(c.Encoders)}, {"connectors", len(c.Connectors)}} {
		if list.n < 1 || list.n > maxObjects {
			fail("%d %s, a card has 1 to %d", list.n, list.kind, maxObjects)
		}
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	crtcs, encoders := mask(len(c.CRTCs)), mask(len(c.Encoders))
	primaries := make(map[int]int)
	for i := range c.CRTCs {
		crtc := &c.CRTCs[i]
		switch {
		case crtc.Primary < 0 || crtc.Primary >= len(c.Planes):
			fail("CRTC %d has no primary plane", i)
			continue
		case crtc.Cursor >= len(c.Planes):
			fail("CRTC %d has a cursor plane that does not exist", i)
		case crtc.GammaSize < 0 || crtc.GammaSize > maxGamma || crtc.LUTSize < 0 || crtc.LUTSize > maxGamma || crtc.DegammaSize < 0 || crtc.DegammaSize > maxGamma:
			fail("CRTC %d has gamma tables of %d, %d and %d entries (limit %d)", i, crtc.GammaSize, crtc.LUTSize, crtc.DegammaSize, maxGamma)
		}
		if other, taken := primaries[crtc.Primary]; taken {
			fail("CRTCs %d and %d have the same primary plane", other, i)
		}
		primaries[crtc.Primary] = i
	}
	for i, p := range c.Planes {
		if p.PossibleCRTCs&^crtcs != 0 {
			fail("plane %d has possible_crtcs %#x, but there are %d CRTCs", i, p.PossibleCRTCs, len(c.CRTCs))
		}
		if len(p.Formats) == 0 {
			fail("plane %d has no formats", i)
		}
	}
	for i, e := range c.Encoders {
		if e.PossibleCRTCs&^crtcs != 0 || e.PossibleClones&^encoders != 0 {
			fail("encoder %d has possible_crtcs %#x and possible_clones %#x, but there are %d CRTCs and %d encoders",
				i, e.PossibleCRTCs, e.PossibleClones, len(c.CRTCs), len(c.Encoders))
		}
	}
	for i, connector := range c.Connectors {
		for _, e := range connector.PossibleEncoders {
			if e < 0 || e >= len(c.Encoders) {
				fail("connector %d has an encoder that does not exist", i)
			}
		}
	}
	return errors.Join(errs...)
}

// maxGamma limits gamma tables.
const maxGamma = 1 << 16

// mask returns n bits.
func mask(n int) uint32 { return uint32(uint64(1)<<n - 1) }

// isName reports whether text can be a name in /sys.
func isName(text string) bool {
	return text != "" && text != "." && text != ".." && !slices.ContainsFunc([]byte(text), func(c byte) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
	})
}
