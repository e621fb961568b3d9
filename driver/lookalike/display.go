package lookalike

import (
	"image"
	"slices"

	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// newDisplay makes the objects of a valid description. Their ids follow from the
// order.
func newDisplay(config *Config, buffers *gem.Manager) *kms.ModeConfig {
	checks := &checker{constraints: &config.Constraints, crtcs: make(map[*kms.CRTC]*CRTC)}
	m := kms.New(kms.Config{
		Driver: kms.Driver{Check: checks.check}, Buffers: buffers, Limits: config.Limits, Clock: config.Clock,
		Console: config.Console,
	})
	checks.display = m
	made := &properties{display: m, byContent: make(map[string]*kms.Property)}
	var planes []*kms.Plane
	for i := range config.Planes {
		planes = append(planes, addPlane(m, made, &config.Planes[i], config.Caps.CursorHotspot))
	}
	for i := range config.CRTCs {
		c := &config.CRTCs[i]
		crtcConfig := kms.CRTCConfig{
			Primary: planes[c.Primary], GammaSize: c.GammaSize, GammaLUTSize: c.LUTSize, DegammaSize: c.DegammaSize, CTM: c.CTM,
		}
		if c.Cursor >= 0 {
			crtcConfig.Cursor = planes[c.Cursor]
		}
		crtcConfig.HardwareCursor = c.Cursor < 0 && config.Caps.NoAtomic
		crtc := m.AddCRTC(crtcConfig)
		checks.crtcs[crtc] = c
		if c.LUTSize == 0 {
			m.DetachProperty(crtc, "GAMMA_LUT")
			m.DetachProperty(crtc, "GAMMA_LUT_SIZE")
		}
		made.attachCRTC(crtc, c)
	}
	var encoders []*kms.Encoder
	for _, e := range config.Encoders {
		encoders = append(encoders, m.AddEncoder(kms.EncoderConfig{
			Type: e.Type, PossibleCRTCs: e.PossibleCRTCs, PossibleClones: e.PossibleClones,
		}))
	}
	for i := range config.Connectors {
		c := &config.Connectors[i]
		connector := m.AddConnector(kms.ConnectorConfig{
			Type: c.Type, Connection: c.Status, Monitor: c.Monitor, Subpixel: c.Subpixel, ModeFlags: c.ModeFlags, YCbCr420: c.YCbCr420,
			WritebackFormats: c.WritebackFormats,
		})
		for _, e := range c.PossibleEncoders {
			connector.AttachEncoder(encoders[e])
		}
		made.attachConnector(connector, c)
	}
	return m
}

// addPlane adds a plane. With hotspot, cursors have HOTSPOT_X and HOTSPOT_Y.
func addPlane(m *kms.ModeConfig, made *properties, p *Plane, hotspot bool) *kms.Plane {
	config := kms.PlaneConfig{
		Type: p.Type, PossibleCRTCs: p.PossibleCRTCs, Formats: p.Formats,
		MinScale: p.MinScale, MaxScale: p.MaxScale, MustCover: p.MustCover,
		AsyncFormats: p.AsyncFormats, AsyncModifiers: p.AsyncModifiers,
	}
	if config.AsyncFormats == nil {
		config.AsyncFormats = p.Formats
	}
	partly := make(map[uint64][]uint32)
	for _, modifier := range p.Modifiers {
		config.Modifiers = append(config.Modifiers, modifier.Modifier)
		if modifier.Formats != nil {
			partly[modifier.Modifier] = modifier.Formats
		}
	}
	if len(partly) > 0 {
		config.Supports = func(format uint32, modifier uint64) bool {
			formats, listed := partly[modifier]
			return !listed || slices.Contains(formats, format)
		}
	}
	plane := m.AddPlane(config)
	if hotspot && p.Type == uapi.PlaneTypeCursor {
		plane.CreateHotspotProperties()
	}
	made.attachPlane(plane, p)
	if len(p.SizeHints) > 0 {
		var hints []image.Point
		for _, size := range p.SizeHints {
			hints = append(hints, image.Pt(int(size.Width), int(size.Height)))
		}
		plane.AddSizeHintsProperty(hints...)
	}
	if len(p.Pipelines) > 0 {
		plane.CreateColorPipelines(p.Pipelines...)
	}
	return plane
}

// LegacyPlanes sets Primary and Cursor of the CRTCs: the first primary plane that
// no other CRTC has, or else an overlay plane, and the first such cursor.
func (c *Config) LegacyPlanes() {
	taken := make(map[int]bool)
	find := func(crtc, planeType int) int {
		for i, p := range c.Planes {
			if p.Type == planeType && p.PossibleCRTCs&(1<<crtc) != 0 && !taken[i] {
				taken[i] = true
				return i
			}
		}
		return -1
	}
	for i := range c.CRTCs {
		c.CRTCs[i].Primary = find(i, uapi.PlaneTypePrimary)
		if c.CRTCs[i].Primary < 0 {
			c.CRTCs[i].Primary = find(i, uapi.PlaneTypeOverlay)
		}
		c.CRTCs[i].Cursor = find(i, uapi.PlaneTypeCursor)
	}
}
