package kms

import (
	"math"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// standardProperties are the properties that every device has, attached or not
// (drm_mode_create_standard_properties).
type standardProperties struct {
	edid, dpms, path, tile, linkStatus, nonDesktop, hdrOutputMetadata *Property
	planeType                                                         *Property
	srcX, srcY, srcW, srcH                                            *Property
	crtcX, crtcY, crtcW, crtcH                                        *Property
	fbID, inFenceFD, outFencePtr, crtcID, fbDamageClips               *Property
	active, modeID, vrrEnabled                                        *Property
	degammaLUT, degammaLUTSize, ctm, gammaLUT, gammaLUTSize           *Property
	inFormats, sizeHints                                              *Property
	inFormatsAsync, background                                        *Property // nil unless an object has it, or on Linux 7.2
	writebackFBID, writebackPixelFormats, writebackOutFencePtr        *Property // nil without a writeback connector
}

// createStandardProperties makes the properties in the kernel's order, so that
// they have the kernel's ids: 1 to 31, or 1 to 34 on Linux 7.2.
func (m *ModeConfig) createStandardProperties() {
	const (
		immutable = uapi.ModePropImmutable
		atomic    = uapi.ModePropAtomic
	)
	p := &m.standard
	p.edid = m.CreateBlobProperty("EDID", immutable)
	p.dpms = m.newEnum("DPMS", 0, "On", "Standby", "Suspend", "Off")
	p.path = m.CreateBlobProperty("PATH", immutable)
	p.tile = m.CreateBlobProperty("TILE", immutable)
	p.linkStatus = m.newEnum("link-status", 0, "Good", "Bad")
	if m.config.Kernel == drm.Linux72 {
		m.newEnum("panel_type", immutable, "unknown", "OLED")
	}
	p.nonDesktop = m.CreateBoolProperty("non-desktop", immutable)
	p.hdrOutputMetadata = m.CreateBlobProperty("HDR_OUTPUT_METADATA", 0)
	p.planeType = m.newEnum("type", immutable, "Overlay", "Primary", "Cursor")
	p.srcX = m.CreateRangeProperty("SRC_X", atomic, 0, math.MaxUint32)
	p.srcY = m.CreateRangeProperty("SRC_Y", atomic, 0, math.MaxUint32)
	p.srcW = m.CreateRangeProperty("SRC_W", atomic, 0, math.MaxUint32)
	p.srcH = m.CreateRangeProperty("SRC_H", atomic, 0, math.MaxUint32)
	p.crtcX = m.CreateSignedRangeProperty("CRTC_X", atomic, math.MinInt32, math.MaxInt32)
	p.crtcY = m.CreateSignedRangeProperty("CRTC_Y", atomic, math.MinInt32, math.MaxInt32)
	p.crtcW = m.CreateRangeProperty("CRTC_W", atomic, 0, math.MaxInt32)
	p.crtcH = m.CreateRangeProperty("CRTC_H", atomic, 0, math.MaxInt32)
	p.fbID = m.CreateObjectProperty("FB_ID", atomic, uapi.ModeObjectFB)
	p.inFenceFD = m.CreateSignedRangeProperty("IN_FENCE_FD", atomic, -1, math.MaxInt32)
	p.outFencePtr = m.CreateRangeProperty("OUT_FENCE_PTR", atomic, 0, math.MaxUint64)
	p.crtcID = m.CreateObjectProperty("CRTC_ID", atomic, uapi.ModeObjectCRTC)
	p.fbDamageClips = m.CreateBlobProperty("FB_DAMAGE_CLIPS", atomic)
	p.active = m.CreateBoolProperty("ACTIVE", atomic)
	p.modeID = m.CreateBlobProperty("MODE_ID", atomic)
	p.vrrEnabled = m.CreateBoolProperty("VRR_ENABLED", 0)
	p.degammaLUT = m.CreateBlobProperty("DEGAMMA_LUT", 0)
	p.degammaLUTSize = m.CreateRangeProperty("DEGAMMA_LUT_SIZE", immutable, 0, math.MaxUint32)
	p.ctm = m.CreateBlobProperty("CTM", 0)
	p.gammaLUT = m.CreateBlobProperty("GAMMA_LUT", 0)
	p.gammaLUTSize = m.CreateRangeProperty("GAMMA_LUT_SIZE", immutable, 0, math.MaxUint32)
	if m.config.Kernel == drm.Linux72 {
		p.background = m.newBackground()
	}
	p.inFormats = m.CreateBlobProperty("IN_FORMATS", immutable)
	if m.config.Kernel == drm.Linux72 {
		p.inFormatsAsync = m.newInFormatsAsync()
	}
	p.sizeHints = m.CreateBlobProperty("SIZE_HINTS", immutable)
}

func (m *ModeConfig) newBackground() *Property {
	return m.CreateRangeProperty("BACKGROUND_COLOR", 0, 0, math.MaxUint64)
}

func (m *ModeConfig) newInFormatsAsync() *Property {
	return m.CreateBlobProperty("IN_FORMATS_ASYNC", uapi.ModePropImmutable)
}

// createWritebackProperties makes the properties of writeback connectors.
func (m *ModeConfig) createWritebackProperties() {
	p := &m.standard
	if p.writebackFBID != nil {
		return
	}
	p.writebackFBID = m.CreateObjectProperty("WRITEBACK_FB_ID", uapi.ModePropAtomic, uapi.ModeObjectFB)
	p.writebackPixelFormats = m.CreateBlobProperty("WRITEBACK_PIXEL_FORMATS", uapi.ModePropAtomic|uapi.ModePropImmutable)
	p.writebackOutFencePtr = m.CreateRangeProperty("WRITEBACK_OUT_FENCE_PTR", uapi.ModePropAtomic, 0, math.MaxUint64)
}

// newEnum makes an enum property whose values count from 0.
func (m *ModeConfig) newEnum(name string, flags uint32, names ...string) *Property {
	return m.CreateEnumProperty(name, flags, numbered(names, math.MaxUint32)...)
}

// numbered numbers names from 0, and returns those that mask has a bit for.
func numbered(names []string, mask uint32) (enums []PropertyEnum) {
	for i, name := range names {
		if mask&(1<<i) != 0 {
			enums = append(enums, PropertyEnum{uint64(i), name})
		}
	}
	return enums
}
