package lookalike

import (
	"fmt"
	"slices"

	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// properties makes the properties of a display. Objects with the same property
// share it, as in most drivers.
type properties struct {
	display   *kms.ModeConfig
	byContent map[string]*kms.Property
}

// attachAll attaches the properties that o does not have yet. With only, it hides
// those that are not in the list.
func (m *properties) attachAll(o kms.Object, list []Property, only bool) {
	for _, name := range kms.PropertyNames(o) {
		if only && !slices.ContainsFunc(list, func(p Property) bool { return p.Name == name }) {
			m.display.DetachProperty(o, name)
		}
	}
	for i := range list {
		if !slices.Contains(kms.PropertyNames(o), list[i].Name) {
			m.attach(o, &list[i])
		}
	}
}

// attachPlane is attachAll for a plane, some of whose properties have functions
// of their own in package kms.
func (m *properties) attachPlane(plane *kms.Plane, p *Plane) {
	for i := range p.Properties {
		property := &p.Properties[i]
		if slices.Contains(kms.PropertyNames(plane), property.Name) {
			continue
		}
		switch property.Name {
		case "rotation":
			if names, ok := property.mask(); ok && property.kind() == uapi.ModePropBitmask && names&uapi.ModeRotate0 != 0 {
				plane.CreateRotationProperty(names)
			}
		case "alpha":
			if property.kind() == uapi.ModePropRange && property.Min == 0 && property.Max == kms.AlphaOpaque {
				plane.CreateAlphaProperty()
			}
		case "pixel blend mode":
			if modes, ok := property.mask(); ok && property.kind() == uapi.ModePropEnum && modes&(1<<kms.BlendPremultiplied) != 0 {
				plane.CreateBlendModeProperty(modes)
			}
		case "zpos":
			fixed := property.Flags&uapi.ModePropImmutable != 0
			if property.kind() == uapi.ModePropRange && property.Max <= maxZpos && fixed == (property.Min == property.Max) &&
				property.Value >= property.Min && property.Value <= property.Max {
				plane.CreateZposProperty(uint32(property.Value), uint32(property.Min), uint32(property.Max))
			}
		case "COLOR_ENCODING":
			m.attachColor(plane, p, property)
		case "SCALING_FILTER":
			if filters, ok := property.filters(); ok {
				plane.CreateScalingFilterProperty(filters)
			}
		case "FB_DAMAGE_CLIPS":
			if property.kind() == uapi.ModePropBlob {
				plane.EnableFBDamageClips()
			}
		}
		plane.SetInitial(property.Name, property.Value)
	}
	m.attachAll(plane, p.Properties, p.Only)
}

// maxZpos limits the property zpos.
const maxZpos = 1 << 16

// attachColor attaches COLOR_ENCODING and COLOR_RANGE.
func (m *properties) attachColor(plane *kms.Plane, p *Plane, encoding *Property) {
	i := slices.IndexFunc(p.Properties, func(other Property) bool { return other.Name == "COLOR_RANGE" })
	if i < 0 {
		return
	}
	colorRange := &p.Properties[i]
	encodings, ok := encoding.mask()
	ranges, rangesOK := colorRange.mask()
	if ok && rangesOK && encodings&(1<<encoding.Value) != 0 && ranges&(1<<colorRange.Value) != 0 {
		plane.CreateColorProperties(encodings, ranges, uint32(encoding.Value), uint32(colorRange.Value))
	}
}

// mask returns one bit for each value of an enum or bitmask. ok is false if a
// value has another name than the kernel gives it in the property of that name.
func (p *Property) mask() (mask uint32, ok bool) {
	names := kms.StandardValues(p.Name)
	for _, e := range p.Enums {
		if e.Value >= uint64(len(names)) || names[e.Value] != e.Name {
			return 0, false
		}
		mask |= 1 << e.Value
	}
	return mask, len(p.Enums) > 0
}

// attach attaches a property that keeps what clients set.
func (m *properties) attach(o kms.Object, p *Property) {
	if !p.valid() {
		return
	}
	config := kms.PropertyConfig{Initial: p.Value}
	switch p.kind() {
	case uapi.ModePropBlob:
		config.Initial, config.InitialBlob = 0, p.Blob
	case uapi.ModePropObject:
		config.Initial = 0
	}
	m.display.AttachProperty(o, m.property(p), config)
}

// The longest names of properties and their values, and the largest number of
// values.
const (
	maxName  = 31
	maxEnums = 256
)

// valid reports whether a device can have the property.
func (p *Property) valid() bool {
	if len(p.Name) > maxName || p.Name == "" || len(p.Enums) > maxEnums {
		return false
	}
	var bits uint64
	for _, e := range p.Enums {
		if len(e.Name) > maxName {
			return false
		}
		if e.Value < 64 {
			bits |= 1 << e.Value
		}
	}
	switch p.kind() {
	case uapi.ModePropRange:
		return p.Min <= p.Value && p.Value <= p.Max
	case uapi.ModePropSignedRange:
		return int64(p.Min) <= int64(p.Value) && int64(p.Value) <= int64(p.Max)
	case uapi.ModePropEnum:
		return slices.ContainsFunc(p.Enums, func(e kms.PropertyEnum) bool { return e.Value == p.Value })
	case uapi.ModePropBitmask:
		return p.Value&^bits == 0 && !slices.ContainsFunc(p.Enums, func(e kms.PropertyEnum) bool { return e.Value >= 64 })
	case uapi.ModePropBlob, uapi.ModePropObject:
		return true
	}
	return false
}

// property returns the property with the content of p.
func (m *properties) property(p *Property) *kms.Property {
	key := fmt.Sprint(p.Name, p.Flags, p.Min, p.Max, p.Enums)
	if m.byContent[key] == nil {
		m.byContent[key] = m.create(p)
	}
	return m.byContent[key]
}

func (m *properties) create(p *Property) *kms.Property {
	flags := p.Flags & (uapi.ModePropImmutable | uapi.ModePropAtomic)
	switch p.kind() {
	case uapi.ModePropRange:
		return m.display.CreateRangeProperty(p.Name, flags, p.Min, p.Max)
	case uapi.ModePropSignedRange:
		return m.display.CreateSignedRangeProperty(p.Name, flags, int64(p.Min), int64(p.Max))
	case uapi.ModePropEnum:
		return m.display.CreateEnumProperty(p.Name, flags, p.Enums...)
	case uapi.ModePropBitmask:
		return m.display.CreateBitmaskProperty(p.Name, flags, p.Enums...)
	case uapi.ModePropObject:
		return m.display.CreateObjectProperty(p.Name, flags, uint32(p.Min))
	}
	return m.display.CreateBlobProperty(p.Name, flags)
}
