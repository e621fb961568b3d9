package conformance

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var capCases = []Case{
	{"cap/device", 0, deviceCaps},
	{"cap/modeset", NeedModeset, modesetCaps},
	{"cap/unknown", 0, unknownCaps},
	{"cap/render-node", NeedRender, renderCaps},
	{"client-cap/values", NeedModeset, clientCapValues},
	{"client-cap/unknown", NeedModeset, unknownClientCaps},
	{"client-cap/universal-planes", NeedDisplay, universalPlanes},
	{"client-cap/atomic", NeedDisplay | NeedAtomic, atomicCap},
	{"client-cap/writeback", NeedWriteback, writebackCap},
	{"client-cap/hot-spot", NeedAtomic, hotSpotCap},
	{"client-name", NeedClientName, clientName},
}

func deviceCaps(t *tester) {
	f := t.Open()
	for _, c := range []struct {
		name     string
		cap, max uint64
	}{
		{"TIMESTAMP_MONOTONIC", uapi.CapTimestampMonotonic, 1},
		{"PRIME", uapi.CapPrime, uapi.PrimeCapImport | uapi.PrimeCapExport},
		{"SYNCOBJ", uapi.CapSyncobj, 1},
		{"SYNCOBJ_TIMELINE", uapi.CapSyncobjTimeline, 1},
	} {
		value, err := f.Cap(c.cap)
		if t.Want("GET_CAP "+c.name, err) && value > c.max {
			t.Errorf("%s is %d, want at most %d", c.name, value, c.max)
		}
	}
	value, _ := f.Cap(uapi.CapTimestampMonotonic)
	equal(t, "TIMESTAMP_MONOTONIC", value, 1)
}

func modesetCaps(t *tester) {
	f := t.Open()
	for _, c := range []struct {
		name     string
		cap      uint64
		min, max uint64
	}{
		{"DUMB_BUFFER", uapi.CapDumbBuffer, 0, 1},
		{"VBLANK_HIGH_CRTC", uapi.CapVblankHighCRTC, 1, 1},
		{"DUMB_PREFERRED_DEPTH", uapi.CapDumbPreferredDepth, 0, 64},
		{"DUMB_PREFER_SHADOW", uapi.CapDumbPreferShadow, 0, 1},
		{"ASYNC_PAGE_FLIP", uapi.CapAsyncPageFlip, 0, 1},
		{"CURSOR_WIDTH", uapi.CapCursorWidth, 1, 1 << 16},
		{"CURSOR_HEIGHT", uapi.CapCursorHeight, 1, 1 << 16},
		{"ADDFB2_MODIFIERS", uapi.CapAddFB2Modifiers, 0, 1},
		{"PAGE_FLIP_TARGET", uapi.CapPageFlipTarget, 0, 1},
		{"CRTC_IN_VBLANK_EVENT", uapi.CapCRTCInVblankEvent, 1, 1},
	} {
		value, err := f.Cap(c.cap)
		if t.Want("GET_CAP "+c.name, err) && (value < c.min || value > c.max) {
			t.Errorf("%s is %d, want %d to %d", c.name, value, c.min, c.max)
		}
	}
}

func unknownCaps(t *tester) {
	f := t.Open()
	for _, c := range []uint64{0, 0x7fff, 1<<32 | uapi.CapPrime, 1<<64 - 1} {
		_, err := f.Cap(c)
		// Devices without displays answer EOPNOTSUPP.
		t.Want("GET_CAP of an unknown capability", err, unix.EINVAL, unix.EOPNOTSUPP)
	}
}

func renderCaps(t *tester) {
	f, card := t.OpenRender(), t.Open()
	for _, c := range []uint64{uapi.CapTimestampMonotonic, uapi.CapPrime, uapi.CapSyncobj, uapi.CapSyncobjTimeline} {
		value, err := f.Cap(c)
		t.Want("GET_CAP on a render node", err)
		other, err := card.Cap(c)
		t.Want("GET_CAP", err)
		equal(t, "a capability on the render node", value, other)
	}
}

// clientCapValues checks that a capability is 0 or 1.
func clientCapValues(t *tester) {
	f := t.Open()
	caps := map[string]uint64{
		"STEREO_3D":        uapi.ClientCapStereo3D,
		"UNIVERSAL_PLANES": uapi.ClientCapUniversalPlanes,
		"ASPECT_RATIO":     uapi.ClientCapAspectRatio,
	}
	for name, c := range caps {
		for _, value := range []uint64{1, 1, 0, 1} {
			t.Want("SET_CLIENT_CAP "+name, f.SetClientCap(c, value))
		}
		for _, value := range []uint64{2, 1 << 32, 1<<64 - 1} {
			t.Want("SET_CLIENT_CAP "+name+" to another value", f.SetClientCap(c, value), unix.EINVAL)
		}
	}
}

func unknownClientCaps(t *tester) {
	f := t.Open()
	for _, c := range []uint64{0, 0x7fff, 1<<32 | uapi.ClientCapUniversalPlanes, 1<<64 - 1} {
		t.Want("SET_CLIENT_CAP of an unknown capability", f.SetClientCap(c, 1), unix.EINVAL)
	}
}

// universalPlanes checks that a client sees primary and cursor planes only with
// UNIVERSAL_PLANES.
func universalPlanes(t *tester) {
	f := t.Open()
	count := func() int {
		t.Helper()
		planes, err := f.Planes()
		t.Must("GETPLANERESOURCES", err)
		return len(planes)
	}
	before := count()
	t.Must("SET_CLIENT_CAP UNIVERSAL_PLANES", f.SetClientCap(uapi.ClientCapUniversalPlanes, 1))
	if all := count(); all <= before {
		t.Errorf("%d planes with UNIVERSAL_PLANES, %d without", all, before)
	}
	planes, _ := f.Planes()
	primary := 0
	for _, id := range planes {
		if f.MustProperties(id, uapi.ModeObjectPlane)["type"].Value == uapi.PlaneTypePrimary {
			primary++
		}
	}
	if primary == 0 {
		t.Errorf("no primary plane among %d planes", len(planes))
	}
	t.Must("SET_CLIENT_CAP UNIVERSAL_PLANES 0", f.SetClientCap(uapi.ClientCapUniversalPlanes, 0))
	equal(t, "the number of planes after UNIVERSAL_PLANES 0", count(), before)
}

// atomicCap checks that only clients with ATOMIC see the atomic properties.
// ATOMIC may be 2, which X servers use.
func atomicCap(t *tester) {
	f := t.Open()
	d := f.Display()
	if p := f.MustProperties(d.CRTC, uapi.ModeObjectCRTC); len(p) > 0 && p["ACTIVE"].ID != 0 {
		t.Errorf("a client without ATOMIC sees ACTIVE among the properties of the CRTC")
	}
	t.Must("SET_CLIENT_CAP ATOMIC 2", f.SetClientCap(uapi.ClientCapAtomic, 2))
	t.Want("SET_CLIENT_CAP ATOMIC 3", f.SetClientCap(uapi.ClientCapAtomic, 3), unix.EINVAL)
	crtc := f.MustProperties(d.CRTC, uapi.ModeObjectCRTC)
	for _, name := range []string{"ACTIVE", "MODE_ID"} {
		if crtc[name].ID == 0 {
			t.Errorf("the CRTC has no property %s", name)
		}
	}
	plane := f.Plane(uapi.PlaneTypePrimary)
	properties := f.MustProperties(plane, uapi.ModeObjectPlane)
	for _, name := range []string{"type", "FB_ID", "CRTC_ID", "CRTC_X", "CRTC_Y", "CRTC_W", "CRTC_H", "SRC_X", "SRC_Y", "SRC_W", "SRC_H", "IN_FENCE_FD"} {
		if properties[name].ID == 0 {
			t.Errorf("the plane has no property %s", name)
		}
	}
	if f.MustProperties(d.Connector.ID, uapi.ModeObjectConnector)["CRTC_ID"].ID == 0 {
		t.Errorf("the connector has no property CRTC_ID")
	}
	t.Must("SET_CLIENT_CAP ATOMIC 0", f.SetClientCap(uapi.ClientCapAtomic, 0))
	if f.MustProperties(d.CRTC, uapi.ModeObjectCRTC)["ACTIVE"].ID != 0 {
		t.Errorf("a client after ATOMIC 0 sees ACTIVE")
	}
}

// writebackCap checks that writeback connectors are hidden without
// WRITEBACK_CONNECTORS, which in turn requires ATOMIC.
func writebackCap(t *tester) {
	f := t.Open()
	t.Want("SET_CLIENT_CAP WRITEBACK_CONNECTORS without ATOMIC", f.SetClientCap(uapi.ClientCapWritebackConnectors, 1), unix.EINVAL)
	t.Must("SET_CLIENT_CAP ATOMIC", f.SetClientCap(uapi.ClientCapAtomic, 1))
	if c, err := f.WritebackConnector(); err == nil {
		t.Errorf("writeback connector %d is visible without WRITEBACK_CONNECTORS", c.ID)
	}
	t.Want("SET_CLIENT_CAP WRITEBACK_CONNECTORS 2", f.SetClientCap(uapi.ClientCapWritebackConnectors, 2), unix.EINVAL)
	t.Must("SET_CLIENT_CAP WRITEBACK_CONNECTORS", f.SetClientCap(uapi.ClientCapWritebackConnectors, 1))
	c, err := f.WritebackConnector()
	t.Must("looking for a writeback connector", err)
	properties := f.MustProperties(c.ID, uapi.ModeObjectConnector)
	for _, name := range []string{"WRITEBACK_FB_ID", "WRITEBACK_PIXEL_FORMATS", "WRITEBACK_OUT_FENCE_PTR"} {
		if properties[name].ID == 0 {
			t.Errorf("the writeback connector has no property %s", name)
		}
	}
}

// hotSpotCap checks CURSOR_PLANE_HOTSPOT, which only paravirtual displays and
// newer kernels support.
func hotSpotCap(t *tester) {
	f := t.Open()
	t.Want("SET_CLIENT_CAP CURSOR_PLANE_HOTSPOT without ATOMIC", f.SetClientCap(uapi.ClientCapCursorPlaneHotspot, 1), unix.EINVAL, unix.EOPNOTSUPP)
	t.Must("SET_CLIENT_CAP ATOMIC", f.SetClientCap(uapi.ClientCapAtomic, 1))
	t.Want("SET_CLIENT_CAP CURSOR_PLANE_HOTSPOT", f.SetClientCap(uapi.ClientCapCursorPlaneHotspot, 1), 0, unix.EINVAL, unix.EOPNOTSUPP)
}

// clientName checks that a client can set its name, in printable characters.
func clientName(t *tester) {
	f := t.Open()
	set := func(name string) *uapi.SetClientName {
		return &uapi.SetClientName{Name: addr(t, []byte(name)), NameLen: uint64(len(name))}
	}
	long := make([]byte, uapi.ClientNameMaxLen+1)
	for i := range long {
		long[i] = 'x'
	}
	f.Want("", uapi.IoctlSetClientName, set("conformance"))
	f.Want("again", uapi.IoctlSetClientName, set("conformance-2"))
	f.Want("of the maximum length", uapi.IoctlSetClientName, set(string(long[1:])))
	f.Want("to the empty name", uapi.IoctlSetClientName, &uapi.SetClientName{})
	f.Want("that is one byte too long", uapi.IoctlSetClientName, set(string(long)), unix.EINVAL)
	f.Want("with a control character", uapi.IoctlSetClientName, set("a\nb"), unix.EINVAL)
	f.Want("with a space", uapi.IoctlSetClientName, set("a b"), unix.EINVAL)
	f.Want("with a length and NULL", uapi.IoctlSetClientName, &uapi.SetClientName{NameLen: 3}, unix.EINVAL, unix.EFAULT)
	f.Want("at a bad address", uapi.IoctlSetClientName, &uapi.SetClientName{Name: t.BadAddr(), NameLen: 3}, unix.EFAULT)
}
