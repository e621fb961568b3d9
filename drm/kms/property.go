package kms

import (
	"fmt"

	"github.com/udrm/udrm/drm/uapi"
)

// A Property is a kind of value that objects can have: struct drm_property. It
// says which values are valid. Each object that it is attached to has a value
// of its own; see [ModeConfig.AttachProperty].
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
// (drm_property_change_valid_get); see [Property.takes].
func (p *Property) allows(t *objectTable, value uint64) (ref object, ok bool) {
	if p.flags&uapi.ModePropImmutable != 0 {
		return nil, false
	}
	return p.takes(t, value)
}

// takes reports whether value is a valid value. When it is the id of a counted
// object, ref holds a reference to it, which the caller releases.
func (p *Property) takes(t *objectTable, value uint64) (ref object, ok bool) {
	switch {
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

// findProperty finds the object that a property is set to; 0 is no object. The
// kernel ignores the upper half of other numbers.
func findProperty(t *objectTable, id uint64, objectType uint32) (ref object, ok bool) {
	if id == 0 {
		return nil, true
	}
	ref = t.find(uint32(id), objectType)
	return ref, ref != nil
}

// maxPropertyName is the longest name of a property or enum value, in bytes.
const maxPropertyName = 31

// newProperty makes a property. All others end here.
func (m *ModeConfig) newProperty(name string, flags uint32, values []uint64, enums []string) *Property {
	m.checkNotInUse()
	for _, s := range append([]string{name}, enums...) {
		if len(s) > maxPropertyName {
			panic(fmt.Sprintf("kms: property %s: the name %q is longer than %d bytes", name, s, maxPropertyName))
		}
	}
	p := &Property{name: name, flags: flags, values: values, enums: enums}
	m.objects.add(&p.objectBase, p)
	return p
}

// The Create functions below make a property. flags are any of
// uapi.ModePropImmutable (clients cannot set it) and uapi.ModePropAtomic
// (clients that do not know atomic modesetting cannot see it). Ids follow the
// order of creation.

// CreateRangeProperty makes a property of numbers in [low, high].
func (m *ModeConfig) CreateRangeProperty(name string, flags uint32, low, high uint64) *Property {
	return m.newProperty(name, flags|uapi.ModePropRange, []uint64{low, high}, nil)
}

// CreateBoolProperty makes a property that is 0 or 1.
func (m *ModeConfig) CreateBoolProperty(name string, flags uint32) *Property {
	return m.CreateRangeProperty(name, flags, 0, 1)
}

// CreateSignedRangeProperty makes a property of signed numbers in [low, high].
func (m *ModeConfig) CreateSignedRangeProperty(name string, flags uint32, low, high int64) *Property {
	return m.newProperty(name, flags|uapi.ModePropSignedRange, []uint64{uint64(low), uint64(high)}, nil)
}

// CreateBlobProperty makes a property whose value is a [Blob], or none.
func (m *ModeConfig) CreateBlobProperty(name string, flags uint32) *Property {
	return m.newProperty(name, flags|uapi.ModePropBlob, nil, nil)
}

// CreateObjectProperty makes a property whose value is an object of the type,
// uapi.ModeObject*, or none.
func (m *ModeConfig) CreateObjectProperty(name string, flags, objectType uint32) *Property {
	return m.newProperty(name, flags|uapi.ModePropObject, []uint64{uint64(objectType)}, nil)
}

// A PropertyEnum is a value of an enum property, or a bit of a bitmask
// property: struct drm_prop_enum_list.
type PropertyEnum struct {
	Value uint64 // of a bitmask: the number of the bit
	Name  string
}

// CreateEnumProperty makes a property that has one of the values.
func (m *ModeConfig) CreateEnumProperty(name string, flags uint32, enums ...PropertyEnum) *Property {
	values, names := make([]uint64, len(enums)), make([]string, len(enums))
	for i, e := range enums {
		values[i], names[i] = e.Value, e.Name
	}
	return m.newProperty(name, flags|uapi.ModePropEnum, values, names)
}

// CreateBitmaskProperty makes a property that has any of the bits.
func (m *ModeConfig) CreateBitmaskProperty(name string, flags uint32, bits ...PropertyEnum) *Property {
	values, names := make([]uint64, len(bits)), make([]string, len(bits))
	for i, b := range bits {
		values[i], names[i] = b.Value, b.Name
	}
	return m.newProperty(name, flags|uapi.ModePropBitmask, values, names)
}
