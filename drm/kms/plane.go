package kms

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// A Plane shows one framebuffer on a CRTC: struct drm_plane.
type Plane struct {
	objectBase
	index   int
	config  PlaneConfig
	display *ModeConfig

	properties propertyList

	// Standard properties that the driver has created, else nil.
	rotation, alpha, blendMode, zpos *Property
	colorEncoding, colorRange        *Property
	scalingFilter                    *Property
	hotspotX, hotspotY               *Property
	colorPipeline                    *Property

	initial PlaneState // without the driver's properties
}

// A PlaneConfig describes a plane. It must not be changed once it is used.
type PlaneConfig struct {
	Type          int      // uapi.PlaneType*
	PossibleCRTCs uint32   // one bit for each CRTC, by index
	Formats       []uint32 // in the order of preference
	Modifiers     []uint64 // each goes with each format, unless Supports says no
	// Supports says which formats go with a modifier of Modifiers
	// (format_mod_supported); nil: all of them.
	Supports func(format uint32, modifier uint64) bool

	// AsyncFormats and AsyncModifiers are those of framebuffers that an async
	// flip may show: IN_FORMATS_ASYNC. Without AsyncModifiers, an async flip may
	// show any framebuffer, and clients do not see the property.
	AsyncFormats   []uint32
	AsyncModifiers []uint64

	// What follows is what drm_atomic_helper_check_plane_state takes.

	// MinScale and MaxScale limit how many pixels of the framebuffer make one
	// on the CRTC, in 1/65536, each way: 1<<15 enlarges to the double. 0 stands
	// for [NoScaling]. A change beyond is ERANGE.
	MinScale, MaxScale uint32
	// MustCover refuses to show less than the whole CRTC: EINVAL (the opposite
	// of can_position).
	MustCover bool
	// NeedsEnabled refuses a framebuffer while the CRTC is disabled: EINVAL (the
	// opposite of can_update_disabled).
	NeedsEnabled bool
}

// NoScaling is the scale of a plane that shows each pixel as one
// (DRM_PLANE_NO_SCALING).
const NoScaling = 1 << 16

// AddPlane adds a plane. Planes come first: a CRTC needs its primary.
func (m *ModeConfig) AddPlane(config PlaneConfig) *Plane {
	p := m.newPlane(config)
	m.objects.add(&p.objectBase, p)
	p.attachAll()
	return p
}

// newPlane adds a plane without an id and without properties: clients cannot find
// it.
func (m *ModeConfig) newPlane(config PlaneConfig) *Plane {
	m.checkAdd("planes", len(m.planes))
	config.MinScale = cmp.Or(config.MinScale, NoScaling)
	config.MaxScale = cmp.Or(config.MaxScale, NoScaling)
	p := &Plane{index: len(m.planes), config: config, display: m, initial: PlaneState{Rotation: uapi.ModeRotate0, Alpha: AlphaOpaque}}
	m.planes = append(m.planes, p)
	return p
}

// attachAll attaches the properties that every plane has, and those that its
// configuration asks for.
func (p *Plane) attachAll() {
	m, config := p.display, &p.config
	s := &m.standard
	p.properties.attach(s.planeType, uint64(config.Type))
	for _, property := range []*Property{
		s.fbID, s.inFenceFD, s.crtcID, s.crtcX, s.crtcY, s.crtcW, s.crtcH, s.srcX, s.srcY, s.srcW, s.srcH,
	} {
		p.properties.attach(property, 0)
	}
	if len(config.Modifiers) > 0 && !m.config.Limits.NoModifiers {
		p.properties.attach(s.inFormats, blobID(m.newBlob(formatBlob(config.Formats, config.Modifiers, config.allows))))
	}
	if len(config.AsyncModifiers) > 0 {
		if s.inFormatsAsync == nil {
			s.inFormatsAsync = m.newInFormatsAsync()
		}
		p.properties.attach(s.inFormatsAsync, blobID(m.newBlob(formatBlob(config.AsyncFormats, config.AsyncModifiers, config.allows))))
	}
}

// attachStandard adds a standard property of the device to the plane.
func (p *Plane) attachStandard(property *Property, value uint64) {
	p.display.checkNotInUse()
	if p.properties.lookup(property) != nil {
		panic(fmt.Sprintf("kms: plane %d has property %s already", p.id, property.name))
	}
	p.properties.attach(property, value)
}

// formatBlob encodes struct drm_format_modifier_blob with its arrays. A modifier
// names its formats in masks of 64.
func formatBlob(formats []uint32, modifiers []uint64, allows func(format uint32, modifier uint64) bool) []byte {
	const headerSize = 24
	formatsSize := (4*len(formats) + 7) &^ 7
	masks := (len(formats) + 63) / 64
	data, _ := binary.Append(nil, binary.NativeEndian, uapi.FormatModifierBlob{
		Version:         uapi.FormatBlobCurrent,
		CountFormats:    uint32(len(formats)),
		FormatsOffset:   headerSize,
		CountModifiers:  uint32(masks * len(modifiers)),
		ModifiersOffset: uint32(headerSize + formatsSize),
	})
	for _, f := range formats {
		data = binary.NativeEndian.AppendUint32(data, f)
	}
	for len(data) < headerSize+formatsSize {
		data = append(data, 0)
	}
	for _, modifier := range modifiers {
		for i := range masks {
			var mask uint64
			for bit, format := range formats[64*i : min(64*i+64, len(formats))] {
				if allows(format, modifier) {
					mask |= 1 << bit
				}
			}
			data, _ = binary.Append(data, binary.NativeEndian, uapi.FormatModifier{
				Formats:  mask,
				Offset:   uint32(64 * i),
				Modifier: modifier,
			})
		}
	}
	return data
}

func (*Plane) objectType() uint32 { return uapi.ModeObjectPlane }

func (m *ModeConfig) findPlane(f *drm.File, id uint32) (*Plane, error) {
	if p, ok := findFor[*Plane](m, f, id, uapi.ModeObjectPlane); ok {
		return p, nil
	}
	return nil, notFound("plane", id)
}

func (p *Plane) props() *propertyList             { return &p.properties }
func (p *Plane) values(s *State) *[]propertyValue { return &s.planes[p.index].properties }
func (p *Plane) touch(a *AtomicState)             { a.plane(p) }

// Index returns the position of the plane among the planes of its device.
func (p *Plane) Index() int { return p.index }

// Type returns the type of the plane: uapi.PlaneTypePrimary and so on.
func (p *Plane) Type() int { return p.config.Type }

// supports reports whether the plane can show the format with the modifier.
func (p *Plane) supports(format uint32, modifier uint64) bool {
	if !slices.Contains(p.config.Formats, format) {
		return false
	}
	if len(p.config.Modifiers) == 0 {
		return modifier == uapi.FormatModLinear
	}
	return slices.Contains(p.config.Modifiers, modifier) && p.config.allows(format, modifier)
}

// allows reports whether a format goes with a modifier.
func (c *PlaneConfig) allows(format uint32, modifier uint64) bool {
	return c.Supports == nil || c.Supports(format, modifier)
}

// supportsAsync reports whether an async flip can show the format with the
// modifier.
func (p *Plane) supportsAsync(format uint32, modifier uint64) bool {
	return len(p.config.AsyncModifiers) == 0 ||
		slices.Contains(p.config.AsyncFormats, format) && slices.Contains(p.config.AsyncModifiers, modifier)
}

func (p *Plane) possible(c *CRTC) bool { return p.config.PossibleCRTCs&(1<<c.index) != 0 }
