package kms_test

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// twin is a display of two CRTCs. Both can feed either connector; a third
// connector shares the encoder of the second. Its hardware cannot light a CRTC
// without its primary plane.
type twin struct {
	m      *kms.ModeConfig
	irqs   [2]bool
	counts [2]uint64
}

func (d *twin) driver() kms.Driver {
	return kms.Driver{
		Check:         d.check,
		EnableVblank:  func(_ *drm.RegisteredDevice, c *kms.CRTC) { d.irqs[c.Index()] = true },
		DisableVblank: func(_ *drm.RegisteredDevice, c *kms.CRTC) { d.irqs[c.Index()] = false },
		Vblank:        func(_ *drm.RegisteredDevice, c *kms.CRTC, n uint64) { d.counts[c.Index()] = n },
	}
}

func (d *twin) check(a *kms.AtomicState) error {
	for i, c := range d.m.CRTCs() {
		if a.New().CRTC(c).Active && a.New().Plane(d.m.Planes()[i]).FB == nil {
			return fmt.Errorf("no primary plane: %w", unix.EINVAL)
		}
	}
	return nil
}

// A twinFixture is a client of such a display, with the ids of its objects.
type twinFixture struct {
	*fixture
	display    *twin
	device     *drm.Device
	crtcs      [2]uint32
	planes     []uint32 // primary of either CRTC, then an overlay for both
	connectors [3]uint32
}

func newTwin(t *testing.T) *twinFixture {
	f := &twinFixture{fixture: &fixture{T: t, clock: new(kms.ManualClock)}, display: new(twin)}
	buffers := gem.New()
	m := kms.New(kms.Config{
		Driver: f.display.driver(), Buffers: buffers, Clock: f.clock,
		Limits: kms.Limits{MaxWidth: 4096, MaxHeight: 4096},
	})
	f.display.m = m
	formats := []uint32{uapi.FormatXRGB8888}
	var primaries [2]*kms.Plane
	for i := range primaries {
		primaries[i] = m.AddPlane(kms.PlaneConfig{Type: uapi.PlaneTypePrimary, PossibleCRTCs: 1 << i, Formats: formats})
		f.planes = append(f.planes, primaries[i].ID())
	}
	f.planes = append(f.planes, m.AddPlane(kms.PlaneConfig{Type: uapi.PlaneTypeOverlay, PossibleCRTCs: 3, Formats: formats}).ID())
	for i, p := range primaries {
		f.crtcs[i] = m.AddCRTC(kms.CRTCConfig{Primary: p}).ID()
	}
	timing := mode.Mode{Clock: 65000, HDisplay: 1024, HSyncStart: 1048, HSyncEnd: 1184, HTotal: 1344,
		VDisplay: 768, VSyncStart: 771, VSyncEnd: 777, VTotal: 806, Name: "1024x768"}
	var encoder *kms.Encoder
	for i := range f.connectors {
		c := m.AddConnector(kms.ConnectorConfig{Type: uapi.ModeConnectorHDMIA, Monitor: &kms.Monitor{Modes: []mode.Mode{timing}}})
		f.connectors[i] = c.ID()
		if i < 2 {
			encoder = m.AddEncoder(kms.EncoderConfig{Type: uapi.ModeEncoderTMDS, PossibleCRTCs: 3, PossibleClones: 3})
		}
		c.AttachEncoder(encoder)
	}
	driver := &drmtest.Driver{
		Class: drm.NewClass(drm.ClassOptions{}), Parts: []drm.Part{m, buffers}, Offers: drm.FeatureGEM | drm.FeatureModeset | drm.FeatureAtomic,
	}
	drmtest.Bind(t, bus.New("platform"), "twin", driver.BusDriver())
	f.device = driver.Device
	f.driver = &bare{Driver: driver, m: m, buffers: buffers}
	f.Client = drmtest.Open(t, f.device.Primary())
	f.setCap(uapi.ClientCapAtomic, 1)
	return f
}

// show sets a CRTC to a framebuffer of its own, by SETCRTC.
func (f *twinFixture) show(crtc int, connectors ...uint32) (fb uint32, err error) {
	fb = f.fb(1024, 768, uapi.FormatXRGB8888)
	arg := &uapi.ModeCRTC{
		CRTCID: f.crtcs[crtc], FBID: fb, ModeValid: 1,
		Mode: uapi.ModeInfo{Clock: 65000, HDisplay: 1024, HSyncStart: 1048, HSyncEnd: 1184, HTotal: 1344,
			VDisplay: 768, VSyncStart: 771, VSyncEnd: 777, VTotal: 806},
		CountConnectors: uint32(len(connectors)), SetConnectorsPtr: drmtest.PutSlice(f.Arena, connectors),
	}
	return fb, f.blocking(func() error { return ioctl(f.fixture, uapi.IoctlModeSetCRTC, arg) })
}

func (f *twinFixture) mustShow(crtc int, connectors ...uint32) uint32 {
	f.Helper()
	fb, err := f.show(crtc, connectors...)
	f.must(err)
	return fb
}

// lit returns which CRTCs have a mode, and which CRTC feeds each connector.
func (f *twinFixture) lit() (lit [2]bool, feeds [3]uint64) {
	for i, id := range f.crtcs {
		_, v := f.properties(id, uapi.ModeObjectCRTC)
		lit[i] = v[activeID] == 1 && v[modePropID] != 0
	}
	for i, id := range f.connectors {
		_, v := f.properties(id, uapi.ModeObjectConnector)
		feeds[i] = v[crtcPropID]
	}
	return lit, feeds
}

func TestTwoCRTCs(t *testing.T) {
	f := newTwin(t)
	a := f.mustShow(0, f.connectors[0])
	f.clock.Advance(framePeriod / 2)
	b := f.mustShow(1, f.connectors[1])
	if lit, _ := f.lit(); lit != [2]bool{true, true} {
		t.Fatalf("lit: %v", lit)
	}

	// Their vblanks are their own.
	for i, fb := range []uint32{a, b} {
		f.must(ioctl(f.fixture, uapi.IoctlModePageFlip,
			&uapi.ModeCRTCPageFlip{CRTCID: f.crtcs[i], FBID: fb, Flags: uapi.ModePageFlipEvent, UserData: uint64(i)}))
	}
	f.step()
	first := f.event()
	f.noEvent()
	f.step()
	second := f.event()
	if first.CRTCID == second.CRTCID || f.crtcs[first.UserData] != first.CRTCID || f.crtcs[second.UserData] != second.CRTCID {
		t.Errorf("events %+v and %+v", first, second)
	}
	if f.display.irqs != [2]bool{} {
		t.Errorf("no client waits, but vblanks are enabled: %v", f.display.irqs)
	}
	for _, flags := range []uint32{uapi.VblankSecondary, 1 << uapi.VblankHighCRTCShift} {
		f.must(ioctl(f.fixture, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative|uapi.VblankEvent|flags, 0, 7)))
		if e := f.event(); e.CRTCID != f.crtcs[1] || e.UserData != 7 {
			t.Errorf("WAIT_VBLANK of type %#x: event %+v", flags, e)
		}
	}

	// One commit for both gives an event for each.
	f.must(f.atomic(uapi.ModeAtomicNonblock|uapi.ModePageFlipEvent, 8,
		change{f.planes[0], fbPropID, uint64(b)}, change{f.planes[1], fbPropID, uint64(a)}))
	f.step()
	f.step()
	if x, y := f.event(), f.event(); x.CRTCID == y.CRTCID || x.UserData != 8 || y.UserData != 8 {
		t.Errorf("events %+v and %+v", x, y)
	}

	// A plane moves from one to the other with a stop between.
	overlay := func(crtc int) error {
		arg := f.planeArg(f.planes[2], a, 0, 0, 100, 100)
		arg.CRTCID = f.crtcs[crtc]
		return f.blocking(func() error { return ioctl(f.fixture, uapi.IoctlModeSetPlane, arg) })
	}
	f.must(overlay(0))
	want(t, "moving a plane at once", overlay(1), unix.EINVAL)
	f.must(f.blocking(func() error {
		return ioctl(f.fixture, uapi.IoctlModeSetPlane, &uapi.ModeSetPlane{PlaneID: f.planes[2]})
	}))
	f.must(overlay(1))
	arg := f.planeArg(f.planes[0], a, 0, 0, 1024, 768)
	arg.CRTCID = f.crtcs[1]
	want(t, "a plane of the other CRTC", ioctl(f.fixture, uapi.IoctlModeSetPlane, arg), unix.EINVAL)
}

func TestConnectorRouting(t *testing.T) {
	f := newTwin(t)
	f.mustShow(0, f.connectors[0], f.connectors[1])
	if lit, feeds := f.lit(); lit != [2]bool{true, false} || feeds != [3]uint64{uint64(f.crtcs[0]), uint64(f.crtcs[0]), 0} {
		t.Errorf("lit %v, fed by %v", lit, feeds)
	}
	// The second CRTC takes a connector away; the first goes on with the other.
	f.mustShow(1, f.connectors[1])
	if lit, feeds := f.lit(); lit != [2]bool{true, true} || feeds != [3]uint64{uint64(f.crtcs[0]), uint64(f.crtcs[1]), 0} {
		t.Errorf("lit %v, fed by %v", lit, feeds)
	}
	// It takes the last one of the first, which goes off.
	f.mustShow(1, f.connectors[0])
	if lit, feeds := f.lit(); lit != [2]bool{false, true} || feeds != [3]uint64{uint64(f.crtcs[1]), 0, 0} {
		t.Errorf("lit %v, fed by %v", lit, feeds)
	}
	// A connector that needs the encoder of another: SETCRTC takes it.
	f.mustShow(0, f.connectors[1])
	_, err := f.show(1, f.connectors[1], f.connectors[2])
	want(t, "two connectors on one encoder", err, unix.EINVAL)
	f.mustShow(1, f.connectors[2])
	if lit, feeds := f.lit(); lit != [2]bool{false, true} || feeds != [3]uint64{0, 0, uint64(f.crtcs[1])} {
		t.Errorf("lit %v, fed by %v", lit, feeds)
	}
	// An atomic request does not.
	scene := []change{{f.connectors[1], crtcPropID, uint64(f.crtcs[1])}}
	want(t, "an encoder that is taken", f.atomic(uapi.ModeAtomicAllowModeset, 0, scene...), unix.EINVAL)
}

// Where the hardware needs the primary plane, removing its framebuffer
// switches the CRTC off.
func TestRemovedFramebufferSwitchesOff(t *testing.T) {
	f := newTwin(t)
	fb := f.mustShow(0, f.connectors[0])
	f.mustShow(1, f.connectors[1])
	f.must(f.blocking(func() error { id := fb; return ioctl(f.fixture, uapi.IoctlModeRmFB, &id) }))
	if lit, feeds := f.lit(); lit != [2]bool{false, true} || feeds[0] != 0 {
		t.Errorf("lit %v, fed by %v", lit, feeds)
	}
}

// Without a gamma table and a cursor the requests for them say so.
func TestWithoutGamma(t *testing.T) {
	f := newTwin(t)
	want(t, "SETGAMMA", ioctl(f.fixture, uapi.IoctlModeSetGamma, &uapi.ModeCRTCLUT{CRTCID: f.crtcs[0]}), unix.ENOSYS)
	want(t, "GETGAMMA", ioctl(f.fixture, uapi.IoctlModeGetGamma, &uapi.ModeCRTCLUT{CRTCID: f.crtcs[0], GammaSize: 256}), unix.EINVAL)
}

func TestObjectsCannotComeLate(t *testing.T) {
	f := newTwin(t)
	defer func() {
		if recover() == nil {
			t.Error("a plane was added to a device that is registered")
		}
	}()
	f.display.m.AddPlane(kms.PlaneConfig{})
}
