package kms

import "github.com/udrm/udrm/drm/edid"

// MonitorFromEDID returns the monitor that an EDID describes, as
// drm_edid_connector_update understands it: its modes, the first one
// preferred, and its size in whole centimetres. The error says what is wrong
// with the EDID. The caller must not change data afterwards.
func MonitorFromEDID(data []byte) (*Monitor, error) {
	parsed, err := edid.Parse(data)
	if err != nil {
		return nil, err
	}
	return &Monitor{EDID: data, WidthMM: uint32(parsed.WidthMM), HeightMM: uint32(parsed.HeightMM), Modes: parsed.Modes}, nil
}
