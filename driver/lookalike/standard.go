package lookalike

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// filters returns the mask of a SCALING_FILTER. ok is false if the kernel has no such
// property.
func (p *Property) filters() (mask uint32, ok bool) {
	mask, ok = p.mask()
	return mask, ok && p.kind() == uapi.ModePropEnum && mask&1 != 0
}

// attachCRTC is attachAll for a CRTC.
func (m *properties) attachCRTC(crtc *kms.CRTC, c *CRTC) {
	for i := range c.Properties {
		switch p := &c.Properties[i]; p.Name {
		case "SCALING_FILTER":
			if filters, ok := p.filters(); ok {
				crtc.CreateScalingFilterProperty(filters)
			}
		case "BACKGROUND_COLOR":
			if p.kind() == uapi.ModePropRange {
				crtc.AttachBackgroundColorProperty()
			}
		}
		crtc.SetInitial(c.Properties[i].Name, c.Properties[i].Value)
	}
	m.attachAll(crtc, c.Properties, c.Only)
}

// attachConnector is attachAll for a connector, some of whose properties have
// functions of their own in package kms. Those that a snapshot shows with another
// list of values than the kernel's keep what clients set, as any other.
func (m *properties) attachConnector(connector *kms.Connector, c *Connector) {
	for i := range c.Properties {
		p := &c.Properties[i]
		if !slices.Contains(kms.PropertyNames(connector), p.Name) {
			attachStandard(connector, c, p)
		}
		connector.SetInitial(p.Name, p.Value)
	}
	m.attachAll(connector, c.Properties, c.Only)
}

// attachStandard attaches p if it is a standard property as the kernel makes it.
func attachStandard(connector *kms.Connector, c *Connector, p *Property) {
	count := len(kms.StandardValues(p.Name))
	some := func() (mask uint32, ok bool) {
		mask, ok = p.mask()
		return mask, ok && p.kind() == uapi.ModePropEnum && p.Value < 32 && mask&(1<<p.Value) != 0
	}
	whole := func() bool {
		mask, ok := some()
		return ok && bits.OnesCount32(mask) == count
	}
	isRange := p.kind() == uapi.ModePropRange && p.Min <= p.Max
	switch p.Name {
	case "HDR_OUTPUT_METADATA":
		if p.kind() == uapi.ModePropBlob {
			connector.AttachHDROutputMetadataProperty()
		}
	case "Colorspace":
		if spaces, ok := some(); ok && spaces&1 != 0 {
			if bits.OnesCount32(spaces) == count {
				spaces = 0 // those of the type of connector
			}
			connector.AttachColorspaceProperty(spaces)
		}
	case "max bpc":
		if isRange && p.Min <= p.Value && p.Value <= p.Max {
			connector.AttachMaxBPCProperty(p.Min, p.Max)
		}
	case "content type":
		if whole() {
			connector.AttachContentTypeProperty()
		}
	case "Broadcast RGB":
		if whole() {
			connector.AttachBroadcastRGBProperty()
		}
	case "aspect ratio":
		if whole() {
			connector.AttachAspectRatioProperty()
		}
	case "panel orientation":
		if whole() {
			connector.AttachPanelOrientationProperty(p.Value)
		}
	case "scaling mode":
		if mask, ok := some(); ok {
			connector.AttachScalingModeProperty(mask, p.Value)
		}
	case "TV mode":
		if mask, ok := some(); ok {
			connector.AttachTVModeProperty(mask, p.Value)
		}
	case "vrr_capable":
		if isRange && p.Max == 1 {
			connector.AttachVRRCapableProperty()
		}
	case "privacy-screen sw-state":
		if whole() {
			connector.AttachPrivacyScreenProperties()
		}
	case "Content Protection":
		if whole() {
			connector.AttachContentProtectionProperty(slices.ContainsFunc(c.Properties, func(other Property) bool { return other.Name == "HDCP Content Type" }))
		}
	case "subconnector":
		if slices.Equal(p.Enums, kms.Subconnectors(c.Type)) && slices.ContainsFunc(p.Enums, func(e kms.PropertyEnum) bool { return e.Value == p.Value }) {
			connector.AttachSubconnectorProperties(p.Value)
		}
	case "PATH":
		if p.kind() == uapi.ModePropBlob && len(p.Blob) > 0 {
			connector.AttachPathProperty(strings.TrimRight(string(p.Blob), "\x00"))
		}
	}
}
