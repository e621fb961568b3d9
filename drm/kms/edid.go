package kms

import (
	"slices"

	"github.com/udrm/udrm/drm/edid"
)

// MonitorFromEDID returns the monitor that an EDID describes, as the kernel
// reads it: see [edid.Parse]. A device of Linux 7.2 has it as [edid.Parse72] reads
// it. Its EDID is a repaired copy: see [edid.Repair]. The error says why the kernel
// would not accept the EDID.
func MonitorFromEDID(data []byte) (*Monitor, error) {
	data, err := edid.Repair(data)
	if err != nil {
		return nil, err
	}
	m, err := monitorFrom(data, edid.Parse)
	if err != nil {
		return nil, err
	}
	newer, err := monitorFrom(data, edid.Parse72)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(m.Modes, newer.Modes) || !slices.Equal(m.With420, newer.With420) || m.BPC != newer.BPC {
		m.newer = newer
	}
	return m, nil
}

// monitorFrom returns the monitor that a repaired EDID describes.
func monitorFrom(data []byte, parse func([]byte) (*edid.Monitor, error)) (*Monitor, error) {
	parsed, err := parse(data)
	if err != nil {
		return nil, err
	}
	m := &Monitor{
		EDID: data, WidthMM: uint32(parsed.WidthMM), HeightMM: uint32(parsed.HeightMM), Modes: parsed.Modes, With420: parsed.With420,
		NonDesktop: parsed.NonDesktop, Tile: parsed.Tile, BPC: uint32(parsed.BPC),
	}
	if parsed.MaxRefresh-parsed.MinRefresh > minVariation {
		m.MinRefresh, m.MaxRefresh = uint32(parsed.MinRefresh), uint32(parsed.MaxRefresh)
	}
	return m, nil
}

// minVariation is how many Hz drivers want between the limits of a refresh rate
// before they take it for a variable one.
const minVariation = 10
