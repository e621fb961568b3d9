package kms_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A bare is a driver whose policy a test decides: one CRTC with a connector, a
// primary plane, and an overlay that scales by up to 4 each way.
type bare struct {
	*drmtest.Driver
	m       *kms.ModeConfig
	buffers *gem.Manager

	primary, overlay *kms.Plane
	crtc             *kms.CRTC
	connector        *kms.Connector
}

func (p *bare) Device() *drm.Device { return p.Driver.Device }

func (p *bare) ModeConfig() *kms.ModeConfig { return p.m }

func (p *bare) Buffers() *gem.Manager { return p.buffers }

// A policy is what a test adds to a bare driver. Each part may be left out.
type policy struct {
	driver kms.Driver
	limits kms.Limits
	crtc   kms.CRTCConfig
	attach func(p *bare) // adds properties
	legacy bool          // without FeatureAtomic
	offers drm.Features  // beside those of every display
	// reports collects what is logged; nil fails the test instead.
	reports *drmtest.Reports
}

var mode1024 = mode.Mode{
	Clock: 65000, HDisplay: 1024, HSyncStart: 1048, HSyncEnd: 1184, HTotal: 1344,
	VDisplay: 768, VSyncStart: 771, VSyncEnd: 777, VTotal: 806, Name: "1024x768",
}

var bareFormats = []uint32{uapi.FormatXRGB8888, uapi.FormatARGB8888}

func newBare(t *testing.T, policy policy) (*bare, *fixture) {
	clock := new(kms.ManualClock)
	policy.limits.MaxWidth, policy.limits.MaxHeight = 4096, 4096
	p := &bare{buffers: gem.New()}
	p.m = kms.New(kms.Config{Driver: policy.driver, Buffers: p.buffers, Limits: policy.limits, Clock: clock})
	p.primary = p.m.AddPlane(kms.PlaneConfig{Type: uapi.PlaneTypePrimary, PossibleCRTCs: 1, Formats: bareFormats})
	p.overlay = p.m.AddPlane(kms.PlaneConfig{
		Type: uapi.PlaneTypeOverlay, PossibleCRTCs: 1, Formats: bareFormats, MinScale: 1 << 14, MaxScale: 1 << 18,
	})
	policy.crtc.Primary = p.primary
	p.crtc = p.m.AddCRTC(policy.crtc)
	p.connector = p.m.AddConnector(kms.ConnectorConfig{
		Type: uapi.ModeConnectorHDMIA, Monitor: &kms.Monitor{Modes: []mode.Mode{mode1024}},
	})
	p.connector.AttachEncoder(p.m.AddEncoder(kms.EncoderConfig{Type: uapi.ModeEncoderTMDS, PossibleCRTCs: 1}))
	if policy.attach != nil {
		policy.attach(p)
	}
	class := newClass(t)
	if policy.reports != nil {
		class = drm.NewClass(drm.ClassOptions{Logger: policy.reports.Logger()})
	}
	p.Driver = &drmtest.Driver{
		Class: class, Parts: []drm.Part{p.m, p.buffers},
		Offers: drm.FeatureGEM | drm.FeatureModeset | policy.offers,
	}
	if !policy.legacy {
		p.Offers |= drm.FeatureAtomic
	}
	f := newFixtureOn(t, p)
	f.clock = clock
	if !policy.legacy {
		f.setCap(uapi.ClientCapAtomic, 1)
	}
	return p, f
}

// named returns a property of an object by its name.
func (f *fixture) named(o kms.Object, name string) (id uint32, value uint64) {
	f.Helper()
	list, err := f.kms().Properties(o.ID(), uapi.ModeObjectAny)
	f.must(err)
	p, ok := list.Get(name)
	if !ok {
		f.Fatalf("object %d has no property %s", o.ID(), name)
	}
	return p.ID, p.Value
}

// set returns a change of a property by its name.
func (f *fixture) set(o kms.Object, name string, value uint64) change {
	f.Helper()
	id, _ := f.named(o, name)
	return change{o.ID(), id, value}
}

func (f *fixture) wantValue(what string, o kms.Object, name string, value uint64) {
	f.Helper()
	if _, got := f.named(o, name); got != value {
		f.Errorf("%s: %s of object %d is %#x, want %#x", what, name, o.ID(), got, value)
	}
}

// show returns the changes that show fb, w by h pixels of it, on a plane.
func (f *fixture) show(p *kms.Plane, crtc *kms.CRTC, fb uint32, x, y int, crtcW, crtcH, w, h uint32) []change {
	f.Helper()
	return []change{
		f.set(p, "FB_ID", uint64(fb)), f.set(p, "CRTC_ID", uint64(crtc.ID())),
		f.set(p, "CRTC_X", uint64(x)), f.set(p, "CRTC_Y", uint64(y)),
		f.set(p, "CRTC_W", uint64(crtcW)), f.set(p, "CRTC_H", uint64(crtcH)),
		f.set(p, "SRC_W", uint64(w)<<16), f.set(p, "SRC_H", uint64(h)<<16),
	}
}

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
			t.Errorf("panic %q, want %q", got, want)
		}
	}()
	f()
}
