package conformance

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var standardConnectorCases = []Case{
	{"standard/HDR_OUTPUT_METADATA", NeedDisplay | NeedDumb | NeedAtomic, hdrMetadata},
	enumCase("Colorspace", "Default", "SMPTE_170M_YCC", "BT709_YCC", "XVYCC_601", "XVYCC_709", "SYCC_601", "opYCC_601", "opRGB",
		"BT2020_CYCC", "BT2020_RGB", "BT2020_YCC", "DCI-P3_RGB_D65", "DCI-P3_RGB_Theater", "RGB_WIDE_FIXED", "RGB_WIDE_FLOAT", "BT601_YCC"),
	rangeCase("max bpc"),
	enumCase("content type", "No Data", "Graphics", "Photo", "Cinema", "Game"),
	enumCase("Broadcast RGB", "Automatic", "Full", "Limited 16:235"),
	enumCase("aspect ratio", "Automatic", "4:3", "16:9"),
	enumCase("panel_type", "unknown", "OLED"),
	enumCase("panel orientation", "Normal", "Upside Down", "Left Side Up", "Right Side Up"),
	enumCase("privacy-screen sw-state", "Disabled", "Enabled"),
	enumCase("privacy-screen hw-state", "Disabled", "Enabled", "Disabled-locked", "Enabled-locked"),
	enumCase("underscan", "off", "on", "auto"),
	rangeCase("underscan hborder"),
	rangeCase("underscan vborder"),
	rangeCase("left margin"),
	rangeCase("right margin"),
	rangeCase("top margin"),
	rangeCase("bottom margin"),
	enumCase("scaling mode", "None", "Full", "Center", "Full aspect"),
	enumCase("TV mode", "NTSC", "NTSC-443", "NTSC-J", "PAL", "PAL-M", "PAL-N", "SECAM", "Mono"),
	rangeCase("brightness"),
	rangeCase("hue"),
	enumCase("select subconnector", "Automatic", "DVI-D", "DVI-A", "Composite", "SVIDEO", "Component", "SCART"),
	enumCase("subconnector", "Unknown", "DVI-D", "DVI-A", "Composite", "SVIDEO", "Component", "SCART",
		"VGA", "HDMI", "DP", "Wireless", "Native"),
	rangeCase("vrr_capable"),
	rangeCase("non-desktop"),
	rangeCase("suggested X"),
	{"standard/PATH", NeedDisplay | NeedDumb | NeedAtomic, immutableBlob("PATH")},
	{"standard/TILE", NeedDisplay | NeedDumb | NeedAtomic, immutableBlob("TILE")},
	{"standard/link-status", NeedDisplay | NeedDumb | NeedAtomic, linkStatus},
	{"standard/Content Protection", NeedDisplay | NeedDumb | NeedAtomic, contentProtection},
	enumCase("HDCP Content Type", "HDCP Type0", "HDCP Type1"),
}

// hdrMetadata checks that the blob has the size of struct hdr_output_metadata.
func hdrMetadata(t *tester) {
	h := t.ShowHolder("HDR_OUTPUT_METADATA")
	blob := h.blob(make([]byte, 32))
	h.try("metadata", allowModeset, blob)
	equal(t, "HDR_OUTPUT_METADATA", h.value(), blob)
	h.try("a byte too few", allowModeset, h.blob(make([]byte, 31)), unix.EINVAL)
	h.try("a byte too many", allowModeset, h.blob(make([]byte, 33)), unix.EINVAL)
	h.try("none", allowModeset, 0)
}

// immutableBlob checks that clients cannot set a blob, and can read it if it
// exists.
func immutableBlob(name string) func(t *tester) {
	return func(t *tester) {
		h := t.ShowHolder(name)
		h.wantImmutable()
		if id := uint32(h.property.Value); id != 0 {
			_, err := h.s.GetBlob(id)
			t.Want("the blob of "+name, err)
		}
	}
}

// linkStatus checks that a client cannot say that a link is bad.
func linkStatus(t *tester) {
	h := t.ShowHolder("link-status")
	h.try("bad", allowModeset, uapi.ModeLinkStatusBad)
	equal(t, "link-status", h.value(), uapi.ModeLinkStatusGood)
	h.try("good", 0, uapi.ModeLinkStatusGood)
	h.try("neither", 0, 2, unix.EINVAL)
}

// contentProtection checks that a client can ask for protection, but cannot
// enable it, and that the device enables it if it can.
func contentProtection(t *tester) {
	h := t.ShowHolder("Content Protection")
	h.try("enabled by a client", allowModeset, uapi.ModeContentProtectionEnabled, unix.EINVAL)
	h.try("desired", allowModeset, uapi.ModeContentProtectionDesired)
	deadline := time.Now().Add(timeout)
	for h.value() != uapi.ModeContentProtectionEnabled && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	equal(t, "Content Protection after some time", h.value(), uapi.ModeContentProtectionEnabled)
	h.try("undesired", allowModeset, uapi.ModeContentProtectionUndesired)
	equal(t, "Content Protection", h.value(), uapi.ModeContentProtectionUndesired)
}
