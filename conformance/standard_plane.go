package conformance

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var standardPlaneCases = []Case{
	{"standard/FB_DAMAGE_CLIPS", NeedDisplay | NeedDumb | NeedAtomic, damageClips},
	enumCase("SCALING_FILTER", "Default", "Nearest Neighbor"),
	{"standard/SIZE_HINTS", NeedDisplay | NeedDumb | NeedAtomic, sizeHints},
	{"standard/IN_FORMATS_ASYNC", NeedDisplay | NeedDumb | NeedAtomic, formatsAsync},
	{"standard/HOTSPOT_X", NeedCursor | NeedDumb | NeedAtomic, hotspot},
	enumCase("COLOR_ENCODING", "ITU-R BT.601 YCbCr", "ITU-R BT.709 YCbCr", "ITU-R BT.2020 YCbCr"),
	enumCase("COLOR_RANGE", "YCbCr limited range", "YCbCr full range"),
	enumCase("pixel blend mode", "None", "Pre-multiplied", "Coverage"),
	rangeCase("alpha"),
	rangeCase("zpos"),
	{"standard/rotation", NeedDisplay | NeedDumb | NeedAtomic, rotation},
}

// damageClips checks which clips a plane accepts, and that they do not outlast
// their commit.
func damageClips(t *tester) {
	h := t.ShowHolder("FB_DAMAGE_CLIPS")
	w, hgt := int32(h.s.Mode.HDisplay), int32(h.s.Mode.VDisplay)
	for _, tc := range []struct {
		what  string
		clips []byte
		errno unix.Errno
	}{
		{"the whole framebuffer", words(0, 0, w, hgt), 0},
		{"two clips that overlap", words(0, 0, w, hgt, 1, 1, 2, 2), 0},
		{"less than a clip", words(int32(0), 0, 1), unix.EINVAL},
		{"a clip without pixels", words[int32](5, 5, 5, 6), unix.EINVAL},
		{"a clip to the left", words(-1, 0, w, hgt), unix.EINVAL},
		{"a clip to the top", words(0, -1, w, hgt), unix.EINVAL},
		// The kernel takes the size in 1/65536 of a pixel for one in pixels.
		{"a clip that ends beyond the right edge", words(0, 0, w+1, hgt), 0},
		{"a clip that ends below the bottom", words(0, 0, w, hgt+1), 0},
		{"a clip far beyond the right edge", words(0, 0, w<<16+1, hgt), unix.EINVAL},
		{"a clip far below the bottom", words(0, 0, w, hgt<<16+1), unix.EINVAL},
	} {
		t.Want(tc.what, h.s.atomic(0, h.set(h.blob(tc.clips)), h.s.plane("FB_ID", uint64(h.s.FB))), tc.errno)
	}
	t.Want("a flip without clips", h.s.atomic(0, h.s.plane("FB_ID", uint64(h.s.FB))))
	equal(t, "FB_DAMAGE_CLIPS after a commit without it", h.value(), 0)
	h.try("a blob that does not exist", 0, 0x7ffffff0, unix.EINVAL)
}

func sizeHints(t *tester) {
	h := t.ShowHolder("SIZE_HINTS")
	h.wantImmutable()
	data, err := h.s.GetBlob(uint32(h.property.Value))
	if err != nil || len(data) == 0 || len(data)%4 != 0 {
		t.Errorf("SIZE_HINTS: %d bytes, %v; want pairs of 16-bit numbers", len(data), err)
	}
}

// formatsAsync checks that each format of async flips is one of the plane.
func formatsAsync(t *tester) {
	h := t.ShowHolder("IN_FORMATS_ASYNC")
	h.wantImmutable()
	data, err := h.s.GetBlob(uint32(h.property.Value))
	t.Must("the blob of IN_FORMATS_ASYNC", err)
	formats, err := h.s.PlaneFormats(h.object)
	t.Must("the formats of the plane", err)
	count, at := native32(data, 8), native32(data, 12)
	for i := range count {
		if f := native32(data, at+4*i); !slices.Contains(formats, f) {
			t.Errorf("IN_FORMATS_ASYNC lists format %#x, which the plane does not have", f)
		}
	}
}

// hotspot checks that a cursor plane with a hotspot is hidden from atomic
// clients that do not know hotspots.
func hotspot(t *tester) {
	h := t.ShowHolder("HOTSPOT_X")
	sees := func(f *file) bool {
		planes, err := f.Planes()
		t.Must("GETPLANERESOURCES", err)
		return slices.Contains(planes, h.object)
	}
	f := t.Open()
	t.Must("SET_CLIENT_CAP UNIVERSAL_PLANES", f.SetClientCap(uapi.ClientCapUniversalPlanes, 1))
	equal(t, "a client without ATOMIC sees the plane", sees(f), true)
	t.Want("SET_CLIENT_CAP CURSOR_PLANE_HOTSPOT before ATOMIC", f.SetClientCap(uapi.ClientCapCursorPlaneHotspot, 1), unix.EINVAL)
	t.Must("SET_CLIENT_CAP ATOMIC", f.SetClientCap(uapi.ClientCapAtomic, 1))
	equal(t, "a client with ATOMIC sees the plane", sees(f), false)
	t.Must("SET_CLIENT_CAP CURSOR_PLANE_HOTSPOT", f.SetClientCap(uapi.ClientCapCursorPlaneHotspot, 1))
	equal(t, "a client that knows hotspots sees the plane", sees(f), true)
	for _, value := range []uint64{7, 1<<64 - 7} {
		h.try("a position", 0, value)
		equal(t, "HOTSPOT_X", h.value(), value)
	}
	h.try("a position of more than 32 bits", 0, 1<<40, unix.EINVAL)
}

// rotation checks that a rotation has exactly one angle.
func rotation(t *tester) {
	h := t.ShowHolder("rotation")
	for name, bit := range h.enums() {
		if name == "reflect-x" || name == "reflect-y" {
			h.try("a reflection without an angle", testOnly, 1<<bit, unix.EINVAL)
		}
	}
	h.try("no angle", 0, 0, unix.EINVAL)
	h.try("two angles", 0, uapi.ModeRotate0|uapi.ModeRotate180, unix.EINVAL)
	h.try("no rotation", 0, uapi.ModeRotate0)
}
