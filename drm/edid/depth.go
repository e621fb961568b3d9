package edid

import (
	"cmp"
	"fmt"
	"slices"
)

// depths holds the bits per component of a digital monitor by their code, which
// is in three bits of the input. 0 is unknown.
var depths = [...]int{0, 6, 8, 10, 12, 14, 16, 0}

const (
	depthShift = 4
	depthMask  = 7
)

// encodeBPC returns the bits of the input that say how many bits per component
// the monitor shows.
func (m *Monitor) encodeBPC() (byte, error) {
	usual := 8
	if m.HDR != nil {
		usual = 10
	}
	code := slices.Index(depths[:], cmp.Or(m.BPC, usual))
	if code < 0 {
		return 0, fmt.Errorf("edid: %d bits per component, want 6, 8, 10, 12, 14 or 16", m.BPC)
	}
	return byte(code) << depthShift, nil
}

// forcedBPC holds the monitors of the kernel's edid_quirk_list whose EDID has a
// wrong number of bits per component, with the right number.
var forcedBPC = map[productID]int{
	{"AEO", 0}: 6, {"BOE", 0x78b}: 6, {"BOE", 0x771}: 6, {"CPT", 0x17df}: 6,
	{"SDC", 0x3652}: 6, {"SDC", 18514}: 6,
	{"BNQ", 0x78d6}: 8, {"SEC", 0xd033}: 8, {"ETR", 13896}: 8,
	{"LGD", 764}: 10, {"SNY", 0x2541}: 12,
}

// parseBPC returns how many bits per component the monitor shows, or 0
// (update_display_info). Deep colour of HDMI counts only if the base block cannot
// say more.
func (p *parser) parseBPC(id productID) int {
	if forced := forcedBPC[id]; forced != 0 {
		return forced
	}
	switch {
	case p.newer && id == productID{"SHP", 0x154c}:
		return 6
	case !p.digital() || p.revision() < 3:
		return 0
	case p.revision() >= 4:
		return depths[p.base[inputAt]>>depthShift&depthMask]
	case p.deepColor == 0 && p.base[inputAt]&inputDFP1 != 0:
		return 8
	}
	return p.deepColor
}

// parseDeepColor reads the deep colours from HDMI's vendor-specific data block
// (drm_parse_hdmi_deep_color_info). The last block counts. Each monitor with HDMI
// shows at least 8 bits.
func (p *parser) parseDeepColor(data []byte) {
	const flagsAt = 5
	p.deepColor = 8
	if len(data) <= flagsAt {
		return
	}
	for i, bits := range []int{10, 12, 16} {
		if data[flagsAt]&(1<<(4+i)) != 0 {
			p.deepColor = bits
		}
	}
}
