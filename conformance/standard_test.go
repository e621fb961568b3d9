package conformance

import (
	"image"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// everything returns a display with all standard properties.
func everything(buffers *gem.Manager) *kms.ModeConfig {
	m := kms.New(kms.Config{Buffers: buffers, Limits: kms.Limits{MaxWidth: 4096, MaxHeight: 4096, DirtyFB: true, AsyncPageFlip: true}})
	formats, modifiers := []uint32{uapi.FormatXRGB8888, uapi.FormatARGB8888, uapi.FormatNV12}, []uint64{uapi.FormatModLinear, fourcc.ModI915XTiled, fourcc.ModVivanteTiled}
	planes := make([]*kms.Plane, 3)
	for i, planeType := range []int{uapi.PlaneTypePrimary, uapi.PlaneTypeOverlay, uapi.PlaneTypeCursor} {
		p := m.AddPlane(kms.PlaneConfig{
			Type: planeType, PossibleCRTCs: 1, Formats: formats, Modifiers: modifiers, AsyncFormats: formats[:1], AsyncModifiers: modifiers[:1],
			MinScale: 1 << 14, MaxScale: 1 << 18,
		})
		p.EnableFBDamageClips()
		p.CreateRotationProperty(uapi.ModeRotateMask | uapi.ModeReflectMask)
		p.CreateAlphaProperty()
		p.CreateBlendModeProperty(1<<kms.BlendPremultiplied | 1<<kms.BlendCoverage | 1<<kms.BlendPixelNone)
		p.CreateZposProperty(uint32(i), 0, 2)
		p.CreateColorProperties(7, 3, kms.ColorBT709, kms.ColorLimitedRange)
		p.CreateScalingFilterProperty(1 << kms.FilterNearest)
		p.AddSizeHintsProperty(image.Pt(64, 64), image.Pt(128, 128))
		p.CreateColorPipelines([]kms.ColoropConfig{
			{Type: kms.Colorop1DCurve, Curves: 1<<kms.CurveSRGBEOTF | 1<<kms.CurvePQ125EOTF}, {Type: kms.ColoropMultiplier},
			{Type: kms.ColoropCTM3x4}, {Type: kms.Colorop1DLUT, Size: 256}, {Type: kms.Colorop3DLUT, Size: 17},
		}, []kms.ColoropConfig{{Type: kms.ColoropCTM3x4, NoBypass: true}})
		planes[i] = p
	}
	planes[2].CreateHotspotProperties()
	crtc := m.AddCRTC(kms.CRTCConfig{
		Primary: planes[0], Cursor: planes[2], GammaSize: 256, GammaLUTSize: 1024, DegammaSize: 33, CTM: true,
	})
	crtc.AttachBackgroundColorProperty()
	crtc.CreateScalingFilterProperty(1 << kms.FilterNearest)
	connector := m.AddConnector(kms.ConnectorConfig{
		Type: uapi.ModeConnectorHDMIA, Monitor: &kms.Monitor{Modes: mode.WithoutEDID(1024, 768), MinRefresh: 40, MaxRefresh: 75},
	})
	connector.AttachHDROutputMetadataProperty()
	connector.AttachColorspaceProperty(0)
	connector.AttachMaxBPCProperty(8, 16)
	connector.AttachContentTypeProperty()
	connector.AttachBroadcastRGBProperty()
	connector.AttachAspectRatioProperty()
	connector.AttachPanelOrientationProperty(kms.OrientationLeftUp)
	connector.AttachPrivacyScreenProperties()
	connector.AttachUnderscanProperties()
	connector.AttachTVMarginProperties()
	connector.AttachScalingModeProperty(1<<uapi.ModeScaleFullscreen|1<<uapi.ModeScaleAspect, uapi.ModeScaleAspect)
	connector.AttachTVModeProperty(0xff, 0)
	connector.AttachTVPictureProperties()
	connector.AttachSubconnectorProperties(uapi.ModeSubconnectorUnknown)
	connector.AttachVRRCapableProperty()
	connector.AttachSuggestedOffsetProperties(10, 20)
	connector.AttachPathProperty("mst:1-2")
	connector.AttachContentProtectionProperty(true)
	connector.AttachEncoder(m.AddEncoder(kms.EncoderConfig{Type: uapi.ModeEncoderTMDS, PossibleCRTCs: 1}))
	return m
}

// TestStandardProperties runs the cases about standard properties on a device
// that has all of them.
func TestStandardProperties(t *testing.T) {
	drmtest.NoLeaks(t)
	buffers := gem.New()
	class := drm.NewClass(drm.ClassOptions{Logger: drmtest.NoReports(t)})
	driver := &drmtest.Driver{
		Class: class, Parts: []drm.Part{everything(buffers), buffers},
		Offers: drm.FeatureGEM | drm.FeatureModeset | drm.FeatureAtomic | drm.FeatureCursorHotspot | drm.FeatureColorPipeline,
	}
	dev := drmtest.Bind(t, bus.New("platform"), "display", driver.BusDriver())
	target := InProcess(class, dev, driver.BusDriver())
	has := propertyNames(newTester(t, target, make(Coverage)))
	for _, c := range standardCases {
		if !has[c.Property()] {
			t.Errorf("%s: the device lacks the property", c.Name)
		}
	}
	run(t, target, standardCases, nil)
}
