package kms_test

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

func (f *fixture) createBlob(data []byte) uint32 {
	f.Helper()
	arg := uapi.ModeCreateBlob{Data: f.Put(data), Length: uint32(len(data))}
	f.must(ioctl(f, uapi.IoctlModeCreatePropBlob, &arg))
	return arg.BlobID
}

func (f *fixture) readBlob(id uint32) ([]byte, error) {
	arg := uapi.ModeGetBlob{BlobID: id}
	if err := ioctl(f, uapi.IoctlModeGetPropBlob, &arg); err != nil {
		return nil, err
	}
	data := make([]byte, arg.Length)
	arg.Data = f.Put(data)
	f.must(ioctl(f, uapi.IoctlModeGetPropBlob, &arg))
	f.must(f.CopyFromUser(data, arg.Data))
	return data, nil
}

func TestBlobs(t *testing.T) {
	f := newFixture(t)
	data := []byte("not a mode")
	id := f.createBlob(data)
	if got, err := f.readBlob(id); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%q, %v", got, err)
	}
	other := f.open()
	if got, err := other.readBlob(id); err != nil || !bytes.Equal(got, data) {
		t.Errorf("another client reads %q, %v", got, err)
	}
	want(t, "destroying another's blob", ioctl(other, uapi.IoctlModeDestroyPropBlob, &uapi.ModeDestroyBlob{BlobID: id}), unix.EPERM)
	want(t, "destroying a blob of the device", ioctl(f, uapi.IoctlModeDestroyPropBlob, &uapi.ModeDestroyBlob{BlobID: 33}), unix.EPERM)
	f.must(ioctl(f, uapi.IoctlModeDestroyPropBlob, &uapi.ModeDestroyBlob{BlobID: id}))
	_, err := f.readBlob(id)
	want(t, "reading a blob that was destroyed", err, unix.ENOENT)
	want(t, "destroying it again", ioctl(f, uapi.IoctlModeDestroyPropBlob, &uapi.ModeDestroyBlob{BlobID: id}), unix.ENOENT)

	for _, tc := range []struct {
		length uint32
		addr   uint64
		errno  unix.Errno
	}{
		{0, badAddr, unix.EINVAL},
		{10, badAddr, unix.EFAULT},
		{math.MaxUint32, badAddr, unix.EINVAL},
		{math.MaxInt32, badAddr, unix.ENOMEM},
		{1 << 30, badAddr, unix.ENOMEM},
	} {
		want(t, "CREATEPROPBLOB", ioctl(f, uapi.IoctlModeCreatePropBlob, &uapi.ModeCreateBlob{Length: tc.length, Data: tc.addr}), tc.errno)
	}
	want(t, "GETPROPBLOB to nowhere", ioctl(f, uapi.IoctlModeGetPropBlob, &uapi.ModeGetBlob{BlobID: 33, Length: 72, Data: badAddr}), unix.EFAULT)

	// A client cannot fill the memory with blobs, and leaves none behind.
	objects := f.driver.ModeConfig().Objects()
	large := f.Put(make([]byte, 1<<20))
	for n := 0; ; n++ {
		err := ioctl(other, uapi.IoctlModeCreatePropBlob, &uapi.ModeCreateBlob{Data: large, Length: 1 << 20})
		if err != nil && n == 0 {
			other.Arena = f.Arena // the block is f's
			continue
		}
		if err != nil {
			want(t, "too many blobs", err, unix.ENOMEM)
			break
		}
		if n > 64 {
			t.Fatal("a client may have more than 64 MiB of blobs")
		}
	}
	other.File.Close()
	if got := f.driver.ModeConfig().Objects(); got != objects {
		t.Errorf("%d objects, there were %d", got, objects)
	}
}

func TestGetProperty(t *testing.T) {
	f := newFixture(t)
	for _, tc := range []struct {
		id     uint32
		name   string
		flags  uint32
		values []uint64
		enums  []string
	}{
		{2, "DPMS", uapi.ModePropEnum, []uint64{0, 1, 2, 3}, []string{"On", "Standby", "Suspend", "Off"}},
		{4, "TILE", uapi.ModePropBlob | uapi.ModePropImmutable, nil, nil},
		{8, "type", uapi.ModePropEnum | uapi.ModePropImmutable, []uint64{0, 1, 2}, []string{"Overlay", "Primary", "Cursor"}},
		{11, "SRC_W", uapi.ModePropRange | uapi.ModePropAtomic, []uint64{0, math.MaxUint32}, nil},
		{13, "CRTC_X", uapi.ModePropSignedRange | uapi.ModePropAtomic, []uint64{0xffffffff80000000, math.MaxInt32}, nil},
		{17, "FB_ID", uapi.ModePropObject | uapi.ModePropAtomic, []uint64{uapi.ModeObjectFB}, nil},
		{22, "ACTIVE", uapi.ModePropRange | uapi.ModePropAtomic, []uint64{0, 1}, nil},
		{28, "GAMMA_LUT", uapi.ModePropBlob, nil, nil},
		{34, "rotation", uapi.ModePropBitmask, []uint64{0, 1, 2, 3, 4, 5},
			[]string{"rotate-0", "rotate-90", "rotate-180", "rotate-270", "reflect-x", "reflect-y"}},
		{42, "WRITEBACK_FB_ID", uapi.ModePropObject | uapi.ModePropAtomic, []uint64{uapi.ModeObjectFB}, nil},
	} {
		arg := uapi.ModeGetProperty{PropID: tc.id}
		f.must(ioctl(f, uapi.IoctlModeGetProperty, &arg))
		values, enums := make([]uint64, arg.CountValues), make([]uapi.ModePropertyEnum, arg.CountEnumBlobs)
		arg.ValuesPtr = drmtest.PutSlice(f.Arena, values)
		arg.EnumBlobPtr = drmtest.PutSlice(f.Arena, enums)
		f.must(ioctl(f, uapi.IoctlModeGetProperty, &arg))
		f.must(drmtest.GetSlice(f.Arena, values, arg.ValuesPtr))
		f.must(drmtest.GetSlice(f.Arena, enums, arg.EnumBlobPtr))
		var names []string
		for i, e := range enums {
			names = append(names, cString(e.Name[:]))
			if e.Value != values[i] {
				t.Errorf("%s: %s is %d among the enums, %d among the values", tc.name, names[i], e.Value, values[i])
			}
		}
		if cString(arg.Name[:]) != tc.name || arg.Flags != tc.flags || !slices.Equal(values, tc.values) || !slices.Equal(names, tc.enums) {
			t.Errorf("property %d is %s, flags %#x, values %#x, enums %q", tc.id, cString(arg.Name[:]), arg.Flags, values, names)
		}
		if len(values) > 0 {
			arg.ValuesPtr = badAddr
			want(t, "values to nowhere", ioctl(f, uapi.IoctlModeGetProperty, &arg), unix.EFAULT)
		}
	}
}

// Clients see what they have said that they know.
func TestVisibility(t *testing.T) {
	f := newFixture(t)
	count := func() (planes, connectors, crtcProps, planeProps, connectorProps uint32) {
		p, r := uapi.ModeGetPlaneRes{}, uapi.ModeCardRes{}
		f.must(ioctl(f, uapi.IoctlModeGetPlaneResources, &p))
		f.must(ioctl(f, uapi.IoctlModeGetResources, &r))
		props := func(id uint32) uint32 {
			arg := uapi.ModeObjGetProperties{ObjID: id}
			f.must(ioctl(f, uapi.IoctlModeObjGetProperties, &arg))
			return arg.CountProps
		}
		return p.CountPlanes, r.CountConnectors, props(crtcID), props(primaryID), props(connectorID)
	}
	check := func(what string, want ...uint32) {
		t.Helper()
		a, b, c, d, e := count()
		if got := []uint32{a, b, c, d, e}; !slices.Equal(got, want) {
			t.Errorf("%s: planes, connectors and properties: %d, want %d", what, got, want)
		}
	}
	check("no capability", 0, 1, 3, 3, 4)
	f.setCap(uapi.ClientCapUniversalPlanes, 1)
	check("universal planes", 2, 1, 3, 3, 4)
	f.setCap(uapi.ClientCapAtomic, 1)
	check("atomic", 2, 1, 6, 14, 5)
	f.setCap(uapi.ClientCapWritebackConnectors, 1)
	check("writeback", 2, 2, 6, 14, 5)
	other := f.open()
	*f = *other
	check("another client", 0, 1, 3, 3, 4)
}

func TestSetPropertyErrors(t *testing.T) {
	f := newFixture(t)
	fb := f.enable()
	blob := f.createBlob([]byte("rubbish"))
	set := func(id, objectType, property uint32, value uint64) error {
		return f.blocking(func() error {
			return ioctl(f, uapi.IoctlModeObjSetProperty,
				&uapi.ModeObjSetProperty{ObjID: id, ObjType: objectType, PropID: property, Value: value})
		})
	}
	for _, tc := range []struct {
		name     string
		id       uint32
		property uint32
		value    uint64
		errno    unix.Errno
	}{
		{"rotation", primaryID, rotationID, 1 << 2, 0},
		{"reflection", primaryID, rotationID, 1 | 1<<4 | 1<<5, 0},
		{"two angles", primaryID, rotationID, 3, unix.EINVAL},
		{"no angle", primaryID, rotationID, 1 << 4, unix.EINVAL},
		{"unknown bit", primaryID, rotationID, 1 | 1<<6, unix.EINVAL},
		{"rotation of the other plane", primaryID, rotationID + 3, 1, unix.EINVAL},
		{"immutable", primaryID, 8, 0, unix.EINVAL},
		{"not attached", primaryID, dpmsID, 0, unix.EINVAL},
		{"no property", primaryID, 9999, 0, unix.EINVAL},
		{"an object as property", primaryID, crtcID, 0, unix.EINVAL},
		{"framebuffer of a wrong kind", primaryID, fbPropID, crtcID, unix.EINVAL},
		{"unknown framebuffer", primaryID, fbPropID, 9999, unix.EINVAL},
		{"framebuffer beyond 32 bits", primaryID, fbPropID, 1<<32 | uint64(fb), 0},
		{"no framebuffer beyond 32 bits", primaryID, fbPropID, 1 << 32, unix.EINVAL},
		{"unknown CRTC", primaryID, crtcPropID, 9999, unix.EINVAL},
		{"source out of range", primaryID, 11, 1 << 32, unix.EINVAL},
		{"place out of range", primaryID, 13, 1 << 31, unix.EINVAL},
		{"an out fence", crtcID, 19, badAddr, unix.EFAULT},
		{"no out fence", crtcID, 19, 0, 0},
		{"an in fence", primaryID, 18, 0, unix.EINVAL},
		{"no in fence", primaryID, 18, math.MaxUint64, 0},
		{"in fence -2", primaryID, 18, math.MaxUint64 - 1, unix.EINVAL},
		{"VRR", crtcID, 24, 1, 0},
		{"VRR 2", crtcID, 24, 2, unix.EINVAL},
		{"rubbish as mode", crtcID, modePropID, uint64(blob), unix.EINVAL},
		{"unknown mode", crtcID, modePropID, 9999, unix.EINVAL},
		{"no mode while active", crtcID, modePropID, 0, unix.EINVAL},
		{"rubbish as gamma", crtcID, gammaID, uint64(blob), unix.EINVAL},
		{"too much gamma", crtcID, gammaID, uint64(f.createBlob(make([]byte, 257*8))), unix.EINVAL},
		{"gamma", crtcID, gammaID, uint64(f.createBlob(make([]byte, 256*8))), 0},
		{"no gamma", crtcID, gammaID, 0, 0},
		{"size of gamma", crtcID, 29, 512, unix.EINVAL},
		{"link-status", connectorID, 5, 1, 0},
		{"writeback of a display", connectorID, 42, 0, unix.EINVAL},
		{"nothing to write back", writebackID, 42, 0, 0},
		{"writeback, which is not there yet", writebackID, 42, uint64(fb), unix.EINVAL},
	} {
		want(t, tc.name, set(tc.id, uapi.ModeObjectAny, tc.property, tc.value), tc.errno)
	}
	// A refused change changes nothing; a bad link is for the hardware to find.
	f.setCap(uapi.ClientCapAtomic, 1)
	_, plane := f.properties(primaryID, uapi.ModeObjectPlane)
	_, connector := f.properties(connectorID, uapi.ModeObjectConnector)
	if plane[fbPropID] != uint64(fb) || plane[rotationID] != 1|1<<4|1<<5 || connector[5] != 0 {
		t.Errorf("FB_ID %d, rotation %#x, link-status %d", plane[fbPropID], plane[rotationID], connector[5])
	}
	want(t, "SETPROPERTY of a CRTC", ioctl(f, uapi.IoctlModeSetProperty,
		&uapi.ModeConnectorSetProperty{ConnectorID: crtcID, PropID: 24, Value: 0}), unix.ENOENT)
}

func TestGamma(t *testing.T) {
	f := newFixture(t)
	f.enable()
	tables := func() (lut [3][]uint16) {
		arg := uapi.ModeCRTCLUT{CRTCID: crtcID, GammaSize: 256}
		addrs := [3]*uint64{&arg.Red, &arg.Green, &arg.Blue}
		for i := range lut {
			lut[i] = make([]uint16, 256)
			*addrs[i] = drmtest.PutSlice(f.Arena, lut[i])
		}
		f.must(ioctl(f, uapi.IoctlModeGetGamma, &arg))
		for i := range lut {
			f.must(drmtest.GetSlice(f.Arena, lut[i], *addrs[i]))
		}
		return lut
	}
	if lut := tables(); lut[0][255] != 255<<8 || lut[2][1] != 1<<8 {
		t.Errorf("the gamma table begins as %v", lut[0])
	}
	ramp := make([]uint16, 256)
	for i := range ramp {
		ramp[i] = uint16(i * 3)
	}
	arg := uapi.ModeCRTCLUT{CRTCID: crtcID, GammaSize: 256}
	arg.Red = drmtest.PutSlice(f.Arena, ramp)
	arg.Green, arg.Blue = arg.Red, arg.Red
	f.must(f.blocking(func() error { return ioctl(f, uapi.IoctlModeSetGamma, &arg) }))
	if lut := tables(); !slices.Equal(lut[1], ramp) {
		t.Errorf("the gamma table is %v", lut[1])
	}
	_, values := f.properties(crtcID, uapi.ModeObjectCRTC)
	lut, err := f.readBlob(uint32(values[gammaID]))
	if err != nil || len(lut) != 256*8 || lut[8*5] != 15 {
		t.Errorf("GAMMA_LUT has %d bytes, %v", len(lut), err)
	}
	for _, size := range []uint32{0, 255, 257, math.MaxUint32} {
		want(t, "SETGAMMA of another size", ioctl(f, uapi.IoctlModeSetGamma, &uapi.ModeCRTCLUT{CRTCID: crtcID, GammaSize: size}), unix.EINVAL)
		want(t, "GETGAMMA of another size", ioctl(f, uapi.IoctlModeGetGamma, &uapi.ModeCRTCLUT{CRTCID: crtcID, GammaSize: size}), unix.EINVAL)
	}
	arg.Blue = badAddr
	want(t, "SETGAMMA from nowhere", ioctl(f, uapi.IoctlModeSetGamma, &arg), unix.EFAULT)
	want(t, "GETGAMMA to nowhere", ioctl(f, uapi.IoctlModeGetGamma, &arg), unix.EFAULT)
}
