package config

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// The standard properties that a description can ask for, by kind of object, as
// the kernel makes them.
var (
	planeProperties = []lookalike.Property{
		bitmask("rotation", 1),
		limited("alpha", 0, kms.AlphaOpaque, kms.AlphaOpaque),
		enum("pixel blend mode"),
		limited("zpos", 0, math.MaxUint8, 0),
		enum("COLOR_ENCODING"),
		enum("COLOR_RANGE"),
		enum("SCALING_FILTER"),
		{Name: "FB_DAMAGE_CLIPS", Flags: uapi.ModePropBlob | uapi.ModePropAtomic},
	}
	crtcProperties = []lookalike.Property{
		enum("SCALING_FILTER"),
		limited("BACKGROUND_COLOR", 0, math.MaxUint64, 0xffff<<48),
		limited("SHARPNESS_STRENGTH", 0, math.MaxUint8, 0),
	}
	connectorProperties = []lookalike.Property{
		{Name: "HDR_OUTPUT_METADATA", Flags: uapi.ModePropBlob},
		enum("Colorspace"), // a connector without a list has those of its type
		limited("max bpc", 8, 16, 16),
		enum("content type"),
		enum("Broadcast RGB"),
		enum("aspect ratio"),
		immutable(enum("panel orientation")),
		enum("scaling mode"),
		enum("underscan"),
		limited("underscan hborder", 0, 128, 0), limited("underscan vborder", 0, 128, 0),
		limited("left margin", 0, 100, 0), limited("right margin", 0, 100, 0),
		limited("top margin", 0, 100, 0), limited("bottom margin", 0, 100, 0),
		enum("TV mode"),
		limited("brightness", 0, 100, 0), limited("contrast", 0, 100, 0), limited("flicker reduction", 0, 100, 0),
		limited("overscan", 0, 100, 0), limited("saturation", 0, 100, 0), limited("hue", 0, 100, 0),
		immutable(lookalike.Property{Name: "subconnector", Flags: uapi.ModePropEnum, Enums: anySubconnector()}),
		immutable(limited("vrr_capable", 0, 1, 0)),
		enum("privacy-screen sw-state"),
		immutable(enum("privacy-screen hw-state")),
		enum("Content Protection"),
		enum("HDCP Content Type"),
		immutable(enum("panel_type")),
		immutable(limited("suggested X", 0, math.MaxUint32, 0)), immutable(limited("suggested Y", 0, math.MaxUint32, 0)),
		{Name: "PATH", Flags: uapi.ModePropBlob | uapi.ModePropImmutable},
	}
)

// anySubconnector returns the values of "subconnector" on connectors of any type.
func anySubconnector() (enums []kms.PropertyEnum) {
	for _, connector := range []uint32{uapi.ModeConnectorDVII, uapi.ModeConnectorDisplayPort, uapi.ModeConnectorTV} {
		for _, e := range kms.Subconnectors(connector) {
			if !slices.Contains(enums, e) {
				enums = append(enums, e)
			}
		}
	}
	return enums
}

// subconnector leaves the values that a connector of the type has. n is what the
// file says of the connector.
func (r *reader) subconnector(n *yaml.Node, path string, connectorType uint32, list []lookalike.Property) {
	for i := range list {
		p := &list[i]
		if p.Name != "subconnector" || !slices.Equal(p.Enums, anySubconnector()) {
			continue
		}
		p.Enums = kms.Subconnectors(connectorType)
		if !slices.ContainsFunc(p.Enums, func(e kms.PropertyEnum) bool { return e.Value == p.Value }) {
			r.fail(n, path+"/properties/subconnector", "a connector of this type has no such subconnector; write one of %s", strings.Join(enumNames(p.Enums), ", "))
		}
	}
}

func limited(name string, low, high, value uint64) lookalike.Property {
	return lookalike.Property{Name: name, Flags: uapi.ModePropRange, Min: low, Max: high, Value: value}
}

// enum returns the standard property of that name with all values.
func enum(name string) lookalike.Property {
	p := lookalike.Property{Name: name, Flags: uapi.ModePropEnum}
	for i, word := range kms.StandardValues(name) {
		p.Enums = append(p.Enums, kms.PropertyEnum{Value: uint64(i), Name: word})
	}
	return p
}

func bitmask(name string, value uint64) lookalike.Property {
	p := enum(name)
	p.Flags, p.Value = uapi.ModePropBitmask, value
	return p
}

func immutable(p lookalike.Property) lookalike.Property {
	p.Flags |= uapi.ModePropImmutable
	return p
}

// properties reads the properties of an object. known are the standard ones of
// such objects.
func (r *reader) properties(n *yaml.Node, path string, known []lookalike.Property) (list []lookalike.Property) {
	for _, e := range r.entries(n, path) {
		i := slices.IndexFunc(known, func(p lookalike.Property) bool { return p.Name == e.name })
		var p lookalike.Property
		if i >= 0 {
			p = known[i]
			p.Enums = slices.Clone(p.Enums)
		}
		if r.property(e, i >= 0, &p) {
			p.Name = e.name
			list = append(list, p)
		}
	}
	return list
}

// maxPropertyName is the length of the longest name of a property or value.
const maxPropertyName = 31

// property reads one property: nothing for the standard one, a list for some of
// its values, a word for its first value, or a mapping. It reports whether it
// has found no error.
func (r *reader) property(e entry, standard bool, p *lookalike.Property) bool {
	before := len(r.errs)
	if len(e.name) > maxPropertyName {
		r.fail(e.key, e.path, "the name has %d characters (limit %d)", len(e.name), maxPropertyName)
	}
	v := resolved(e.value)
	switch {
	case v.Tag == "!!null" && standard:
	case v.Tag == "!!null":
		r.fail(e.key, e.path, "%v", errNoValue)
	case v.Kind == yaml.SequenceNode:
		r.values(v, e.path, standard, p)
	case v.Kind == yaml.MappingNode:
		r.propertyMapping(e, standard, p)
	case !standard:
		r.fail(e.value, e.path, "%v", errNoValue)
	default:
		r.value(v, e.path, p)
		if e.name == "zpos" { // a plane that stays where it is
			p.Min, p.Max = p.Value, p.Value
			p.Flags |= uapi.ModePropImmutable
		}
	}
	return len(r.errs) == before
}

const propertyKinds = uapi.ModePropLegacyType | uapi.ModePropExtendedType

// values reads a list of the values of an enum or bitmask.
func (r *reader) values(n *yaml.Node, path string, standard bool, p *lookalike.Property) {
	kind := p.Flags & propertyKinds
	if standard && kind != uapi.ModePropEnum && kind != uapi.ModePropBitmask {
		r.fail(n, path, "the property has no list of values; remove it")
		return
	}
	var enums []kms.PropertyEnum
	before := len(r.errs)
	for i, item := range r.items(n, path) {
		e := kms.PropertyEnum{Value: uint64(i), Name: item.Value}
		if standard {
			at := slices.IndexFunc(p.Enums, func(k kms.PropertyEnum) bool { return k.Name == item.Value })
			if at < 0 {
				r.fail(item, path, "%q is not a value of the property; %s", item.Value, suggest(item.Value, enumNames(p.Enums)))
				continue
			}
			e = p.Enums[at]
		}
		switch {
		case len(e.Name) > maxPropertyName || e.Name == "":
			r.fail(item, path, "%q is not a name of 1 to %d characters", e.Name, maxPropertyName)
		case slices.ContainsFunc(enums, func(k kms.PropertyEnum) bool { return k.Name == e.Name }):
			r.fail(item, path, "%s is listed twice", e.Name)
		default:
			enums = append(enums, e)
		}
	}
	if len(r.errs) > before {
		return
	}
	if len(enums) == 0 || len(enums) > 64 {
		r.fail(n, path, "%d values, a property has 1 to 64", len(enums))
		return
	}
	slices.SortFunc(enums, func(a, b kms.PropertyEnum) int { return int(a.Value) - int(b.Value) })
	if !standard && kind == 0 {
		p.Flags |= uapi.ModePropEnum
	}
	p.Enums = enums
	if !slices.ContainsFunc(enums, func(k kms.PropertyEnum) bool { return k.Value == p.Value }) && p.Flags&propertyKinds == uapi.ModePropEnum {
		p.Value = enums[0].Value
	}
}

func enumNames(enums []kms.PropertyEnum) (names []string) {
	for _, e := range enums {
		names = append(names, e.Name)
	}
	return names
}

// value reads the first value of a property.
func (r *reader) value(n *yaml.Node, path string, p *lookalike.Property) {
	text, ok := r.scalar(n, path)
	if !ok {
		return
	}
	switch p.Flags & propertyKinds {
	case uapi.ModePropEnum, uapi.ModePropBitmask:
		i := slices.IndexFunc(p.Enums, func(e kms.PropertyEnum) bool { return e.Name == text })
		if i < 0 {
			r.fail(n, path, "%q is not a value of the property; %s", text, suggest(text, enumNames(p.Enums)))
			return
		}
		p.Value = p.Enums[i].Value
		if p.Flags&propertyKinds == uapi.ModePropBitmask {
			p.Value = 1 << p.Value
		}
	case uapi.ModePropSignedRange:
		v, err := strconv.ParseInt(text, 0, 64)
		if err != nil || v < int64(p.Min) || v > int64(p.Max) {
			r.fail(n, path, "%q is not a number from %d to %d", text, int64(p.Min), int64(p.Max))
			return
		}
		p.Value = uint64(v)
	case uapi.ModePropBlob:
		p.Blob = []byte(text)
	default:
		v, err := strconv.ParseUint(text, 0, 64)
		if err != nil || v < p.Min || v > p.Max {
			r.fail(n, path, "%q is not a number from %d to %d", text, p.Min, p.Max)
			return
		}
		p.Value = v
	}
}

// propertyMapping reads a property that is described by attributes.
func (r *reader) propertyMapping(e entry, standard bool, p *lookalike.Property) {
	var value *yaml.Node
	var valuePath string
	kind := func(flag uint32, read func(n *yaml.Node, path string)) func(*yaml.Node, string) {
		return func(n *yaml.Node, path string) {
			switch now := p.Flags & propertyKinds; {
			case now != 0 && now != flag && standard:
				r.fail(n, path, "property %s has another type in the kernel; leave the type out", e.name)
				return
			case now != 0 && !standard:
				r.fail(n, path, "the property has a type already; remove one")
				return
			}
			p.Flags = p.Flags&^propertyKinds | flag
			read(n, path)
		}
	}
	flag := func(bit uint32) func(*yaml.Node, string) {
		return func(n *yaml.Node, path string) {
			set := p.Flags&bit != 0
			r.bool(n, path, &set)
			p.Flags &^= bit
			if set {
				p.Flags |= bit
			}
		}
	}
	limits := func(signed bool) func(*yaml.Node, string) {
		return func(n *yaml.Node, path string) { r.limits(n, path, signed, p) }
	}
	r.mapping(e.value, e.path, fields{
		"range":        kind(uapi.ModePropRange, limits(false)),
		"signed_range": kind(uapi.ModePropSignedRange, limits(true)),
		"enum":         kind(uapi.ModePropEnum, func(n *yaml.Node, path string) { r.values(n, path, standard, p) }),
		"bitmask":      kind(uapi.ModePropBitmask, func(n *yaml.Node, path string) { r.values(n, path, standard, p) }),
		"blob":         kind(uapi.ModePropBlob, func(n *yaml.Node, path string) { r.value(n, path, p) }),
		"immutable":    flag(uapi.ModePropImmutable),
		"atomic":       flag(uapi.ModePropAtomic),
		"value":        func(n *yaml.Node, path string) { value, valuePath = n, path },
	})
	switch {
	case p.Flags&propertyKinds == 0:
		r.fail(e.key, e.path, "%v", errNoValue)
	case value != nil:
		r.value(value, valuePath, p)
	}
}

// limits reads the limits of a range.
func (r *reader) limits(n *yaml.Node, path string, signed bool, p *lookalike.Property) {
	items := r.items(n, path)
	if len(items) != 2 {
		r.fail(n, path, "expected the smallest and the largest value; write [0, 100]")
		return
	}
	var limits [2]uint64
	for i, item := range items {
		var err error
		if signed {
			var v int64
			v, err = strconv.ParseInt(item.Value, 0, 64)
			limits[i] = uint64(v)
		} else {
			limits[i], err = strconv.ParseUint(item.Value, 0, 64)
		}
		if err != nil {
			r.fail(item, path, "%q is not a number of 64 bits", item.Value)
			return
		}
	}
	p.Min, p.Max = limits[0], limits[1]
	if signed && int64(p.Min) > int64(p.Max) || !signed && p.Min > p.Max {
		r.fail(n, path, "the smallest value is larger than the largest")
		return
	}
	if signed {
		p.Value = uint64(min(max(int64(p.Value), int64(p.Min)), int64(p.Max)))
	} else {
		p.Value = min(max(p.Value, p.Min), p.Max)
	}
}
