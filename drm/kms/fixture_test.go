package kms_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/examples/display/panel"
	"github.com/udrm/udrm/internal/kmsclient"
)

// The ids of the objects of vkms with its default parameters.
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

// A display is a driver that the tests run on.
type display interface {
	BusDriver() *bus.Driver
	Device() *drm.Device
	ModeConfig() *kms.ModeConfig
	Buffers() *gem.Manager
}

// displays are the drivers that [onEachDisplay] runs a test on. Their first
// connector is connected and has a mode 1024x768 of 65 MHz; their vblanks run
// on the given clock.
var displays = map[string]func(class *drm.Class, clock kms.Clock) display{
	"vkms":  newVKMS,
	"panel": func(class *drm.Class, clock kms.Clock) display { return panel.New(class, clock) },
}

func newVKMS(class *drm.Class, clock kms.Clock) display {
	config := vkms.ConfigOf(drm.Linux612)
	config.Clock = clock
	return vkms.NewDriver(class, config)
}

// onEachDisplay runs a test on a device of each driver, on a stepped clock.
func onEachDisplay(t *testing.T, test func(f *fixture)) {
	for name, newDisplay := range displays {
		t.Run(name, func(t *testing.T) {
			clock := new(kms.ManualClock)
			f := newFixtureOn(t, newDisplay(newClass(t), clock))
			f.clock = clock
			test(f)
		})
	}
}

// A fixture is a device with one client.
type fixture struct {
	*testing.T
	*drmtest.Client
	clock  *kms.ManualClock // nil when time is real
	driver display
	parent *bus.Device
}

// newFixture makes a vkms device on a stepped clock, and a client of it. The
// test fails if a handler panics.
func newFixture(t *testing.T) *fixture {
	clock := new(kms.ManualClock)
	f := newFixtureOn(t, newVKMS(newClass(t), clock))
	f.clock = clock
	return f
}

// newFixtureOf makes a vkms device with the given configuration.
func newFixtureOf(t *testing.T, config vkms.Config) *fixture {
	return newFixtureOn(t, vkms.NewDriver(newClass(t), config))
}

// newFixtureOn makes a device of any driver.
func newFixtureOn(t *testing.T, driver display) *fixture {
	drmtest.NoLeaks(t)
	parent := bindTo(t, driver)
	return &fixture{T: t, driver: driver, parent: parent, Client: drmtest.Open(t, driver.Device().Primary())}
}

// newClass returns a class whose reports fail the test.
func newClass(t *testing.T) *drm.Class {
	return drm.NewClass(drm.ClassOptions{Logger: drmtest.NoReports(t)})
}

func bindTo(t *testing.T, driver display) *bus.Device {
	return drmtest.Bind(t, bus.New("platform"), "vkms", driver.BusDriver())
}

// kms returns the client as one whose pointers are those of this process.
func (f *fixture) kms() *kmsclient.Client { return kmsclient.New(f.Process()) }

// crtc and connector return the first CRTC and connector of the device.
func (f *fixture) crtc() uint32      { return f.driver.ModeConfig().CRTCs()[0].ID() }
func (f *fixture) connector() uint32 { return f.driver.ModeConfig().Connectors()[0].ID() }

// primary and cursor return the planes of the first CRTC.
func (f *fixture) primary() uint32 { return f.plane(uapi.PlaneTypePrimary) }
func (f *fixture) cursor() uint32  { return f.plane(uapi.PlaneTypeCursor) }

func (f *fixture) plane(planeType int) uint32 {
	f.Helper()
	planes := f.driver.ModeConfig().Planes()
	i := slices.IndexFunc(planes, func(p *kms.Plane) bool { return p.Type() == planeType })
	if i < 0 {
		f.Fatalf("the display has no plane of type %d", planeType)
	}
	return planes[i].ID()
}

// screenshot returns what the first CRTC shows.
func (f *fixture) screenshot() (*image.NRGBA, error) {
	m := f.driver.ModeConfig()
	return m.Screenshot(m.CRTCs()[0])
}

// open returns another client of the device.
func (f *fixture) open() *fixture {
	f.Helper()
	other := *f
	other.Client = drmtest.Open(f, f.driver.Device().Primary())
	return &other
}

// step runs the next timer of the clock: the next vblank, if any is awaited.
func (f *fixture) step() {
	f.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := f.clock.Step(ctx); err != nil {
		f.Fatal(err)
	}
}

// blocking runs a request that waits for a vblank, and steps the clock until it
// returns.
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

// must ends the test on an error.
func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// want fails the test unless err is errno; 0 stands for success.
func want(t testing.TB, what string, err error, errno unix.Errno) {
	t.Helper()
	if errno == 0 && err != nil || errno != 0 && !errors.Is(err, errno) {
		t.Errorf("%s: %v, want %v", what, err, errno)
	}
}

func ioctl[T any](f *fixture, cmd uint32, arg *T) error { return drmtest.Ioctl(f.Client, cmd, arg) }

func (f *fixture) setCap(capability, value uint64) {
	f.Helper()
	f.must(f.kms().SetClientCap(capability, value))
}

// allCaps enables all client capabilities.
func (f *fixture) allCaps() {
	f.Helper()
	f.setCap(uapi.ClientCapAtomic, 1)
	f.setCap(uapi.ClientCapWritebackConnectors, 1)
	f.setCap(uapi.ClientCapStereo3D, 1)
}

// dumb makes a buffer and returns its handle and pitch.
func (f *fixture) dumb(width, height, bpp uint32) (handle, pitch uint32) {
	f.Helper()
	dumb, err := f.kms().CreateDumb(width, height, bpp)
	f.must(err)
	return dumb.Handle, dumb.Pitch
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
	fb, err := f.kms().NewFB(width, height, bpp, format)
	f.must(err)
	return fb
}

// mode returns the mode of the first connector with the given name.
func (f *fixture) mode(name string) uapi.ModeInfo {
	f.Helper()
	c, err := f.kms().GetConnector(f.connector())
	f.must(err)
	m, err := c.Mode(name)
	f.must(err)
	return m
}

func cString(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}

// setCRTCArg returns a SETCRTC that shows fb in the named mode.
func (f *fixture) setCRTCArg(fb uint32, mode string) *uapi.ModeCRTC {
	f.Helper()
	return &uapi.ModeCRTC{
		CRTCID: f.crtc(), FBID: fb, ModeValid: 1, Mode: f.mode(mode),
		SetConnectorsPtr: drmtest.PutSlice(f.Arena, []uint32{f.connector()}), CountConnectors: 1,
	}
}

// enable shows a new framebuffer of 1024x768 and returns it.
func (f *fixture) enable() (fb uint32) {
	f.Helper()
	fb = f.fb(1024, 768, uapi.FormatXRGB8888)
	arg := f.setCRTCArg(fb, "1024x768")
	f.must(f.blocking(func() error { return ioctl(f, uapi.IoctlModeSetCRTC, arg) }))
	return fb
}

// disable switches the CRTC off, which takes no time unless a flip is pending.
func (f *fixture) disable() {
	f.Helper()
	f.must(f.kms().Disable(f.crtc()))
}

func (f *fixture) flip(fb uint32, flags uint32, userData uint64) error {
	return ioctl(f, uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{CRTCID: f.crtc(), FBID: fb, Flags: flags, UserData: userData})
}

// event reads one event, which must be pending.
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
	if _, err := binary.Decode(buf, binary.NativeEndian, e); err != nil {
		f.Fatal(err)
	}
}

// noEvent fails the test if an event is pending.
func (f *fixture) noEvent() {
	f.Helper()
	if n, err := f.File.Read(context.Background(), make([]byte, 32), true); !errors.Is(err, unix.EAGAIN) {
		f.Fatalf("an event is pending: %d bytes, %v", n, err)
	}
}

// properties returns the properties of an object in order, and their values.
func (f *fixture) properties(id, objectType uint32) (ids []uint32, values map[uint32]uint64) {
	f.Helper()
	list, err := f.kms().Properties(id, objectType)
	f.must(err)
	values = make(map[uint32]uint64)
	for _, p := range list {
		ids, values[p.ID] = append(ids, p.ID), p.Value
	}
	return ids, values
}

// planeArg returns a SETPLANE of fb without scaling.
func (f *fixture) planeArg(plane, fb uint32, x, y int32, w, h uint32) *uapi.ModeSetPlane {
	return &uapi.ModeSetPlane{
		PlaneID: plane, CRTCID: f.crtc(), FBID: fb, CRTCX: x, CRTCY: y, CRTCW: w, CRTCH: h, SrcW: w << 16, SrcH: h << 16,
	}
}
