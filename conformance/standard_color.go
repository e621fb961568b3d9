package conformance

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var standardColorCases = []Case{
	{"standard/COLOR_PIPELINE", NeedDisplay | NeedDumb | NeedAtomic, colorPipeline},
}

// colorPipeline checks that a client which knows pipelines finds the operations
// of each, and can switch them on and off.
func colorPipeline(t *tester) {
	f := t.Open()
	t.Want("SET_CLIENT_CAP PLANE_COLOR_PIPELINE before ATOMIC", f.SetClientCap(uapi.ClientCapPlaneColorPipeline, 1), unix.EINVAL)
	f.Close()
	h := t.ShowHolder("COLOR_PIPELINE", uapi.ClientCapPlaneColorPipeline)
	plane := h.s.MustProperties(h.object, uapi.ModeObjectAny)
	for _, old := range []string{"COLOR_ENCODING", "COLOR_RANGE"} {
		if _, ok := plane[old]; ok {
			t.Errorf("a client with PLANE_COLOR_PIPELINE sees %s", old)
		}
	}
	hiddenColors(h)
	for name, first := range h.enums() {
		if first == 0 {
			equal(t, "the name of no pipeline", name, "Bypass")
			continue
		}
		h.try("a pipeline", testOnly, first)
		for id, seen := uint32(first), []uint32(nil); id != 0; {
			if slices.Contains(seen, id) {
				t.Fatalf("operation %d is its own successor", id)
			}
			seen = append(seen, id)
			o := h.s.MustProperties(id, uapi.ModeObjectColorop)
			if _, ok := o["TYPE"]; !ok {
				t.Fatalf("operation %d has no TYPE", id)
			}
			if bypass, ok := o["BYPASS"]; ok {
				t.Want("BYPASS", h.s.atomic(testOnly, change{id, bypass.ID, 1 - bypass.Value}))
				t.Want("BYPASS 2", h.s.atomic(testOnly, change{id, bypass.ID, 2}), unix.EINVAL)
			}
			if data, ok := o["DATA"]; ok {
				t.Want("DATA of 5 bytes", h.s.atomic(testOnly, change{id, data.ID, h.blob(make([]byte, 5))}), unix.EINVAL)
			}
			next, ok := o["NEXT"]
			if !ok {
				t.Fatalf("operation %d has no NEXT", id)
			}
			t.Want("setting NEXT", h.s.atomic(testOnly, change{id, next.ID, 0}), unix.EINVAL)
			id = uint32(next.Value)
		}
	}
	h.try("an object that is no pipeline", testOnly, uint64(h.object), unix.EINVAL)
}

// hiddenColors checks that a client can set what its choice of
// PLANE_COLOR_PIPELINE hides.
func hiddenColors(h holder) {
	t := h.s.t
	t.Must("PLANE_COLOR_PIPELINE 0", h.s.SetClientCap(uapi.ClientCapPlaneColorPipeline, 0))
	plane := h.s.MustProperties(h.object, uapi.ModeObjectAny)
	if _, ok := plane["COLOR_PIPELINE"]; ok {
		t.Errorf("a client without PLANE_COLOR_PIPELINE sees COLOR_PIPELINE")
	}
	h.try("without the capability", testOnly, 0)
	t.Must("PLANE_COLOR_PIPELINE 1", h.s.SetClientCap(uapi.ClientCapPlaneColorPipeline, 1))
	if old, ok := plane["COLOR_RANGE"]; ok {
		t.Want("COLOR_RANGE with the capability", h.s.atomic(testOnly, change{h.object, old.ID, old.Value}))
	}
}
