package vkms

import (
	"cmp"
	"slices"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// The limits of the kernel's vkms.
const (
	MaxSize       = 8192 // of modes and framebuffers, in each direction
	gammaSize     = 256
	overlayPlanes = 8
)

var limits = kms.Limits{
	MinWidth: 10, MaxWidth: MaxSize,
	MinHeight: 10, MaxHeight: MaxSize,
	CursorWidth: 512, CursorHeight: 512,
}

var formats = []uint32{
	uapi.FormatARGB8888,
	uapi.FormatXRGB8888,
	uapi.FormatXRGB16161616,
	uapi.FormatARGB16161616,
	uapi.FormatRGB565,
}

// The values of COLOR_ENCODING and COLOR_RANGE that planes with YUV formats
// have.
const (
	allEncodings = 1<<kms.ColorBT601 | 1<<kms.ColorBT709 | 1<<kms.ColorBT2020
	allRanges    = 1<<kms.ColorLimitedRange | 1<<kms.ColorFullRange
)

func isYUV(format uint32) bool {
	f := fourcc.Lookup(format)
	return f != nil && f.YUV
}

// newDisplay makes the objects of the display, in the order of the kernel's
// default device. Clients see the order, and the ids follow from it.
func newDisplay(config *Config, buffers *gem.Manager) (*kms.ModeConfig, error) {
	t := config.topology()
	if err := t.Validate(); err != nil {
		return nil, err
	}
	formats := slices.Clone(formats)
	for _, f := range config.Formats {
		if !slices.Contains(formats, f) {
			formats = append(formats, f)
		}
	}
	h := &hardware{}
	m := kms.New(kms.Config{Driver: h.driver(), Buffers: buffers, Limits: limits, Clock: config.Clock})
	h.pipes = make([]pipe, len(t.CRTCs))
	for _, p := range t.Planes {
		plane := m.AddPlane(kms.PlaneConfig{
			Type: p.Type, PossibleCRTCs: p.PossibleCRTCs, Formats: formats, Modifiers: []uint64{uapi.FormatModLinear},
		})
		plane.CreateRotationProperty(uapi.ModeRotateMask | uapi.ModeReflectMask)
		if slices.ContainsFunc(formats, isYUV) {
			plane.CreateColorProperties(allEncodings, allRanges, kms.ColorBT601, kms.ColorLimitedRange)
		}
		for i := range h.pipes {
			switch {
			case p.PossibleCRTCs&(1<<i) == 0:
			case p.Type == uapi.PlaneTypePrimary:
				h.pipes[i].primary = plane
			case p.Type == uapi.PlaneTypeCursor:
				h.pipes[i].cursor = plane
			}
		}
	}
	for i := range h.pipes {
		p := &h.pipes[i]
		p.crtc = m.AddCRTC(kms.CRTCConfig{Primary: p.primary, Cursor: p.cursor, GammaSize: gammaSize})
	}
	var connectors []*kms.Connector
	for _, c := range t.Connectors {
		connectors = append(connectors, m.AddConnector(kms.ConnectorConfig{
			Type: cmp.Or(c.Type, uapi.ModeConnectorVirtual), Connection: c.Status, Monitor: c.monitor(),
		}))
	}
	for i, e := range t.Encoders {
		encoder := m.AddEncoder(kms.EncoderConfig{Type: uapi.ModeEncoderVirtual, PossibleCRTCs: e.PossibleCRTCs})
		for j, c := range t.Connectors {
			if c.PossibleEncoders&(1<<i) != 0 {
				connectors[j].AttachEncoder(encoder)
			}
		}
	}
	for i, c := range t.CRTCs {
		if !c.Writeback {
			continue
		}
		encoder := m.AddEncoder(kms.EncoderConfig{Type: uapi.ModeEncoderVirtual, PossibleCRTCs: 1 << i})
		writeback := m.AddConnector(kms.ConnectorConfig{
			Type: uapi.ModeConnectorWriteback, Monitor: &kms.Monitor{Modes: modes(false)}, WritebackFormats: formats,
		})
		writeback.AttachEncoder(encoder)
	}
	return m, nil
}
