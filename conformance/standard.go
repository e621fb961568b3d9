package conformance

import (
	"encoding/binary"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// standardCases are about standard properties, one or more for each.
var standardCases = slices.Concat(standardPlaneCases, standardCRTCCases, standardConnectorCases, standardColorCases)

// propertyNames returns the names of the properties that an atomic client sees of
// the first display: those that [tester.ShowHolder] finds.
func propertyNames(t *tester) map[string]bool {
	defer t.end()
	names := make(map[string]bool)
	for _, pipelines := range []bool{false, true} {
		f := t.Open()
		for _, c := range []uint64{uapi.ClientCapUniversalPlanes, uapi.ClientCapAtomic, uapi.ClientCapCursorPlaneHotspot} {
			_ = f.SetClientCap(c, 1) // more properties, if supported
		}
		if pipelines { // other properties
			_ = f.SetClientCap(uapi.ClientCapPlaneColorPipeline, 1)
		}
		d, err := f.Client.Display()
		if err != nil {
			return names
		}
		planes, err := f.Planes()
		t.Must("GETPLANERESOURCES", err)
		planes = slices.DeleteFunc(planes, func(id uint32) bool { return f.MustPlane(id).PossibleCRTCs&(1<<d.Pipe) == 0 })
		for _, id := range append(planes, d.CRTC, d.Connector.ID) {
			for name := range f.MustProperties(id, uapi.ModeObjectAny) {
				names[name] = true
			}
		}
	}
	return names
}

// A holder is an object of a scene that has a property, and the property.
type holder struct {
	s        *scene
	object   uint32
	property property
}

// ShowHolder enables the first display and finds the object that has the
// property: a plane that its CRTC can use, the CRTC, or the connector. Of
// planes, the primary comes first. The client has caps, if the device knows
// them. The case ends without one.
func (t *tester) ShowHolder(name string, caps ...uint64) holder {
	t.Helper()
	s := t.ShowScene()
	for _, c := range append(caps, uapi.ClientCapCursorPlaneHotspot) {
		_ = s.SetClientCap(c, 1) // other planes and properties, if supported
	}
	for _, id := range slices.Concat([]uint32{s.primary, s.CRTC, s.Connector.ID}, s.otherPlanes()) {
		if p, ok := s.MustProperties(id, uapi.ModeObjectAny)[name]; ok {
			return holder{s, id, p}
		}
	}
	t.Fatalf("no object of the first display has the property %s", name)
	return holder{}
}

// otherPlanes returns the planes of the CRTC, except for the primary.
func (s *scene) otherPlanes() (others []uint32) {
	s.t.Helper()
	planes, err := s.Planes()
	s.t.Must("GETPLANERESOURCES", err)
	for _, id := range planes {
		if id != s.primary && s.MustPlane(id).PossibleCRTCs&(1<<s.Pipe) != 0 {
			others = append(others, id)
		}
	}
	return others
}

// set returns the change of the property to value.
func (h holder) set(value uint64) change { return change{h.object, h.property.ID, value} }

// value returns what the client reads.
func (h holder) value() uint64 {
	h.s.t.Helper()
	return h.s.MustProperties(h.object, uapi.ModeObjectAny)[h.property.Name].Value
}

// try sets the property in a commit of its own.
func (h holder) try(what string, flags uint32, value uint64, errnos ...unix.Errno) {
	h.s.t.Helper()
	h.s.t.Want(h.property.Name+": "+what, h.s.atomic(flags, h.set(value)), errnos...)
}

// blob makes a blob and returns its id.
func (h holder) blob(data []byte) uint64 {
	h.s.t.Helper()
	id, err := h.s.CreateBlob(data)
	h.s.t.Must("a blob", err)
	return uint64(id)
}

// enums returns the names of the values of the property.
func (h holder) enums() map[string]uint64 {
	h.s.t.Helper()
	count := uapi.ModeGetProperty{PropID: h.property.ID}
	h.s.Must(uapi.IoctlModeGetProperty, &count)
	enums := make([]uapi.ModePropertyEnum, count.CountEnumBlobs)
	h.s.Must(uapi.IoctlModeGetProperty, &uapi.ModeGetProperty{
		PropID: h.property.ID, EnumBlobPtr: addr(h.s.t, enums), CountEnumBlobs: count.CountEnumBlobs,
	})
	names := make(map[string]uint64)
	for _, e := range enums {
		names[unix.ByteSliceToString(e.Name[:])] = e.Value
	}
	return names
}

// wantImmutable checks that clients cannot set the property.
func (h holder) wantImmutable() {
	h.s.t.Helper()
	if h.property.Flags&uapi.ModePropImmutable == 0 {
		h.s.t.Errorf("%s is not immutable", h.property.Name)
	}
	h.try("an immutable property", allowModeset, h.property.Value, unix.EINVAL)
}

// enumCase returns a case for an enum property: each value can be set and is
// read back, others are EINVAL. known are the names that it may have.
func enumCase(name string, known ...string) Case {
	return Case{"standard/" + name, NeedDisplay | NeedDumb | NeedAtomic, func(t *tester) {
		h := t.ShowHolder(name)
		values := h.enums()
		for _, n := range slices.Sorted(maps.Keys(values)) {
			if !slices.Contains(known, n) {
				t.Errorf("%s has the unknown value %q", name, n)
			}
			if h.property.Flags&uapi.ModePropImmutable != 0 {
				continue
			}
			h.try("the value "+n, allowModeset, values[n])
			equal(t, name, h.value(), values[n])
		}
		h.try("a value that it does not have", allowModeset, 1000, unix.EINVAL)
	}}
}

// rangeCase returns a case for a range property: both limits can be set and are
// read back, what is beyond is EINVAL.
func rangeCase(name string) Case {
	return Case{"standard/" + name, NeedDisplay | NeedDumb | NeedAtomic, func(t *tester) {
		h := t.ShowHolder(name)
		limits := make([]uint64, 2)
		h.s.Must(uapi.IoctlModeGetProperty, &uapi.ModeGetProperty{PropID: h.property.ID, ValuesPtr: addr(t, limits), CountValues: 2})
		if h.property.Flags&uapi.ModePropImmutable != 0 {
			h.wantImmutable()
			return
		}
		for _, value := range limits {
			h.try("a limit", allowModeset, value)
			equal(t, name, h.value(), value)
		}
		if above := limits[1] + 1; above != 0 {
			h.try("above the range", allowModeset, above, unix.EINVAL)
		}
		if limits[0] != 0 {
			h.try("below the range", allowModeset, limits[0]-1, unix.EINVAL)
		}
		equal(t, "the value after refusals", h.value(), limits[1])
		h.try("the first value again", allowModeset, h.property.Value)
	}}
}

// words encodes numbers as a client lays them out in memory.
func words[T uint16 | uint32 | int32 | uint64](values ...T) []byte {
	data, _ := binary.Append(nil, binary.NativeEndian, values)
	return data
}

// native32 returns the 32-bit number at an offset, or 0 beyond the end.
func native32(data []byte, at uint32) uint32 {
	if uint64(at)+4 > uint64(len(data)) {
		return 0
	}
	return binary.NativeEndian.Uint32(data[at:])
}
