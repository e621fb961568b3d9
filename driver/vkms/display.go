package vkms

import (
	"slices"

	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// What the kernel's vkms can do.
const (
	gammaSize     = 256
	overlayPlanes = 8
)

var limits = kms.Limits{
	MinWidth: 10, MaxWidth: 8192,
	MinHeight: 10, MaxHeight: 8192,
	CursorWidth: 512, CursorHeight: 512,
}

var formats = []uint32{
	uapi.FormatARGB8888,
	uapi.FormatXRGB8888,
	uapi.FormatXRGB16161616,
	uapi.FormatARGB16161616,
	uapi.FormatRGB565,
}

// newDisplay makes the objects of the display, in the kernel's order: clients
// see it, and the ids follow from it.
func newDisplay(config *Config, buffers *gem.Manager) *kms.ModeConfig {
	h := &hardware{}
	formats := slices.Concat(formats, config.Formats)
	m := kms.New(kms.Config{Driver: h, Buffers: buffers, Limits: limits, Clock: config.Clock})
	addPlane := func(planeType int) *kms.Plane {
		return m.AddPlane(kms.PlaneConfig{
			Type: planeType, PossibleCRTCs: 1, Formats: formats, Modifiers: []uint64{uapi.FormatModLinear}, Rotation: true,
		})
	}
	h.primary = addPlane(uapi.PlaneTypePrimary)
	if config.Overlay {
		for range overlayPlanes {
			addPlane(uapi.PlaneTypeOverlay)
		}
	}
	if config.Cursor {
		h.cursor = addPlane(uapi.PlaneTypeCursor)
	}
	h.crtc = m.AddCRTC(kms.CRTCConfig{Primary: h.primary, Cursor: h.cursor, GammaSize: gammaSize})
	virtual := m.AddConnector(kms.ConnectorConfig{Type: uapi.ModeConnectorVirtual, Monitor: &kms.Monitor{Modes: modes(true)}})
	virtual.AttachEncoder(m.AddEncoder(kms.EncoderConfig{Type: uapi.ModeEncoderVirtual, PossibleCRTCs: 1}))
	if config.Writeback {
		encoder := m.AddEncoder(kms.EncoderConfig{Type: uapi.ModeEncoderVirtual, PossibleCRTCs: 1})
		writeback := m.AddConnector(kms.ConnectorConfig{
			Type: uapi.ModeConnectorWriteback, Monitor: &kms.Monitor{Modes: modes(false)}, WritebackFormats: formats,
		})
		writeback.AttachEncoder(encoder)
	}
	return m
}
