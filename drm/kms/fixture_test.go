package kms_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// The ids of the kernel's vkms with its default parameters, which are ours.
const (
	primaryID   = 32
	cursorID    = 35
	crtcID      = 38
	connectorID = 39
	encoderID   = 40
	writebackID = 46

	dpmsID     = 2
	fbPropID   = 17
	activeID   = 22
	modePropID = 23
	crtcPropID = 20
	rotationID = 34
	gammaID    = 28
)

// A fixture is a vkms device with one client.
type fixture struct {
	*testing.T
	*drmtest.Client
	clock  *kms.ManualClock // nil when time is real
	driver *vkms.Driver
	parent *bus.Device
}

// newFixture makes a device on which time stands still, and a client of it.
// Nothing may panic.
func newFixture(t *testing.T) *fixture {
	clock := new(kms.ManualClock)
	config := vkms.DefaultConfig()
	config.Clock = clock
	f := newFixtureOf(t, config)
	f.clock = clock
	return f
}

func newFixtureOf(t *testing.T, config vkms.Config) *fixture {
	drmtest.NoLeaks(t)
	reports := drmtest.CollectReports(t)
	t.Cleanup(func() {
		for _, line := range reports.Take() {
			t.Errorf("reported: %s", line)
		}
	})
	driver := vkms.NewDriver(drm.NewClass(), config)
	parent := bindTo(t, driver)
	return &fixture{T: t, driver: driver, parent: parent, Client: drmtest.Open(t, driver.Device().Primary())}
}

func bindTo(t *testing.T, driver *vkms.Driver) *bus.Device {
	return drmtest.Bind(t, bus.New("platform"), "vkms", driver)
}

func (f *fixture) open() *fixture {
	f.Helper()
	other := *f
	other.Client = drmtest.Open(f, f.driver.Device().Primary())
	return &other
}

// step runs f's next timer: the next vblank, while vblanks are waited for.
func (f *fixture) step() {
	f.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := f.clock.Step(ctx); err != nil {
		f.Fatal(err)
	}
}

// blocking runs a request that waits for a vblank, and the vblank.
func (f *fixture) blocking(request func() error) error {
	f.Helper()
	if f.clock == nil {
		return request()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	stepped := make(chan struct{})
	go func() {
		defer close(stepped)
		for ctx.Err() == nil && f.clock.Step(ctx) == nil {
		}
	}()
	err := request()
	cancel()
	<-stepped
	return err
}

// must fails the test when err is one.
func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// want fails the test when err is not errno; 0 wants success.
func want(t testing.TB, what string, err error, errno unix.Errno) {
	t.Helper()
	if errno == 0 && err != nil || errno != 0 && !errors.Is(err, errno) {
		t.Errorf("%s: %v, want %v", what, err, errno)
	}
}

func ioctl[T any](f *fixture, cmd uint32, arg *T) error { return drmtest.Ioctl(f.Client, cmd, arg) }

func (f *fixture) setCap(capability, value uint64) {
	f.Helper()
	f.must(ioctl(f, uapi.IoctlSetClientCap, &uapi.SetClientCap{Capability: capability, Value: value}))
}

// allCaps declares that the client knows everything.
func (f *fixture) allCaps() {
	f.Helper()
	f.setCap(uapi.ClientCapAtomic, 1)
	f.setCap(uapi.ClientCapWritebackConnectors, 1)
	f.setCap(uapi.ClientCapStereo3D, 1)
}

// dumb makes a buffer and returns its handle and pitch.
func (f *fixture) dumb(width, height, bpp uint32) (handle, pitch uint32) {
	f.Helper()
	arg := uapi.ModeCreateDumb{Width: width, Height: height, BPP: bpp}
	f.must(ioctl(f, uapi.IoctlModeCreateDumb, &arg))
	return arg.Handle, arg.Pitch
}

// fb makes a framebuffer on a buffer of its own.
func (f *fixture) fb(width, height uint32, format uint32) uint32 {
	f.Helper()
	bpp := uint32(32)
	switch format {
	case uapi.FormatRGB565:
		bpp = 16
	case uapi.FormatXRGB16161616, uapi.FormatARGB16161616:
		bpp = 64
	}
	handle, pitch := f.dumb(width, height, bpp)
	arg := uapi.ModeFBCmd2{
		Width: width, Height: height, PixelFormat: format,
		Handles: [4]uint32{handle}, Pitches: [4]uint32{pitch},
	}
	f.must(ioctl(f, uapi.IoctlModeAddFB2, &arg))
	return arg.FBID
}

// modes returns the modes of the connector.
func (f *fixture) modes() []uapi.ModeInfo {
	f.Helper()
	arg := uapi.ModeGetConnector{ConnectorID: f.driver.ModeConfig().Connectors()[0].ID()}
	f.must(ioctl(f, uapi.IoctlModeGetConnector, &arg))
	modes := make([]uapi.ModeInfo, arg.CountModes)
	arg.CountProps, arg.CountEncoders = 0, 0
	arg.ModesPtr = drmtest.PutSlice(f.Arena, modes)
	f.must(ioctl(f, uapi.IoctlModeGetConnector, &arg))
	f.must(drmtest.GetSlice(f.Arena, modes, arg.ModesPtr))
	return modes
}

// mode returns the mode of that name.
func (f *fixture) mode(name string) uapi.ModeInfo {
	f.Helper()
	for _, m := range f.modes() {
		if cString(m.Name[:]) == name {
			return m
		}
	}
	f.Fatalf("there is no mode %s", name)
	panic("unreachable")
}

func cString(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}

// setCRTCArg is a SETCRTC of fb in the named mode.
func (f *fixture) setCRTCArg(fb uint32, mode string) *uapi.ModeCRTC {
	f.Helper()
	return &uapi.ModeCRTC{
		CRTCID: crtcID, FBID: fb, ModeValid: 1, Mode: f.mode(mode),
		SetConnectorsPtr: drmtest.PutSlice(f.Arena, []uint32{connectorID}), CountConnectors: 1,
	}
}

// light shows a framebuffer of 1024x768 and returns it.
func (f *fixture) light() (fb uint32) {
	f.Helper()
	fb = f.fb(1024, 768, uapi.FormatXRGB8888)
	arg := f.setCRTCArg(fb, "1024x768")
	f.must(f.blocking(func() error { return ioctl(f, uapi.IoctlModeSetCRTC, arg) }))
	return fb
}

// dark switches the CRTC off, which takes no time unless a flip is under way.
func (f *fixture) dark() {
	f.Helper()
	f.must(ioctl(f, uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: crtcID}))
}

func (f *fixture) flip(fb uint32, flags uint32, userData uint64) error {
	return ioctl(f, uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{CRTCID: crtcID, FBID: fb, Flags: flags, UserData: userData})
}

// event reads one event, which must be there already.
func (f *fixture) event() uapi.EventVblank {
	f.Helper()
	var e uapi.EventVblank
	f.readEvent(&e)
	return e
}

func (f *fixture) readEvent(e any) {
	f.Helper()
	buf := make([]byte, 32)
	n, err := f.File.Read(context.Background(), buf, true)
	if err != nil || n != len(buf) {
		f.Fatalf("reading an event: %d bytes, %v", n, err)
	}
	if _, err := binary.Decode(buf, binary.LittleEndian, e); err != nil {
		f.Fatal(err)
	}
}

// noEvent fails the test when there is an event to read.
func (f *fixture) noEvent() {
	f.Helper()
	if n, err := f.File.Read(context.Background(), make([]byte, 32), true); !errors.Is(err, unix.EAGAIN) {
		f.Fatalf("there is an event (%d bytes, %v), and should be none", n, err)
	}
}

// properties returns the properties of an object in order, and their values.
func (f *fixture) properties(id, objectType uint32) (ids []uint32, values map[uint32]uint64) {
	f.Helper()
	arg := uapi.ModeObjGetProperties{ObjID: id, ObjType: objectType}
	f.must(ioctl(f, uapi.IoctlModeObjGetProperties, &arg))
	ids, list := make([]uint32, arg.CountProps), make([]uint64, arg.CountProps)
	arg.PropsPtr, arg.PropValuesPtr = drmtest.PutSlice(f.Arena, ids), drmtest.PutSlice(f.Arena, list)
	f.must(ioctl(f, uapi.IoctlModeObjGetProperties, &arg))
	f.must(drmtest.GetSlice(f.Arena, ids, arg.PropsPtr))
	f.must(drmtest.GetSlice(f.Arena, list, arg.PropValuesPtr))
	values = make(map[uint32]uint64)
	for i, id := range ids {
		values[id] = list[i]
	}
	return ids, values
}

// planeArg is a SETPLANE of fb, unscaled.
func planeArg(plane, fb uint32, x, y int32, w, h uint32) *uapi.ModeSetPlane {
	return &uapi.ModeSetPlane{
		PlaneID: plane, CRTCID: crtcID, FBID: fb, CRTCX: x, CRTCY: y, CRTCW: w, CRTCH: h, SrcW: w << 16, SrcH: h << 16,
	}
}
