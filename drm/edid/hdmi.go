package edid

import (
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// hdmiVICs holds the modes of HDMI's own codes, from 1, as VICs of CTA-861 with
// the same timing.
var hdmiVICs = [...]uint8{1: 95, 2: 94, 3: 93, 4: 98}

// hdmiMode returns the mode of an HDMI VIC.
func hdmiMode(code uint8) (mode.Mode, bool) {
	if int(code) >= len(hdmiVICs) {
		return mode.Mode{}, false
	}
	return mode.CTA(hdmiVICs[code])
}

// matchHDMI returns the HDMI VIC of a mode, or 0 (drm_match_hdmi_mode).
func matchHDMI(m *mode.Mode, near func(a, b uint32) bool) uint8 {
	for code := uint8(1); int(code) < len(hdmiVICs); code++ {
		standard, ok := hdmiMode(code)
		if ok && m.Clock != 0 && matches(m, &standard) &&
			(near(m.Clock, standard.Clock) || near(m.Clock, alternateClock(&standard))) {
			return code
		}
	}
	return 0
}

// stereoModes holds the modes that a monitor with 3D must support in 3D.
var stereoModes = []struct {
	width, height uint16
	refresh       uint32
	flags         uint32
}{
	{1920, 1080, 24, uapi.ModeFlag3DTopAndBottom},
	{1920, 1080, 24, uapi.ModeFlag3DFramePacking},
	{1920, 1080, 50, uapi.ModeFlagInterlace | uapi.ModeFlag3DSideBySideHalf},
	{1920, 1080, 60, uapi.ModeFlagInterlace | uapi.ModeFlag3DSideBySideHalf},
	{1280, 720, 50, uapi.ModeFlag3DTopAndBottom},
	{1280, 720, 50, uapi.ModeFlag3DFramePacking},
	{1280, 720, 60, uapi.ModeFlag3DTopAndBottom},
	{1280, 720, 60, uapi.ModeFlag3DFramePacking},
}

// addStereo adds the 3D layouts that are mandatory for the modes so far
// (add_hdmi_mandatory_stereo_modes).
func (p *parser) addStereo() {
	var found []mode.Mode
	for _, m := range p.modes {
		for _, s := range stereoModes {
			if m.HDisplay == s.width && m.VDisplay == s.height && m.VRefresh() == s.refresh &&
				(m.Flags^s.flags)&uapi.ModeFlagInterlace == 0 {
				m := m
				m.Flags |= s.flags
				found = append(found, m)
			}
		}
	}
	p.modes = append(p.modes, found...)
}

// addHDMI adds the modes of HDMI's vendor-specific data block
// (do_hdmi_vsdb_modes).
func (p *parser) addHDMI(data []byte) {
	const (
		latency, interlacedLatency, video = 1 << 7, 1 << 6, 1 << 5
		flagsAt                           = 7
		present3D                         = 1 << 7
	)
	if len(data) <= flagsAt || data[flagsAt]&video == 0 {
		return
	}
	rest := data[flagsAt+1:]
	skip := 0
	if data[flagsAt]&latency != 0 {
		skip = 2
		if data[flagsAt]&interlacedLatency != 0 {
			skip = 4
		}
	}
	if len(rest) < skip+2 {
		return
	}
	rest = rest[skip:]
	multi := byte(0)
	if rest[0]&present3D != 0 {
		p.addStereo()
		multi = rest[0] >> 5 & 3
	}
	codes, length3D := int(rest[1]>>5), int(rest[1]&0x1f)
	rest = rest[2:]
	for i := range min(codes, len(rest)) {
		if m, ok := hdmiMode(rest[i]); ok {
			p.add(m)
		}
	}
	if len(rest) < codes+length3D {
		return
	}
	p.addHDMI3D(rest[codes:codes+length3D], multi)
}

// addHDMI3D adds modes with 3D layouts. multi says which layouts and masks of
// VICs come first.
func (p *parser) addHDMI3D(data []byte, multi byte) {
	skip := map[byte]int{1: 2, 2: 4}[multi]
	if len(data) < skip {
		return
	}
	if skip > 0 {
		layouts, mask := uint16(data[0])<<8|uint16(data[1]), uint16(0xffff)
		if multi == 2 {
			mask = uint16(data[2])<<8 | uint16(data[3])
		}
		for i := range 16 {
			if mask&(1<<i) == 0 {
				continue
			}
			for _, l := range []struct {
				bit   uint16
				flags uint32
			}{{1 << 0, uapi.ModeFlag3DFramePacking}, {1 << 6, uapi.ModeFlag3DTopAndBottom}, {1 << 8, uapi.ModeFlag3DSideBySideHalf}} {
				if layouts&l.bit != 0 {
					p.addVICIndex(i, l.flags)
				}
			}
		}
	}
	data = data[skip:]
	for i := 0; i < len(data); i++ {
		detailed := data[i]&0xf > 7 // a byte with details follows
		if detailed && i+1 == len(data) {
			return
		}
		flags := uint32(0)
		switch data[i] & 0xf {
		case 0:
			flags = uapi.ModeFlag3DFramePacking
		case 6:
			flags = uapi.ModeFlag3DTopAndBottom
		case 8:
			if data[i+1]>>4 == 1 {
				flags = uapi.ModeFlag3DSideBySideHalf
			}
		}
		if flags != 0 {
			p.addVICIndex(int(data[i]>>4), flags)
		}
		if detailed {
			i++
		}
	}
}
