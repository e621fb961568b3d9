package kms

import (
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"math/bits"

	"github.com/udrm/udrm/drm/uapi"
)

// The Create functions below add standard properties to a plane, in the order
// in which clients see them. Without one, the state has its default.

// CreateRotationProperty lets the plane be rotated and reflected. supported has
// bits uapi.ModeRotate* and uapi.ModeReflect*; the plane begins with
// uapi.ModeRotate0 (drm_plane_create_rotation_property).
func (p *Plane) CreateRotationProperty(supported uint32) {
	p.rotation = p.display.CreateBitmaskProperty("rotation", 0, standardEnums("rotation", supported|uapi.ModeRotate0)...)
	p.properties.attach(p.rotation, 0)
}

func (p *Plane) setRotation(s *PlaneState, value uint64) error {
	if bits.OnesCount32(uint32(value)&uapi.ModeRotateMask) != 1 {
		return invalid("rotation %#x of plane %d: it must have exactly one angle", value, p.id)
	}
	s.Rotation = uint32(value)
	return nil
}

// AlphaOpaque is the alpha of a plane that is not translucent
// (DRM_BLEND_ALPHA_OPAQUE).
const AlphaOpaque = math.MaxUint16

// CreateAlphaProperty lets the plane be translucent as a whole; it begins with
// [AlphaOpaque] (drm_plane_create_alpha_property).
func (p *Plane) CreateAlphaProperty() {
	p.alpha = p.display.CreateRangeProperty("alpha", 0, 0, AlphaOpaque)
	p.properties.attach(p.alpha, 0)
}

// A BlendMode says how the alpha of pixels counts: DRM_MODE_BLEND_*.
type BlendMode uint8

const (
	BlendPremultiplied BlendMode = iota // colours are multiplied by alpha already
	BlendCoverage                       // colours are to be multiplied by alpha
	BlendPixelNone                      // alpha is ignored
)

// CreateBlendModeProperty offers the modes, one bit each: 1<<BlendCoverage and
// so on. The plane begins with [BlendPremultiplied], which must be among them
// (drm_plane_create_blend_mode_property).
func (p *Plane) CreateBlendModeProperty(modes uint32) {
	if modes&(1<<BlendPremultiplied) == 0 {
		panic("kms: blend modes without BlendPremultiplied")
	}
	var enums []PropertyEnum
	for _, blend := range []BlendMode{BlendPixelNone, BlendPremultiplied, BlendCoverage} { // in the kernel's order
		enums = append(enums, standardEnums("pixel blend mode", modes&(1<<blend))...)
	}
	p.blendMode = p.display.CreateEnumProperty("pixel blend mode", 0, enums...)
	p.properties.attach(p.blendMode, 0)
}

// CreateZposProperty gives the plane a position in the stack of planes, zpos
// at first, that clients may change within [low, high]
// (drm_plane_create_zpos_property). If low equals high, they can only read it
// (drm_plane_create_zpos_immutable_property).
//
// The plane with the lowest zpos is at the bottom; of planes with the same, the
// one with the lower id. When no plane of the device has the property, primary
// planes are at the bottom and cursors on top.
func (p *Plane) CreateZposProperty(zpos, low, high uint32) {
	if zpos < low || zpos > high {
		panic(fmt.Sprintf("kms: zpos %d is not in [%d, %d]", zpos, low, high))
	}
	var flags uint32
	if low == high {
		flags = uapi.ModePropImmutable
	}
	p.zpos = p.display.CreateRangeProperty("zpos", flags, uint64(low), uint64(high))
	p.initial.Zpos = zpos
	p.properties.attach(p.zpos, 0)
	p.display.hasZpos = true
}

// CreateColorProperties lets clients say how YUV formats of the plane are
// encoded. The masks have one bit for each value of COLOR_ENCODING and
// COLOR_RANGE: 1<<ColorBT709 and so on. encoding and colorRange are the
// first values (drm_plane_create_color_properties).
func (p *Plane) CreateColorProperties(encodings, ranges, encoding, colorRange uint32) {
	p.colorEncoding = p.display.CreateEnumProperty("COLOR_ENCODING", 0, standardEnums("COLOR_ENCODING", encodings)...)
	p.colorRange = p.display.CreateEnumProperty("COLOR_RANGE", 0, standardEnums("COLOR_RANGE", ranges)...)
	p.initial.ColorEncoding, p.initial.ColorRange = encoding, colorRange
	p.properties.attach(p.colorEncoding, 0)
	p.properties.attach(p.colorRange, 0)
}

// A ScalingFilter is a value of the property SCALING_FILTER: how pixels are made
// where a picture is scaled (enum drm_scaling_filter).
type ScalingFilter uint8

const (
	FilterDefault ScalingFilter = iota // bilinear
	FilterNearest                      // the nearest pixel
)

// scalingFilterProperty makes a property SCALING_FILTER with the filters, one
// bit each.
func (m *ModeConfig) scalingFilterProperty(filters uint32) *Property {
	return m.CreateEnumProperty("SCALING_FILTER", 0,
		standardEnums("SCALING_FILTER", filters|1<<FilterDefault)...)
}

// CreateScalingFilterProperty lets clients choose how the plane is scaled:
// filters has a bit for each choice, 1<<FilterNearest and so on. The plane
// begins with [FilterDefault]. Without the property, it takes the nearest pixel
// (drm_plane_create_scaling_filter_property).
func (p *Plane) CreateScalingFilterProperty(filters uint32) {
	p.scalingFilter = p.display.scalingFilterProperty(filters)
	p.properties.attach(p.scalingFilter, 0)
}

// CreateHotspotProperties gives a cursor plane HOTSPOT_X and HOTSPOT_Y, the
// pixel that points. The driver must offer [drm.FeatureCursorHotspot]: with it,
// atomic clients see cursor planes only if they have set
// DRM_CLIENT_CAP_CURSOR_PLANE_HOTSPOT.
func (p *Plane) CreateHotspotProperties() {
	if p.config.Type != uapi.PlaneTypeCursor {
		panic(fmt.Sprintf("kms: plane %d is no cursor, so it has no hotspot", p.id))
	}
	p.hotspotX = p.display.CreateSignedRangeProperty("HOTSPOT_X", 0, math.MinInt32, math.MaxInt32)
	p.hotspotY = p.display.CreateSignedRangeProperty("HOTSPOT_Y", 0, math.MinInt32, math.MaxInt32)
	p.properties.attach(p.hotspotX, 0)
	p.properties.attach(p.hotspotY, 0)
}

// AddSizeHintsProperty recommends sizes for the framebuffers of the plane, the
// best one first: SIZE_HINTS (drm_plane_add_size_hints_property).
func (p *Plane) AddSizeHintsProperty(hints ...image.Point) {
	var data []byte // struct drm_plane_size_hint
	for _, h := range hints {
		data = binary.NativeEndian.AppendUint16(data, uint16(h.X))
		data = binary.NativeEndian.AppendUint16(data, uint16(h.Y))
	}
	p.attachStandard(p.display.standard.sizeHints, blobID(p.display.newBlob(data)))
}

// SetInitial makes rotation, alpha, "pixel blend mode" or SCALING_FILTER begin with
// value. It does nothing without the property, or for a value that it does not have.
func (p *Plane) SetInitial(name string, value uint64) {
	p.display.checkNotInUse()
	for _, property := range []*Property{p.rotation, p.alpha, p.blendMode, p.scalingFilter} {
		if property == nil || property.name != name {
			continue
		}
		if _, ok := property.takes(&p.display.objects, value); !ok {
			return
		}
		switch property {
		case p.rotation:
			_ = p.setRotation(&p.initial, value)
		case p.alpha:
			p.initial.Alpha = uint16(value)
		case p.blendMode:
			p.initial.BlendMode = BlendMode(value)
		case p.scalingFilter:
			p.initial.ScalingFilter = ScalingFilter(value)
		}
	}
}

// initialState returns the state of a plane that shows nothing yet.
func (p *Plane) initialState() PlaneState {
	s := p.initial
	s.properties = p.properties.initial()
	return s
}
