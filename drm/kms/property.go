package kms

import (
	"math"

	"github.com/udrm/udrm/drm/uapi"
)

// A Property is a kind of value that objects have: struct drm_property. It
// says which values are valid; each object has a value of its own.
type Property struct {
	objectBase
	name   string
	flags  uint32   // uapi.ModeProp*
	values []uint64 // limits of a range; the type of an object; numbers of enums and bits
	enums  []string // the names of values, for enums and bitmasks
}

func (*Property) objectType() uint32 { return uapi.ModeObjectProperty }

// Name returns the name by which clients find the property.
func (p *Property) Name() string { return p.name }

func (p *Property) is(kind uint32) bool {
	if kind&uapi.ModePropExtendedType != 0 {
		return p.flags&uapi.ModePropExtendedType == kind
	}
	return p.flags&kind != 0
}

// allows reports whether a client may set the property to value
// (drm_property_change_valid_get). When value is the id of a counted object,
// ref holds a reference to it, to be released by the caller.
func (p *Property) allows(t *objectTable, value uint64) (ref object, ok bool) {
	switch {
	case p.flags&uapi.ModePropImmutable != 0:
		return nil, false
	case p.is(uapi.ModePropRange):
		return nil, value >= p.values[0] && value <= p.values[1]
	case p.is(uapi.ModePropSignedRange):
		v := int64(value)
		return nil, v >= int64(p.values[0]) && v <= int64(p.values[1])
	case p.is(uapi.ModePropBitmask):
		var mask uint64
		for _, bit := range p.values {
			mask |= 1 << bit
		}
		return nil, value&^mask == 0
	case p.is(uapi.ModePropBlob):
		return findProperty(t, value, uapi.ModeObjectBlob)
	case p.is(uapi.ModePropObject):
		return findProperty(t, value, uint32(p.values[0]))
	}
	for _, v := range p.values {
		if v == value {
			return nil, true
		}
	}
	return nil, false
}

// findProperty resolves the id that a property is set to; 0 is no object.
func findProperty(t *objectTable, id uint64, objectType uint32) (ref object, ok bool) {
	if id == 0 {
		return nil, true
	}
	if id > math.MaxUint32 {
		return nil, false
	}
	ref = t.find(uint32(id), objectType)
	return ref, ref != nil
}

// A propertyList is the properties of an object, in the order in which
// clients see them. Values that are not part of the state are kept here.
type propertyList []attached

type attached struct {
	property *Property
	value    uint64 // of immutable properties
}

func (l *propertyList) attach(p *Property, value uint64) {
	*l = append(*l, attached{p, value})
}

// find returns the property of that id, nil when the object does not have it.
func (l propertyList) find(id uint32) *Property {
	for _, a := range l {
		if a.property.id == id {
			return a.property
		}
	}
	return nil
}

// value returns the value of a property that does not change.
func (l propertyList) value(p *Property) uint64 {
	for _, a := range l {
		if a.property == p {
			return a.value
		}
	}
	return 0
}

// A propertied object has properties: a plane, CRTC or connector.
type propertied interface {
	object
	props() propertyList
	// get returns the value that the object has in s.
	get(std *standardProperties, s *State, p *Property) uint64
	// set changes the value in t. ref is the object that a property of blobs
	// or objects is set to, held by t; nil for none.
	set(std *standardProperties, t *AtomicState, p *Property, value uint64, ref object) error
}

// standardProperties are those that every device has, attached or not
// (drm_mode_create_standard_properties).
type standardProperties struct {
	edid, dpms, path, tile, linkStatus, nonDesktop, hdrOutputMetadata *Property
	planeType                                                         *Property
	srcX, srcY, srcW, srcH                                            *Property
	crtcX, crtcY, crtcW, crtcH                                        *Property
	fbID, inFenceFD, outFencePtr, crtcID, fbDamageClips               *Property
	active, modeID, vrrEnabled                                        *Property
	degammaLUT, degammaLUTSize, ctm, gammaLUT, gammaLUTSize           *Property
	inFormats, sizeHints                                              *Property
	writebackFBID, writebackPixelFormats, writebackOutFencePtr        *Property // nil without a writeback connector
}

// newProperty makes a property. It is the only place that does.
func (m *ModeConfig) newProperty(name string, flags uint32, values []uint64, enums []string) *Property {
	p := &Property{name: name, flags: flags, values: values, enums: enums}
	m.objects.add(&p.objectBase, p)
	return p
}

func (m *ModeConfig) newRange(name string, flags uint32, low, high uint64) *Property {
	return m.newProperty(name, flags|uapi.ModePropRange, []uint64{low, high}, nil)
}

func (m *ModeConfig) newBool(name string, flags uint32) *Property {
	return m.newRange(name, flags, 0, 1)
}

func (m *ModeConfig) newSignedRange(name string, flags uint32, low, high int64) *Property {
	return m.newProperty(name, flags|uapi.ModePropSignedRange, []uint64{uint64(low), uint64(high)}, nil)
}

func (m *ModeConfig) newBlobProperty(name string, flags uint32) *Property {
	return m.newProperty(name, flags|uapi.ModePropBlob, nil, nil)
}

func (m *ModeConfig) newObjectProperty(name string, flags, objectType uint32) *Property {
	return m.newProperty(name, flags|uapi.ModePropObject, []uint64{uint64(objectType)}, nil)
}

// newEnum makes an enum or bitmask property whose values count from 0.
func (m *ModeConfig) newEnum(name string, flags uint32, enums ...string) *Property {
	values := make([]uint64, len(enums))
	for i := range values {
		values[i] = uint64(i)
	}
	return m.newProperty(name, flags, values, enums)
}

// createStandardProperties makes the properties in the kernel's order, which
// gives them the kernel's ids, 1 to 31.
func (m *ModeConfig) createStandardProperties() {
	const (
		immutable = uapi.ModePropImmutable
		atomic    = uapi.ModePropAtomic
	)
	p := &m.standard
	p.edid = m.newBlobProperty("EDID", immutable)
	p.dpms = m.newEnum("DPMS", uapi.ModePropEnum, "On", "Standby", "Suspend", "Off")
	p.path = m.newBlobProperty("PATH", immutable)
	p.tile = m.newBlobProperty("TILE", immutable)
	p.linkStatus = m.newEnum("link-status", uapi.ModePropEnum, "Good", "Bad")
	p.nonDesktop = m.newBool("non-desktop", immutable)
	p.hdrOutputMetadata = m.newBlobProperty("HDR_OUTPUT_METADATA", 0)
	p.planeType = m.newEnum("type", immutable|uapi.ModePropEnum, "Overlay", "Primary", "Cursor")
	p.srcX = m.newRange("SRC_X", atomic, 0, math.MaxUint32)
	p.srcY = m.newRange("SRC_Y", atomic, 0, math.MaxUint32)
	p.srcW = m.newRange("SRC_W", atomic, 0, math.MaxUint32)
	p.srcH = m.newRange("SRC_H", atomic, 0, math.MaxUint32)
	p.crtcX = m.newSignedRange("CRTC_X", atomic, math.MinInt32, math.MaxInt32)
	p.crtcY = m.newSignedRange("CRTC_Y", atomic, math.MinInt32, math.MaxInt32)
	p.crtcW = m.newRange("CRTC_W", atomic, 0, math.MaxInt32)
	p.crtcH = m.newRange("CRTC_H", atomic, 0, math.MaxInt32)
	p.fbID = m.newObjectProperty("FB_ID", atomic, uapi.ModeObjectFB)
	p.inFenceFD = m.newSignedRange("IN_FENCE_FD", atomic, -1, math.MaxInt32)
	p.outFencePtr = m.newRange("OUT_FENCE_PTR", atomic, 0, math.MaxUint64)
	p.crtcID = m.newObjectProperty("CRTC_ID", atomic, uapi.ModeObjectCRTC)
	p.fbDamageClips = m.newBlobProperty("FB_DAMAGE_CLIPS", atomic)
	p.active = m.newBool("ACTIVE", atomic)
	p.modeID = m.newBlobProperty("MODE_ID", atomic)
	p.vrrEnabled = m.newBool("VRR_ENABLED", 0)
	p.degammaLUT = m.newBlobProperty("DEGAMMA_LUT", 0)
	p.degammaLUTSize = m.newRange("DEGAMMA_LUT_SIZE", immutable, 0, math.MaxUint32)
	p.ctm = m.newBlobProperty("CTM", 0)
	p.gammaLUT = m.newBlobProperty("GAMMA_LUT", 0)
	p.gammaLUTSize = m.newRange("GAMMA_LUT_SIZE", immutable, 0, math.MaxUint32)
	p.inFormats = m.newBlobProperty("IN_FORMATS", immutable)
	p.sizeHints = m.newBlobProperty("SIZE_HINTS", immutable)
}

// createWritebackProperties makes those that only writeback connectors have.
func (m *ModeConfig) createWritebackProperties() {
	p := &m.standard
	if p.writebackFBID != nil {
		return
	}
	p.writebackFBID = m.newObjectProperty("WRITEBACK_FB_ID", uapi.ModePropAtomic, uapi.ModeObjectFB)
	p.writebackPixelFormats = m.newBlobProperty("WRITEBACK_PIXEL_FORMATS", uapi.ModePropAtomic|uapi.ModePropImmutable)
	p.writebackOutFencePtr = m.newRange("WRITEBACK_OUT_FENCE_PTR", uapi.ModePropAtomic, 0, math.MaxUint64)
}
