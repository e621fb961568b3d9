package kms

import (
	"math"
	"slices"
)

// standardValues holds the names of the values of standard properties that are
// enums or bitmasks, by value.
var standardValues = map[string][]string{
	// Planes.
	"rotation":         {"rotate-0", "rotate-90", "rotate-180", "rotate-270", "reflect-x", "reflect-y"},
	"pixel blend mode": {BlendPremultiplied: "Pre-multiplied", BlendCoverage: "Coverage", BlendPixelNone: "None"},
	"COLOR_ENCODING":   {"ITU-R BT.601 YCbCr", "ITU-R BT.709 YCbCr", "ITU-R BT.2020 YCbCr"},
	"COLOR_RANGE":      {"YCbCr limited range", "YCbCr full range"},
	"SCALING_FILTER":   {"Default", "Nearest Neighbor"}, // also of CRTCs

	// Connectors.
	"Colorspace": {
		"Default", "SMPTE_170M_YCC", "BT709_YCC", "XVYCC_601", "XVYCC_709", "SYCC_601", "opYCC_601", "opRGB",
		"BT2020_CYCC", "BT2020_RGB", "BT2020_YCC", "DCI-P3_RGB_D65", "DCI-P3_RGB_Theater",
		"RGB_WIDE_FIXED", "RGB_WIDE_FLOAT", "BT601_YCC",
	},
	"content type":            {"No Data", "Graphics", "Photo", "Cinema", "Game"},
	"Broadcast RGB":           {"Automatic", "Full", "Limited 16:235"},
	"aspect ratio":            {"Automatic", "4:3", "16:9"},
	"panel orientation":       {"Normal", "Upside Down", "Left Side Up", "Right Side Up"},
	"panel_type":              {"unknown", "OLED"},
	"scaling mode":            {"None", "Full", "Center", "Full aspect"},
	"underscan":               {"off", "on", "auto"},
	"TV mode":                 {"NTSC", "NTSC-443", "NTSC-J", "PAL", "PAL-M", "PAL-N", "SECAM", "Mono"},
	"privacy-screen sw-state": {"Disabled", "Enabled"},
	"privacy-screen hw-state": {"Disabled", "Enabled", "Disabled-locked", "Enabled-locked"},
	"Content Protection":      {"Undesired", "Desired", "Enabled"},
	"HDCP Content Type":       {"HDCP Type0", "HDCP Type1"},
}

// StandardValues returns the names that the kernel gives to the values of a
// standard property that is an enum or a bitmask, by value. It returns nil for any
// other property.
func StandardValues(property string) []string { return slices.Clone(standardValues[property]) }

// allValues is the mask of all values of a property.
const allValues = math.MaxUint32

// standardEnums returns the values of a standard property that mask has a bit for.
func standardEnums(property string, mask uint32) []PropertyEnum {
	return numbered(standardValues[property], mask)
}
