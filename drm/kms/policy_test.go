package kms_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// TestObjectLimits checks that a driver cannot add more objects than the masks
// of the uAPI have bits for.
func TestObjectLimits(t *testing.T) {
	m := kms.New(kms.Config{Buffers: gem.New()})
	var primary *kms.Plane
	for range 32 {
		primary = m.AddPlane(kms.PlaneConfig{Formats: bareFormats})
		m.AddCRTC(kms.CRTCConfig{Primary: primary})
		m.AddEncoder(kms.EncoderConfig{})
		m.AddConnector(kms.ConnectorConfig{Type: uapi.ModeConnectorHDMIA})
	}
	mustPanic(t, "at most 32 planes", func() { m.AddPlane(kms.PlaneConfig{}) })
	mustPanic(t, "at most 32 CRTCs", func() { m.AddCRTC(kms.CRTCConfig{Primary: primary}) })
	mustPanic(t, "at most 32 encoders", func() { m.AddEncoder(kms.EncoderConfig{}) })
	mustPanic(t, "at most 32 connectors", func() { m.AddConnector(kms.ConnectorConfig{}) })
	mustPanic(t, "longer than 31 bytes", func() { m.CreateBoolProperty(strings.Repeat("x", 32), 0) })
	property := m.CreateRangeProperty("a range", 0, 1, 2)
	mustPanic(t, "cannot begin with 0x0", func() { m.AttachProperty(primary, property, kms.PropertyConfig{}) })
	m.AttachProperty(primary, property, kms.PropertyConfig{Initial: 1})
	mustPanic(t, "has property a range already", func() { m.AttachProperty(primary, property, kms.PropertyConfig{Initial: 1}) })
	mustPanic(t, "zpos 3 is not in [0, 2]", func() { primary.CreateZposProperty(3, 0, 2) })
}

// TestEmptyFramebuffer checks that a framebuffer has pixels, whatever the
// driver's limits are.
func TestEmptyFramebuffer(t *testing.T) {
	_, f := newBare(t, policy{})
	handle, pitch := f.dumb(64, 64, 32)
	for _, size := range [][2]uint32{{0, 64}, {64, 0}, {0, 0}} {
		arg := uapi.ModeFBCmd2{
			Width: size[0], Height: size[1], PixelFormat: uapi.FormatXRGB8888, Handles: [4]uint32{handle}, Pitches: [4]uint32{pitch},
		}
		want(t, fmt.Sprintf("ADDFB2 of %v", size), ioctl(f, uapi.IoctlModeAddFB2, &arg), unix.EINVAL)
	}
}

// TestDriverCheck checks that a driver can refuse a change with a reason, which
// reaches clients in the same process and changes nothing.
func TestDriverCheck(t *testing.T) {
	var p *bare
	var refuse error
	p, f := newBare(t, policy{driver: kms.Driver{Check: func(a *kms.AtomicState) error {
		for plane := range a.Planes() {
			if plane == p.overlay && a.New().Plane(plane).FB != nil {
				return refuse
			}
		}
		return nil
	}}})
	f.enable()
	fb := f.fb(64, 64, uapi.FormatXRGB8888)
	changes := f.show(p.overlay, p.crtc, fb, 0, 0, 64, 64, 64, 64)
	for _, errno := range []unix.Errno{unix.ENOSPC, unix.EBUSY, unix.EINVAL} {
		refuse = fmt.Errorf("bare: no scaler is left: %w", errno)
		for _, flags := range []uint32{0, uapi.ModeAtomicTestOnly, uapi.ModeAtomicNonblock} {
			err := f.atomic(flags, 0, changes...)
			want(t, "ATOMIC", err, errno)
			if !strings.Contains(fmt.Sprint(err), "no scaler is left") {
				t.Errorf("the error is %q, want the driver's reason", err)
			}
		}
	}
	f.wantValue("after refusals", p.overlay, "FB_ID", 0)
	refuse = nil
	f.must(f.blocking(func() error { return f.atomic(0, 0, changes...) }))
	f.wantValue("after success", p.overlay, "FB_ID", uint64(fb))
}

// TestScalingLimits checks the limits of planes that scale and that do not.
func TestScalingLimits(t *testing.T) {
	p, f := newBare(t, policy{})
	f.enable()
	fb := f.fb(400, 400, uapi.FormatXRGB8888)
	for _, tc := range []struct {
		plane      *kms.Plane
		crtcW, src uint32
		errno      unix.Errno
	}{
		{p.primary, 100, 100, 0}, {p.primary, 101, 100, unix.ERANGE}, {p.primary, 99, 100, unix.ERANGE},
		{p.overlay, 400, 100, 0}, {p.overlay, 401, 100, unix.ERANGE},
		{p.overlay, 100, 400, 0}, {p.overlay, 99, 400, unix.ERANGE},
	} {
		changes := f.show(tc.plane, p.crtc, fb, 0, 0, tc.crtcW, 100, tc.src, 100)
		err := f.atomic(uapi.ModeAtomicTestOnly, 0, changes...)
		want(t, fmt.Sprintf("plane %d: %d as %d pixels", tc.plane.ID(), tc.src, tc.crtcW), err, tc.errno)
	}
}

// TestPlacement checks planes that must cover their CRTC, and need it enabled.
func TestPlacement(t *testing.T) {
	var whole *kms.Plane
	p, f := newBare(t, policy{attach: func(p *bare) {
		whole = p.m.AddPlane(kms.PlaneConfig{
			Type: uapi.PlaneTypeOverlay, PossibleCRTCs: 1, Formats: bareFormats, MustCover: true, NeedsEnabled: true,
		})
	}})
	fb := f.fb(1024, 768, uapi.FormatXRGB8888)
	try := func(what string, errno unix.Errno, x, y int, w, h uint32) {
		t.Helper()
		err := f.atomic(uapi.ModeAtomicTestOnly, 0, f.show(whole, p.crtc, fb, x, y, w, h, w, h)...)
		want(t, what, err, errno)
	}
	try("on a disabled CRTC", unix.EINVAL, 0, 0, 1024, 768)
	f.enable()
	try("the whole screen", 0, 0, 0, 1024, 768)
	try("moved", unix.EINVAL, 1, 0, 1024, 768)
	try("too small", unix.EINVAL, 0, 0, 1024, 767)
	try("outside", 0, 2000, 0, 1024, 768)
}

// TestCRCSources checks a driver with more than one place for checksums.
func TestCRCSources(t *testing.T) {
	p, _ := newBare(t, policy{crtc: kms.CRTCConfig{CRCSources: []string{"plane1", "auto", "pipe"}}})
	if got := p.crtc.CRCControl(); got != "plane1\nauto*\npipe\n" {
		t.Errorf("control is %q", got)
	}
	want(t, "pipe", p.crtc.SetCRCControl([]byte("pipe\n")), 0)
	want(t, "an unknown source", p.crtc.SetCRCControl([]byte("port")), unix.EINVAL)
	if got := p.crtc.CRCControl(); got != "plane1\nauto\npipe*\n" {
		t.Errorf("control is %q", got)
	}
}

// TestAffectedObjects checks that a driver finds in a modeset all planes and
// connectors of the CRTC, though the request names the CRTC only.
func TestAffectedObjects(t *testing.T) {
	var planes, connectors, checks int
	p, f := newBare(t, policy{
		driver: kms.Driver{Check: func(a *kms.AtomicState) error {
			planes, connectors = 0, 0
			for range a.Planes() {
				planes++
			}
			for range a.Connectors() {
				connectors++
			}
			return nil
		}},
		attach: func(p *bare) {
			property := p.m.CreateRangeProperty("filter", 0, 0, 1)
			p.m.AttachProperty(p.overlay, property, kms.PropertyConfig{Check: func(*kms.AtomicState) error {
				checks++
				return nil
			}})
		},
	})
	f.enable()
	fb := f.fb(64, 64, uapi.FormatXRGB8888)
	f.must(f.blocking(func() error {
		return f.atomic(0, 0, f.show(p.overlay, p.crtc, fb, 0, 0, 64, 64, 64, 64)...)
	}))
	checks = 0
	f.must(f.atomic(uapi.ModeAtomicTestOnly, 0, f.set(p.crtc, "VRR_ENABLED", 0)))
	if planes != 0 || connectors != 0 || checks != 0 {
		t.Errorf("without a modeset: %d planes, %d connectors, %d checks; want none", planes, connectors, checks)
	}
	f.must(f.atomic(uapi.ModeAtomicTestOnly|uapi.ModeAtomicAllowModeset, 0, f.set(p.crtc, "ACTIVE", 0)))
	if planes != 2 || connectors != 1 || checks != 1 {
		t.Errorf("in a modeset: %d planes, %d connectors, %d checks; want 2, 1, 1", planes, connectors, checks)
	}
}

// TestAffectedZpos checks that a driver finds in a change the planes that it
// moves in the stack without naming them.
func TestAffectedZpos(t *testing.T) {
	var primary bool
	var p *bare
	p, f := newBare(t, policy{
		driver: kms.Driver{Check: func(a *kms.AtomicState) error {
			primary = false
			for plane := range a.Planes() {
				primary = primary || plane == p.primary
			}
			return nil
		}},
		attach: func(p *bare) {
			p.primary.CreateZposProperty(1, 1, 1)
			p.overlay.CreateZposProperty(2, 0, 2)
		},
	})
	f.enable()
	fb := f.fb(64, 64, uapi.FormatXRGB8888)
	f.must(f.blocking(func() error {
		return f.atomic(0, 0, f.show(p.overlay, p.crtc, fb, 0, 0, 64, 64, 64, 64)...)
	}))
	if primary {
		t.Error("a plane on top of the primary plane changes it")
	}
	f.must(f.atomic(uapi.ModeAtomicTestOnly, 0, f.set(p.overlay, "zpos", 0)))
	if !primary {
		t.Error("the primary plane is moved up, but is not part of the change")
	}
}

// TestWithoutAtomic checks a driver that offers legacy modesetting only.
func TestWithoutAtomic(t *testing.T) {
	_, f := newBare(t, policy{legacy: true, limits: kms.Limits{AsyncPageFlip: true}})
	want(t, "ATOMIC", ioctl(f, uapi.IoctlModeAtomic, &uapi.ModeAtomic{}), unix.EOPNOTSUPP)
	for capability, value := range map[uint64]uint64{uapi.CapAsyncPageFlip: 1, uapi.CapAtomicAsyncPageFlip: 0} {
		arg := uapi.GetCap{Capability: capability, Value: 99}
		if f.must(ioctl(f, uapi.IoctlGetCap, &arg)); arg.Value != value {
			t.Errorf("capability %#x is %d, want %d", capability, arg.Value, value)
		}
	}
	f.enable()
}
