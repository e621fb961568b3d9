package kms

import (
	"fmt"

	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/uapi"
)

// MonitorFromEDID returns the monitor that an EDID describes, as
// drm_edid_connector_update understands it: its modes, the first one
// preferred, and its size in whole centimetres. The error says what is wrong
// with the EDID. data must not be changed any more.
func MonitorFromEDID(data []byte) (*Monitor, error) {
	parsed, err := edid.Parse(data)
	if err != nil {
		return nil, err
	}
	m := &Monitor{EDID: data, WidthMM: uint32(parsed.WidthMM), HeightMM: uint32(parsed.HeightMM)}
	for i, timing := range parsed.Modes {
		m.Modes = append(m.Modes, modeOf(&timing, i == 0))
	}
	return m, nil
}

func modeOf(t *edid.Mode, preferred bool) Mode {
	m := Mode{
		Name:     fmt.Sprintf("%dx%d", t.HDisplay, t.VDisplay),
		Clock:    uint32(t.Clock),
		HDisplay: t.HDisplay, HSyncStart: t.HSyncStart, HSyncEnd: t.HSyncEnd, HTotal: t.HTotal,
		VDisplay: t.VDisplay, VSyncStart: t.VSyncStart, VSyncEnd: t.VSyncEnd, VTotal: t.VTotal,
		Flags: uapi.ModeFlagNHSync | uapi.ModeFlagNVSync,
		Type:  uapi.ModeTypeDriver,
	}
	if t.HSyncPositive {
		m.Flags ^= uapi.ModeFlagNHSync | uapi.ModeFlagPHSync
	}
	if t.VSyncPositive {
		m.Flags ^= uapi.ModeFlagNVSync | uapi.ModeFlagPVSync
	}
	if preferred {
		m.Type |= uapi.ModeTypePreferred
	}
	return m
}
