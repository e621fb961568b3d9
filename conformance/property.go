package conformance

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var propertyCases = []Case{
	{"property/all", NeedDisplay, allProperties},
	{"property/values-and-names", NeedDisplay, propertyValues},
	{"property/lists", NeedDisplay, propertyLists},
	{"property/object-without", NeedDisplay | NeedDumb, noProperties},
	{"property/set", NeedDisplay, propertySet},
	{"property/set-errors", NeedDisplay, propertySetErrors},
	{"property/illegal-values", NeedDisplay | NeedDumb | NeedAtomic, propertyIllegal},
	{"blob/create-and-get", NeedModeset, blobCreate},
	{"blob/errors", NeedModeset, blobErrors},
	{"blob/life", NeedModeset, blobLife},
}

// simpleTypes are the type flags other than the extended types.
const simpleTypes = uapi.ModePropRange | uapi.ModePropEnum | uapi.ModePropBlob | uapi.ModePropBitmask

// allProperties returns the properties of all objects of the device by id.
func (f *file) allProperties() map[uint32]uapi.ModeGetProperty {
	f.t.Helper()
	f.t.Must("SET_CLIENT_CAP UNIVERSAL_PLANES", f.SetClientCap(uapi.ClientCapUniversalPlanes, 1))
	// More properties, if supported:
	_ = f.SetClientCap(uapi.ClientCapAtomic, 1)
	_ = f.SetClientCap(uapi.ClientCapCursorPlaneHotspot, 1)
	r := f.MustResources()
	planes, err := f.Planes()
	f.t.Must("GETPLANERESOURCES", err)
	all := make(map[uint32]uapi.ModeGetProperty)
	for _, id := range slices.Concat(r.CRTCs, r.Connectors, planes) {
		for _, p := range f.MustProperties(id, uapi.ModeObjectAny) {
			arg := uapi.ModeGetProperty{PropID: p.ID}
			f.Must(uapi.IoctlModeGetProperty, &arg)
			all[p.ID] = arg
		}
	}
	return all
}

func allProperties(t *tester) {
	f := t.Open()
	for id, p := range f.allProperties() {
		name := unix.ByteSliceToString(p.Name[:])
		what := fmt.Sprintf("property %d, %q,", id, name)
		if name == "" {
			t.Errorf("%s has an empty name", what)
		}
		simple, extended := p.Flags&simpleTypes, p.Flags&uapi.ModePropExtendedType
		if bits.OnesCount32(simple) > 1 || (simple == 0) == (extended == 0) {
			t.Errorf("%s has the flags %#x, want exactly one type", what, p.Flags)
		}
		isRange := p.Flags&uapi.ModePropRange != 0 || extended == uapi.ModePropSignedRange
		if isRange && p.CountValues != 2 {
			t.Errorf("%s is a range of %d values", what, p.CountValues)
		}
		hasNames := p.Flags&(uapi.ModePropEnum|uapi.ModePropBitmask) != 0
		if hasNames != (p.CountEnumBlobs > 0) {
			t.Errorf("%s with the flags %#x has %d names", what, p.Flags, p.CountEnumBlobs)
		}
		if hasNames && p.CountValues != p.CountEnumBlobs {
			t.Errorf("%s has %d values and %d names", what, p.CountValues, p.CountEnumBlobs)
		}
	}
}

func propertyValues(t *tester) {
	f := t.Open()
	for id, p := range f.allProperties() {
		values, enums := make([]uint64, p.CountValues), make([]uapi.ModePropertyEnum, p.CountEnumBlobs)
		arg := uapi.ModeGetProperty{
			PropID: id, ValuesPtr: addr(t, values), CountValues: p.CountValues,
			EnumBlobPtr: addr(t, enums), CountEnumBlobs: p.CountEnumBlobs,
		}
		f.Want("with room", uapi.IoctlModeGetProperty, &arg)
		equal(t, "the name", arg.Name, p.Name)
		for i, e := range enums {
			equal(t, "the value of a name", e.Value, values[i])
			if e.Name[0] == 0 {
				t.Errorf("value %d of property %d has no name", e.Value, id)
			}
		}
		if p.CountValues > 0 {
			f.Want("with the values at a bad address", uapi.IoctlModeGetProperty,
				&uapi.ModeGetProperty{PropID: id, ValuesPtr: t.BadAddr(), CountValues: p.CountValues}, unix.EFAULT)
		}
		if p.CountEnumBlobs > 0 {
			f.Want("with the names at a bad address", uapi.IoctlModeGetProperty,
				&uapi.ModeGetProperty{PropID: id, EnumBlobPtr: t.BadAddr(), CountEnumBlobs: p.CountEnumBlobs}, unix.EFAULT)
		}
	}
}

// propertyLists checks that as many properties are returned as fit.
func propertyLists(t *tester) {
	f := t.Open()
	id := f.Display().Connector.ID
	count := uapi.ModeObjGetProperties{ObjID: id, ObjType: uapi.ModeObjectConnector}
	f.Must(uapi.IoctlModeObjGetProperties, &count)
	for _, room := range []uint32{0, 1, count.CountProps - 1, count.CountProps, count.CountProps + 1} {
		ids, values := make([]uint32, room+1), make([]uint64, room+1)
		arg := uapi.ModeObjGetProperties{
			ObjID: id, ObjType: uapi.ModeObjectConnector, PropsPtr: addr(t, ids), PropValuesPtr: addr(t, values), CountProps: room,
		}
		f.Want("with more or less room", uapi.IoctlModeObjGetProperties, &arg)
		equal(t, "the number of properties", arg.CountProps, count.CountProps)
		written := int(min(room, count.CountProps))
		if slices.Contains(ids[:written], 0) || slices.ContainsFunc(ids[written:], func(id uint32) bool { return id != 0 }) {
			t.Errorf("with room for %d: %d", room, ids)
		}
	}
	f.Want("with the ids at a bad address", uapi.IoctlModeObjGetProperties, &uapi.ModeObjGetProperties{
		ObjID: id, PropsPtr: t.BadAddr(), PropValuesPtr: addr(t, make([]uint64, 1)), CountProps: 1}, unix.EFAULT)
	f.Want("with the values at a bad address", uapi.IoctlModeObjGetProperties, &uapi.ModeObjGetProperties{
		ObjID: id, PropsPtr: addr(t, make([]uint32, 1)), PropValuesPtr: t.BadAddr(), CountProps: 1}, unix.EFAULT)
}

func noProperties(t *tester) {
	f := t.Open()
	for _, id := range []uint32{f.NewFB(64, 64), f.Display().Encoder} {
		f.Want("of an object without properties", uapi.IoctlModeObjGetProperties, &uapi.ModeObjGetProperties{ObjID: id}, unix.EINVAL)
		f.Want("of an object without properties", uapi.IoctlModeObjSetProperty, &uapi.ModeObjSetProperty{ObjID: id}, unix.EINVAL)
	}
}

// propertySet switches a connector off and on by DPMS, with both requests.
func propertySet(t *tester) {
	f := t.Open()
	id := f.Display().Connector.ID
	dpms, ok := f.MustProperties(id, uapi.ModeObjectConnector)["DPMS"]
	if !ok {
		t.Fatal("the connector has no property DPMS")
	}
	read := func() uint64 { return f.MustProperties(id, uapi.ModeObjectConnector)["DPMS"].Value }
	f.Want("of DPMS to off", uapi.IoctlModeSetProperty,
		&uapi.ModeConnectorSetProperty{ConnectorID: id, PropID: dpms.ID, Value: uapi.ModeDPMSOff})
	equal(t, "DPMS", read(), uapi.ModeDPMSOff)
	f.Want("of DPMS to on", uapi.IoctlModeObjSetProperty,
		&uapi.ModeObjSetProperty{ObjID: id, ObjType: uapi.ModeObjectConnector, PropID: dpms.ID, Value: uapi.ModeDPMSOn})
	equal(t, "DPMS", read(), uapi.ModeDPMSOn)
}

func propertySetErrors(t *tester) {
	f := t.Open()
	d := f.Display()
	connector := f.MustProperties(d.Connector.ID, uapi.ModeObjectConnector)
	plane := f.Plane(uapi.PlaneTypePrimary)
	planeType := f.MustProperties(plane, uapi.ModeObjectPlane)["type"]
	for _, c := range []struct {
		what  string
		arg   uapi.ModeObjSetProperty
		errno unix.Errno
	}{
		{"of a nonexistent property", uapi.ModeObjSetProperty{ObjID: d.Connector.ID, ObjType: uapi.ModeObjectConnector, PropID: 0x7ffffff0}, unix.EINVAL},
		{"of a property of another object", uapi.ModeObjSetProperty{ObjID: d.Connector.ID, ObjType: uapi.ModeObjectConnector, PropID: planeType.ID}, unix.EINVAL},
		{"of a property to an invalid value", uapi.ModeObjSetProperty{ObjID: d.Connector.ID, ObjType: uapi.ModeObjectConnector, PropID: connector["link-status"].ID, Value: 99}, unix.EINVAL},
		{"of an immutable property", uapi.ModeObjSetProperty{ObjID: plane, ObjType: uapi.ModeObjectPlane, PropID: planeType.ID, Value: planeType.Value}, unix.EINVAL},
		{"with the wrong object type", uapi.ModeObjSetProperty{ObjID: plane, ObjType: uapi.ModeObjectCRTC, PropID: planeType.ID}, unix.ENOENT},
	} {
		f.Want(c.what, uapi.IoctlModeObjSetProperty, &c.arg, c.errno)
	}
	f.Want("of an immutable property", uapi.IoctlModeSetProperty,
		&uapi.ModeConnectorSetProperty{ConnectorID: d.Connector.ID, PropID: connector["EDID"].ID}, unix.EINVAL)
}

// NewBlob makes a property blob and returns its id.
func (f *file) NewBlob(data []byte) uint32 {
	f.t.Helper()
	id, err := f.CreateBlob(data)
	f.t.Must("a property blob", err)
	return id
}

func blobCreate(t *tester) {
	f := t.Open()
	want := []byte("seventeen bytes !")
	id := f.NewBlob(want)
	if again := f.NewBlob(want); again == id || id == 0 {
		t.Errorf("two blobs have the ids %d and %d", id, again)
	}
	var length uapi.ModeGetBlob
	length.BlobID = id
	f.Want("without room", uapi.IoctlModeGetPropBlob, &length)
	equal(t, "the length", length.Length, uint32(len(want)))
	got := make([]byte, len(want))
	arg := uapi.ModeGetBlob{BlobID: id, Data: addr(t, got), Length: length.Length}
	t.Open().Want("by another file", uapi.IoctlModeGetPropBlob, &arg)
	if !bytes.Equal(got, want) {
		t.Errorf("the blob holds %q, want %q", got, want)
	}
	// It returns all or nothing.
	clear(got)
	arg.Length--
	f.Want("with too little room", uapi.IoctlModeGetPropBlob, &arg)
	equal(t, "the length with too little room", arg.Length, uint32(len(want)))
	equal(t, "the first byte with too little room", got[0], 0)
}

func blobErrors(t *tester) {
	f := t.Open()
	f.Want("of length 0", uapi.IoctlModeCreatePropBlob, &uapi.ModeCreateBlob{Data: addr(t, make([]byte, 1))}, unix.EINVAL)
	f.Want("at a bad address", uapi.IoctlModeCreatePropBlob, &uapi.ModeCreateBlob{Data: t.BadAddr(), Length: 4}, unix.EFAULT)
	f.Want("of nearly 4 GB", uapi.IoctlModeCreatePropBlob,
		&uapi.ModeCreateBlob{Data: addr(t, make([]byte, 1)), Length: 1<<32 - 1}, unix.EINVAL, unix.ENOMEM, unix.EFAULT)
	id := f.NewBlob(make([]byte, 4))
	f.Want("to a bad address", uapi.IoctlModeGetPropBlob, &uapi.ModeGetBlob{BlobID: id, Data: t.BadAddr(), Length: 4}, unix.EFAULT)
	t.Open().Want("by another file", uapi.IoctlModeDestroyPropBlob, &uapi.ModeDestroyBlob{BlobID: id}, unix.EPERM)
}

// blobLife checks that a blob lives until its file destroys it or is closed.
func blobLife(t *tester) {
	f, other := t.Open(), t.Open()
	id := f.NewBlob(make([]byte, 4))
	f.Want("", uapi.IoctlModeDestroyPropBlob, &uapi.ModeDestroyBlob{BlobID: id})
	f.Want("again", uapi.IoctlModeDestroyPropBlob, &uapi.ModeDestroyBlob{BlobID: id}, unix.ENOENT)
	other.Want("after DESTROYPROPBLOB", uapi.IoctlModeGetPropBlob, &uapi.ModeGetBlob{BlobID: id}, unix.ENOENT)
	id = f.NewBlob(make([]byte, 4))
	t.Must("close", f.Close())
	other.Want("after its file is closed", uapi.IoctlModeGetPropBlob, &uapi.ModeGetBlob{BlobID: id}, unix.ENOENT)
}
