package conformance

import (
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var resourceCases = []Case{
	{"resources/counts", NeedModeset, resourceCounts},
	{"resources/bad-pointer", NeedDisplay | NeedDumb, resourcesBadPointer},
	{"resources/framebuffers", NeedModeset | NeedDumb, resourcesFBs},
	{"connector/answers", NeedModeset, connectorAnswers},
	{"connector/bad-pointer", NeedDisplay, connectorBadPointer},
	{"connector/modes", NeedDisplay, connectorModes},
	{"encoder/answers", NeedModeset, encoderAnswers},
	{"crtc/get", NeedModeset, crtcAnswers},
	{"plane/answers", NeedModeset, planeAnswers},
	{"objects/unknown", NeedModeset | NeedMaster, unknownObjects},
	{"objects/of-another-type", NeedDisplay, wrongObjects},
}

func resourceCounts(t *tester) {
	f := t.Open()
	r := f.MustResources()
	if len(r.CRTCs) == 0 || len(r.Connectors) == 0 || len(r.Encoders) == 0 {
		t.Errorf("%d CRTCs, %d connectors, %d encoders", len(r.CRTCs), len(r.Connectors), len(r.Encoders))
	}
	seen := make(map[uint32]bool)
	for _, id := range slices.Concat(r.CRTCs, r.Connectors, r.Encoders) {
		if id == 0 || seen[id] {
			t.Errorf("id %d is zero or that of another object", id)
		}
		seen[id] = true
	}
	var limits uapi.ModeCardRes
	f.Must(uapi.IoctlModeGetResources, &limits)
	if limits.MaxWidth == 0 || limits.MaxHeight == 0 || limits.MinWidth > limits.MaxWidth || limits.MinHeight > limits.MaxHeight {
		t.Errorf("framebuffers from %dx%d to %dx%d", limits.MinWidth, limits.MinHeight, limits.MaxWidth, limits.MaxHeight)
	}

	// The device leaves excess room alone.
	ids := make([]uint32, len(r.CRTCs)+1)
	ids[len(r.CRTCs)] = 77
	arg := uapi.ModeCardRes{CRTCIDPtr: addr(t, ids), CountCRTCs: uint32(len(ids))}
	f.Must(uapi.IoctlModeGetResources, &arg)
	equal(t, "the number of CRTCs", arg.CountCRTCs, uint32(len(r.CRTCs)))
	if !slices.Equal(ids[:len(r.CRTCs)], r.CRTCs) || ids[len(r.CRTCs)] != 77 {
		t.Errorf("the CRTCs, with room for one more: %d, want %d and 77", ids, r.CRTCs)
	}
}

func resourcesBadPointer(t *tester) {
	f := t.Open()
	f.NewFB(64, 64)
	for _, arg := range []uapi.ModeCardRes{
		{FBIDPtr: t.BadAddr(), CountFBs: 1},
		{CRTCIDPtr: t.BadAddr(), CountCRTCs: 1},
		{ConnectorIDPtr: t.BadAddr(), CountConnectors: 1},
		{EncoderIDPtr: t.BadAddr(), CountEncoders: 1},
	} {
		f.Want("with an array at a bad address", uapi.IoctlModeGetResources, &arg, unix.EFAULT)
	}
	planes := uapi.ModeGetPlaneRes{PlaneIDPtr: t.BadAddr(), CountPlanes: 1}
	t.Must("SET_CLIENT_CAP UNIVERSAL_PLANES", f.SetClientCap(uapi.ClientCapUniversalPlanes, 1))
	f.Want("with an array at a bad address", uapi.IoctlModeGetPlaneResources, &planes, unix.EFAULT)
}

// resourcesFBs checks that a file sees its own framebuffers only.
func resourcesFBs(t *tester) {
	f, other := t.Open(), t.Open()
	fb := f.NewFB(64, 64)
	if fbs := f.MustResources().FBs; !slices.Equal(fbs, []uint32{fb}) {
		t.Errorf("the framebuffers of the file are %d, want %d", fbs, fb)
	}
	if fbs := other.MustResources().FBs; len(fbs) != 0 {
		t.Errorf("the framebuffers of a file without any are %d", fbs)
	}
	f.Must(uapi.IoctlModeRmFB, &fb)
	if fbs := f.MustResources().FBs; len(fbs) != 0 {
		t.Errorf("the framebuffers after RMFB are %d", fbs)
	}
}

func connectorAnswers(t *tester) {
	f := t.Open()
	r := f.MustResources()
	for _, id := range r.Connectors {
		c, err := f.GetConnector(id)
		t.Must("GETCONNECTOR", err)
		if c.Connection < uapi.ModeConnected || c.Connection > uapi.ModeUnknownConnection {
			t.Errorf("the status of connector %d is %d", id, c.Connection)
		}
		if len(c.Encoders) == 0 {
			t.Errorf("connector %d has no encoder", id)
		}
		for _, encoder := range c.Encoders {
			if !slices.Contains(r.Encoders, encoder) {
				t.Errorf("connector %d has the encoder %d, which is not among %d", id, encoder, r.Encoders)
			}
		}
		// Unlike GETRESOURCES, it returns all modes or none.
		if n := len(c.Modes); n > 1 {
			modes := make([]uapi.ModeInfo, n-1)
			arg := uapi.ModeGetConnector{ConnectorID: id, ModesPtr: addr(t, modes), CountModes: uint32(n - 1)}
			f.Must(uapi.IoctlModeGetConnector, &arg)
			equal(t, "the number of modes, with room for one less", arg.CountModes, uint32(n))
			equal(t, "the first mode, with room for one less", modes[0], uapi.ModeInfo{})
		}
	}
}

func connectorBadPointer(t *tester) {
	f := t.Open()
	d := f.Display()
	var count uapi.ModeGetConnector
	count.ConnectorID = d.Connector.ID
	f.Must(uapi.IoctlModeGetConnector, &count)
	for _, arg := range []uapi.ModeGetConnector{
		{ModesPtr: t.BadAddr(), CountModes: count.CountModes},
		{EncodersPtr: t.BadAddr(), CountEncoders: count.CountEncoders},
		{PropsPtr: t.BadAddr(), PropValuesPtr: addr(t, make([]uint64, count.CountProps)), CountProps: count.CountProps},
		{PropsPtr: addr(t, make([]uint32, count.CountProps)), PropValuesPtr: t.BadAddr(), CountProps: count.CountProps},
	} {
		arg.ConnectorID = d.Connector.ID
		f.Want("with an array at a bad address", uapi.IoctlModeGetConnector, &arg, unix.EFAULT)
	}
}

func connectorModes(t *tester) {
	d := t.Open().Display()
	for i, m := range d.Connector.Modes {
		name := unix.ByteSliceToString(m.Name[:])
		ordered := func(values ...uint16) bool { return slices.IsSorted(values) }
		switch {
		case m.Clock == 0 || m.HDisplay == 0 || m.VDisplay == 0:
			t.Errorf("mode %d, %q, has no size or no clock: %+v", i, name, m)
		case !ordered(m.HDisplay, m.HSyncStart, m.HSyncEnd, m.HTotal), !ordered(m.VDisplay, m.VSyncStart, m.VSyncEnd, m.VTotal):
			t.Errorf("mode %d, %q, has its timings out of order: %+v", i, name, m)
		case name == "":
			t.Errorf("mode %d has an empty name: %+v", i, m)
		}
	}
}

func encoderAnswers(t *tester) {
	f := t.Open()
	r := f.MustResources()
	for _, id := range r.Encoders {
		arg := uapi.ModeGetEncoder{EncoderID: id}
		f.Must(uapi.IoctlModeGetEncoder, &arg)
		equal(t, "the id of the encoder", arg.EncoderID, id)
		if arg.PossibleCRTCs == 0 || arg.PossibleCRTCs>>len(r.CRTCs) != 0 {
			t.Errorf("encoder %d can be driven by the CRTCs %#x of %d", id, arg.PossibleCRTCs, len(r.CRTCs))
		}
		if arg.CRTCID != 0 && !slices.Contains(r.CRTCs, arg.CRTCID) {
			t.Errorf("encoder %d is driven by %d, which is not among %d", id, arg.CRTCID, r.CRTCs)
		}
	}
}

func crtcAnswers(t *tester) {
	f := t.Open()
	for _, id := range f.MustResources().CRTCs {
		arg := uapi.ModeCRTC{CRTCID: id, CountConnectors: 7, SetConnectorsPtr: 7}
		f.Want("", uapi.IoctlModeGetCRTC, &arg)
		equal(t, "the id of the CRTC", arg.CRTCID, id)
	}
}

func planeAnswers(t *tester) {
	f := t.Open()
	t.Must("SET_CLIENT_CAP UNIVERSAL_PLANES", f.SetClientCap(uapi.ClientCapUniversalPlanes, 1))
	crtcs := f.MustResources().CRTCs
	planes, err := f.Planes()
	t.Must("GETPLANERESOURCES", err)
	for _, id := range planes {
		count := uapi.ModeGetPlane{PlaneID: id}
		f.Must(uapi.IoctlModeGetPlane, &count)
		equal(t, "the id of the plane", count.PlaneID, id)
		if count.PossibleCRTCs == 0 || count.PossibleCRTCs>>len(crtcs) != 0 {
			t.Errorf("plane %d can be used by the CRTCs %#x of %d", id, count.PossibleCRTCs, len(crtcs))
		}
		if count.CountFormatTypes == 0 {
			t.Errorf("plane %d has no formats", id)
			continue
		}
		formats := make([]uint32, count.CountFormatTypes)
		arg := uapi.ModeGetPlane{PlaneID: id, FormatTypePtr: addr(t, formats), CountFormatTypes: count.CountFormatTypes}
		f.Must(uapi.IoctlModeGetPlane, &arg)
		slices.Sort(formats)
		if formats[0] == 0 || len(slices.Compact(formats)) != int(count.CountFormatTypes) {
			t.Errorf("plane %d has a zero or duplicate format: %#x", id, formats)
		}
		arg = uapi.ModeGetPlane{PlaneID: id, FormatTypePtr: t.BadAddr(), CountFormatTypes: count.CountFormatTypes}
		f.Want("with the formats at a bad address", uapi.IoctlModeGetPlane, &arg, unix.EFAULT)
	}
}

// A lookup is a request that names one object.
type lookup struct {
	cmd uint32
	arg any
}

// errnos returns the errors for a nonexistent object. A device without vblank
// counters answers EOPNOTSUPP.
func (l lookup) errnos() []unix.Errno {
	if l.cmd == uapi.IoctlCRTCGetSequence || l.cmd == uapi.IoctlCRTCQueueSequence {
		return []unix.Errno{unix.ENOENT, unix.EOPNOTSUPP}
	}
	return []unix.Errno{unix.ENOENT}
}

// lookups returns the requests that look up the object with the given id, by
// the type of the object.
func lookups(id uint32) map[uint32][]lookup {
	fb := id
	return map[uint32][]lookup{
		uapi.ModeObjectCRTC: {
			{uapi.IoctlModeGetCRTC, &uapi.ModeCRTC{CRTCID: id}},
			{uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: id}},
			{uapi.IoctlModeGetGamma, &uapi.ModeCRTCLUT{CRTCID: id}},
			{uapi.IoctlModeSetGamma, &uapi.ModeCRTCLUT{CRTCID: id}},
			{uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{CRTCID: id}},
			{uapi.IoctlModeCursor, &uapi.ModeCursor{CRTCID: id, Flags: uapi.ModeCursorMove}},
			{uapi.IoctlModeCursor2, &uapi.ModeCursor2{CRTCID: id, Flags: uapi.ModeCursorMove}},
			{uapi.IoctlCRTCGetSequence, &uapi.CRTCGetSequence{CRTCID: id}},
			{uapi.IoctlCRTCQueueSequence, &uapi.CRTCQueueSequence{CRTCID: id}},
		},
		uapi.ModeObjectConnector: {
			{uapi.IoctlModeGetConnector, &uapi.ModeGetConnector{ConnectorID: id}},
			{uapi.IoctlModeSetProperty, &uapi.ModeConnectorSetProperty{ConnectorID: id}},
		},
		uapi.ModeObjectEncoder: {
			{uapi.IoctlModeGetEncoder, &uapi.ModeGetEncoder{EncoderID: id}},
		},
		uapi.ModeObjectPlane: {
			{uapi.IoctlModeGetPlane, &uapi.ModeGetPlane{PlaneID: id}},
			{uapi.IoctlModeSetPlane, &uapi.ModeSetPlane{PlaneID: id}},
		},
		uapi.ModeObjectProperty: {
			{uapi.IoctlModeGetProperty, &uapi.ModeGetProperty{PropID: id}},
		},
		uapi.ModeObjectBlob: {
			{uapi.IoctlModeGetPropBlob, &uapi.ModeGetBlob{BlobID: id}},
			{uapi.IoctlModeDestroyPropBlob, &uapi.ModeDestroyBlob{BlobID: id}},
		},
		uapi.ModeObjectFB: {
			{uapi.IoctlModeGetFB, &uapi.ModeFBCmd{FBID: id}},
			{uapi.IoctlModeGetFB2, &uapi.ModeFBCmd2{FBID: id}},
			{uapi.IoctlModeDirtyFB, &uapi.ModeFBDirtyCmd{FBID: id}},
			{uapi.IoctlModeRmFB, &fb},
		},
		uapi.ModeObjectAny: {
			{uapi.IoctlModeObjGetProperties, &uapi.ModeObjGetProperties{ObjID: id}},
			{uapi.IoctlModeObjSetProperty, &uapi.ModeObjSetProperty{ObjID: id}},
		},
	}
}

func unknownObjects(t *tester) {
	f := t.Open()
	for _, id := range []uint32{0, 0x7ffffff0, math.MaxUint32} {
		for _, list := range lookups(id) {
			for _, l := range list {
				f.Want("of a nonexistent object", l.cmd, l.arg, l.errnos()...)
			}
		}
	}
}

// wrongObjects checks that an object of another type is not found.
func wrongObjects(t *tester) {
	f := t.Open()
	d := f.Display()
	plane := f.Plane(uapi.PlaneTypePrimary)
	for id, objectType := range map[uint32]uint32{
		d.CRTC: uapi.ModeObjectCRTC, d.Connector.ID: uapi.ModeObjectConnector, d.Encoder: uapi.ModeObjectEncoder, plane: uapi.ModeObjectPlane,
	} {
		for other, list := range lookups(id) {
			if other == objectType || other == uapi.ModeObjectAny {
				continue
			}
			for _, l := range list {
				f.Want("of an object of another type", l.cmd, l.arg, l.errnos()...)
			}
		}
		f.Want("of an object of another type", uapi.IoctlModeObjGetProperties,
			&uapi.ModeObjGetProperties{ObjID: id, ObjType: uapi.ModeObjectFB}, unix.ENOENT)
	}
}
