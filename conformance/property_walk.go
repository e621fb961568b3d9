package conformance

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// propertyIllegal sets every property of every object to values that it cannot
// have. Each is EINVAL.
func propertyIllegal(t *tester) {
	s := t.ShowScene()
	_ = s.SetClientCap(uapi.ClientCapCursorPlaneHotspot, 1) // further planes, if supported
	blob, err := s.CreateBlob(make([]byte, 3))
	t.Must("a blob", err)
	for _, id := range s.objects() {
		for name, p := range s.MustProperties(id, uapi.ModeObjectAny) {
			for what, value := range s.illegal(p, uint64(blob)) {
				t.Want(fmt.Sprintf("%s of object %d: %s", name, id, what), s.atomic(testOnly|allowModeset, change{id, p.ID, value}), unix.EINVAL)
				if name == "DPMS" { // every value but On is Off there
					continue
				}
				arg := uapi.ModeObjSetProperty{ObjID: id, ObjType: uapi.ModeObjectAny, PropID: p.ID, Value: value}
				s.Want(fmt.Sprintf("of %s of object %d: %s", name, id, what), uapi.IoctlModeObjSetProperty, &arg, unix.EINVAL)
			}
		}
	}
}

// objects returns the CRTCs, connectors and planes of the device.
func (s *scene) objects() []uint32 {
	s.t.Helper()
	r := s.MustResources()
	planes, err := s.Planes()
	s.t.Must("GETPLANERESOURCES", err)
	return slices.Concat(r.CRTCs, r.Connectors, planes)
}

// nothing is the id of no object.
const nothing = 0x7ffffff0

// illegal returns values that a client cannot set p to, by what they are. blob is
// the id of a blob.
func (s *scene) illegal(p property, blob uint64) map[string]uint64 {
	if p.Flags&uapi.ModePropImmutable != 0 {
		return map[string]uint64{"an immutable property": p.Value}
	}
	values := s.values(p)
	switch {
	case p.Flags&uapi.ModePropRange != 0:
		return beyond(values[0], values[1], 0, 1<<64-1)
	case p.Flags&uapi.ModePropExtendedType == uapi.ModePropSignedRange:
		return beyond(values[0], values[1], 1<<63, 1<<63-1)
	case p.Flags&uapi.ModePropEnum != 0:
		return map[string]uint64{"no value of the enum": slices.Max(values) + 1000}
	case p.Flags&uapi.ModePropBitmask != 0:
		return map[string]uint64{"an unknown bit": 1 << 63}
	case p.Flags&uapi.ModePropBlob != 0:
		return map[string]uint64{"no blob": nothing, "a framebuffer": uint64(s.FB)}
	}
	return map[string]uint64{"no object": nothing, "a blob": blob, "a connector": uint64(s.Connector.ID)}
}

// beyond returns the values next to a range, which lies in [first, last].
func beyond(low, high, first, last uint64) map[string]uint64 {
	values := make(map[string]uint64)
	if low != first {
		values["less than the least value"] = low - 1
	}
	if high != last {
		values["more than the greatest value"] = high + 1
	}
	return values
}

// values returns the limits of a range, or the values of an enum.
func (s *scene) values(p property) []uint64 {
	s.t.Helper()
	count := uapi.ModeGetProperty{PropID: p.ID}
	s.Must(uapi.IoctlModeGetProperty, &count)
	values := make([]uint64, count.CountValues)
	s.Must(uapi.IoctlModeGetProperty, &uapi.ModeGetProperty{PropID: p.ID, ValuesPtr: addr(s.t, values), CountValues: count.CountValues})
	return values
}
