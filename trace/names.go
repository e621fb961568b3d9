package trace

import (
	"strings"
	"sync"

	"github.com/udrm/udrm/drm/uapi"
)

// A nameSet holds the names of a number's values, or of its bits.
type nameSet []uapi.Constant

// namesOf returns the constants of a meaning, without the prefix DRM_.
func namesOf(m *meaning) nameSet {
	var set nameSet
	for c := range uapi.Constants() {
		if hasPrefix(c.Name, strings.Split(m.prefix, "|")) && !hasPrefix(c.Name, m.except) {
			set = append(set, uapi.Constant{Name: shortName(c.Name), Value: c.Value})
		}
	}
	return set
}

func hasPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func shortName(c string) string { return strings.TrimPrefix(strings.TrimPrefix(c, "_"), "DRM_") }

func (s nameSet) find(value uint64) string {
	for _, c := range s {
		if c.Value == value {
			return c.Name
		}
	}
	return ""
}

// formatNames has the names of pixel formats without DRM_FORMAT_, by code.
var formatNames = sync.OnceValue(func() map[uint32]string {
	names := map[uint32]string{}
	for c := range uapi.Constants() {
		name, ok := strings.CutPrefix(c.Name, "DRM_FORMAT_")
		if ok && !strings.HasPrefix(name, "MOD_") && c.Value <= 1<<32-1 {
			names[uint32(c.Value)] = name
		}
	}
	return names
})

// objectNames has the names of the types of mode objects.
var objectNames = map[uint32]string{
	uapi.ModeObjectCRTC: "crtc", uapi.ModeObjectConnector: "connector", uapi.ModeObjectEncoder: "encoder",
	uapi.ModeObjectMode: "mode", uapi.ModeObjectProperty: "property", uapi.ModeObjectFB: "fb",
	uapi.ModeObjectBlob: "blob", uapi.ModeObjectPlane: "plane", uapi.ModeObjectAny: "any",
}
