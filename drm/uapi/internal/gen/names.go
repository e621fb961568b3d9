package main

import "strings"

// goName is the Go spelling of a C name: the prefix drm_ is dropped, the words
// between underscores are capitalised and joined. An underscore stays where
// two digits would meet. Words of several letter cases keep theirs.
func goName(c string) string {
	if name, ok := renamed[c]; ok {
		return name
	}
	for from, to := range renamedPrefixes {
		if rest, ok := strings.CutPrefix(c, from); ok {
			c = to + rest
		}
	}
	if rest, ok := strings.CutPrefix(c, "DRM_FORMAT_"); ok && !formatWords[rest] {
		return "Format" + rest // pixel formats keep their names
	}
	c = strings.TrimPrefix(c, "_")
	c = strings.TrimPrefix(c, "DRM_")
	c = strings.TrimPrefix(c, "drm_")

	var b strings.Builder
	for _, part := range strings.Split(c, "_") {
		for _, word := range strings.Fields(splitWord(part)) {
			w := goWord(word)
			if s := b.String(); s != "" && isDigit(s[len(s)-1]) && isDigit(w[0]) {
				b.WriteByte('_')
			}
			b.WriteString(w)
		}
	}
	return b.String()
}

func splitWord(w string) string {
	if s, ok := glued[strings.ToUpper(w)]; ok {
		return s
	}
	return w
}

func goWord(w string) string {
	upper, lower := strings.ToUpper(w), strings.ToLower(w)
	if s, ok := initialisms[upper]; ok {
		return s
	}
	if w != upper && w != lower {
		return upper[:1] + w[1:]
	}
	return upper[:1] + lower[1:]
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// renamed lists the exceptions to the rule.
var renamed = map[string]string{
	"drm_mode_modeinfo": "ModeInfo", // not ModeModeinfo
	"tv_sec":            "TvSec",    // a timeval's, not a television's
	"tv_usec":           "TvUsec",
}

// renamedPrefixes keeps the type of an event apart from the event's struct:
// DRM_EVENT_VBLANK and struct drm_event_vblank differ in case only.
var renamedPrefixes = map[string]string{
	"DRM_EVENT_": "DRM_EVENT_TYPE_",
}

// formatWords are the names under DRM_FORMAT_ that are not pixel formats.
var formatWords = map[string]bool{
	"BIG_ENDIAN":  true,
	"INVALID":     true,
	"MOD_INVALID": true,
	"MOD_LINEAR":  true,
}

// glued lists the words that C writes without an underscore between them.
var glued = map[string]string{
	"ADDFB":             "add FB",
	"ADDFB2":            "add FB2",
	"ATTACHMODE":        "attach mode",
	"BUSID":             "bus ID",
	"CLOSEFB":           "close FB",
	"CREATEPROPBLOB":    "create prop blob",
	"DESTROYPROPBLOB":   "destroy prop blob",
	"DETACHMODE":        "detach mode",
	"DIRTYFB":           "dirty FB",
	"GETCONNECTOR":      "get connector",
	"GETCRTC":           "get CRTC",
	"GETENCODER":        "get encoder",
	"GETFB":             "get FB",
	"GETFB2":            "get FB2",
	"GETGAMMA":          "get gamma",
	"GETPLANE":          "get plane",
	"GETPLANERESOURCES": "get plane resources",
	"GETPROPBLOB":       "get prop blob",
	"GETPROPERTIES":     "get properties",
	"GETPROPERTY":       "get property",
	"GETRESOURCES":      "get resources",
	"RMFB":              "rm FB",
	"SETCRTC":           "set CRTC",
	"SETGAMMA":          "set gamma",
	"SETPLANE":          "set plane",
	"SETPROPERTY":       "set property",
	"UNKNOWNCONNECTION": "unknown connection",

	"CSYNC":      "c sync",
	"HDISPLAY":   "h display",
	"HSKEW":      "h skew",
	"HSYNC":      "h sync",
	"HTOTAL":     "h total",
	"NCSYNC":     "n c sync",
	"NEXTONMISS": "next on miss",
	"NHSYNC":     "n h sync",
	"NVSYNC":     "n v sync",
	"PCSYNC":     "p c sync",
	"PHSYNC":     "p h sync",
	"PVSYNC":     "p v sync",
	"SVIDEO":     "s video",
	"VDISPLAY":   "v display",
	"VREFRESH":   "v refresh",
	"VSCAN":      "v scan",
	"VSYNC":      "v sync",
	"VTOTAL":     "v total",
}

// initialisms are written in capitals.
var initialisms = func() map[string]string {
	m := map[string]string{"CRTCS": "CRTCs", "FBS": "FBs", "IDS": "IDs"}
	for _, w := range strings.Fields(`
		3D AGP AR BO BPP CLL CRTC CTM DAC DMA DP DPI DPMS DPMST DSI DVIA DVID DVII EOTF FALL FB FB2 FD FD2
		GEM HDMI HDMIA HDMIB HDR ID IOC IRQ LUT LUT32 LVDS PID RDWR RW SCART SG SPI TMDS TV TVDAC UID USB VGA`) {
		m[w] = w
	}
	return m
}()
