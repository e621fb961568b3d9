package lookalike

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// begins returns the mask of an enum property that begins with its first value,
// as the standard properties of package kms do. ok is false for any other
// property.
func (p *Property) begins(names []string) (mask uint32, ok bool) {
	mask, ok = p.mask(names)
	return mask, ok && p.kind() == uapi.ModePropEnum && p.Value == 0 && mask&1 != 0
}

// attachCRTC is attachAll for a CRTC.
func (m *properties) attachCRTC(crtc *kms.CRTC, c *CRTC) {
	for i := range c.Properties {
		switch p := &c.Properties[i]; p.Name {
		case "SCALING_FILTER":
			if filters, ok := p.begins(scalingFilters); ok {
				crtc.CreateScalingFilterProperty(filters)
			}
		case "BACKGROUND_COLOR":
			if p.kind() == uapi.ModePropRange {
				crtc.AttachBackgroundColorProperty()
			}
		}
	}
	m.attachAll(crtc, c.Properties, c.Only)
}

// The names of the values of connectors' properties, by value.
var (
	colorspaces = []string{
		"Default", "SMPTE_170M_YCC", "BT709_YCC", "XVYCC_601", "XVYCC_709", "SYCC_601", "opYCC_601", "opRGB",
		"BT2020_CYCC", "BT2020_RGB", "BT2020_YCC", "DCI-P3_RGB_D65", "DCI-P3_RGB_Theater",
		"RGB_WIDE_FIXED", "RGB_WIDE_FLOAT", "BT601_YCC",
	}
	contentTypes = []string{"No Data", "Graphics", "Photo", "Cinema", "Game"}
	rgbRanges    = []string{"Automatic", "Full", "Limited 16:235"}
	aspectRatios = []string{"Automatic", "4:3", "16:9"}
	orientations = []string{"Normal", "Upside Down", "Left Side Up", "Right Side Up"}
	scalingModes = []string{"None", "Full", "Center", "Full aspect"}
	tvModes      = []string{"NTSC", "NTSC-443", "NTSC-J", "PAL", "PAL-M", "PAL-N", "SECAM", "Mono"}
)

// attachConnector is attachAll for a connector, some of whose properties have
// functions of their own in package kms. Those that a snapshot shows with other
// values than the kernel's keep what clients set, as any other.
func (m *properties) attachConnector(connector *kms.Connector, c *Connector) {
	for i := range c.Properties {
		if p := &c.Properties[i]; !slices.Contains(kms.PropertyNames(connector), p.Name) {
			attachStandard(connector, c, p)
		}
	}
	m.attachAll(connector, c.Properties, c.Only)
}

// attachStandard attaches p if it is a standard property as the kernel makes it.
func attachStandard(connector *kms.Connector, c *Connector, p *Property) {
	whole := func(names []string) bool {
		mask, ok := p.begins(names)
		return ok && bits.OnesCount32(mask) == len(names)
	}
	some := func(names []string) (mask uint32, ok bool) {
		mask, ok = p.mask(names)
		return mask, ok && p.kind() == uapi.ModePropEnum && p.Value < 32 && mask&(1<<p.Value) != 0
	}
	isRange := p.kind() == uapi.ModePropRange && p.Min <= p.Max
	switch p.Name {
	case "HDR_OUTPUT_METADATA":
		if p.kind() == uapi.ModePropBlob {
			connector.AttachHDROutputMetadataProperty()
		}
	case "Colorspace":
		if spaces, ok := p.begins(colorspaces); ok {
			if bits.OnesCount32(spaces) == len(colorspaces) {
				spaces = 0 // those of the type of connector
			}
			connector.AttachColorspaceProperty(spaces)
		}
	case "max bpc":
		if isRange && p.Value == p.Max {
			connector.AttachMaxBPCProperty(p.Min, p.Max)
		}
	case "content type":
		if whole(contentTypes) {
			connector.AttachContentTypeProperty()
		}
	case "Broadcast RGB":
		if whole(rgbRanges) {
			connector.AttachBroadcastRGBProperty()
		}
	case "aspect ratio":
		if whole(aspectRatios) {
			connector.AttachAspectRatioProperty()
		}
	case "panel orientation":
		if mask, ok := some(orientations); ok && bits.OnesCount32(mask) == len(orientations) {
			connector.AttachPanelOrientationProperty(p.Value)
		}
	case "scaling mode":
		if mask, ok := some(scalingModes); ok {
			connector.AttachScalingModeProperty(mask, p.Value)
		}
	case "TV mode":
		if mask, ok := some(tvModes); ok {
			connector.AttachTVModeProperty(mask, p.Value)
		}
	case "vrr_capable":
		if isRange && p.Max == 1 {
			connector.AttachVRRCapableProperty()
		}
	case "privacy-screen sw-state":
		if whole([]string{"Disabled", "Enabled"}) {
			connector.AttachPrivacyScreenProperties()
		}
	case "Content Protection":
		if whole([]string{"Undesired", "Desired", "Enabled"}) {
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
