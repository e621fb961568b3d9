package edid

import (
	"encoding/binary"
	"fmt"

	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A detailed timing has 18 bytes: a clock in units of 10 kHz; for a line and
// for a frame the size, the blanking, and within that front porch and sync; the
// size in mm; flags.
const (
	detailedSeparate = 3 << 3 // digital separate syncs
	detailedVPos     = 1 << 2
	detailedHPos     = 1 << 1
	detailedStereo   = 1 << 5
	detailedLaced    = 1 << 7
)

// fitsDetailed returns an error if the mode cannot be a detailed timing.
func fitsDetailed(m *mode.Mode) error {
	const clock, size, hPorch, hSync, vPorch, vSync = 65535 * 10, 4095, 1023, 1023, 63, 63
	for _, part := range []struct {
		what       string
		value, top int
	}{
		{"clock in kHz", int(m.Clock), clock},
		{"width", int(m.HDisplay), size},
		{"height", int(m.VDisplay), size},
		{"horizontal blanking", int(m.HTotal - m.HDisplay), size},
		{"vertical blanking", int(m.VTotal - m.VDisplay), size},
		{"horizontal front porch", int(m.HSyncStart - m.HDisplay), hPorch},
		{"horizontal sync", int(m.HSyncEnd - m.HSyncStart), hSync},
		{"vertical front porch", int(m.VSyncStart - m.VDisplay), vPorch},
		{"vertical sync", int(m.VSyncEnd - m.VSyncStart), vSync},
	} {
		if part.value > part.top {
			return fmt.Errorf("%s of %d is too large (limit %d)", part.what, part.value, part.top)
		}
	}
	return nil
}

// encodeDetailed returns the descriptor of a mode that fits.
func (mon *Monitor) encodeDetailed(m *mode.Mode) []byte {
	d := make([]byte, descriptorSize)
	binary.LittleEndian.PutUint16(d, uint16((m.Clock+5)/10))
	hBlank, vBlank := m.HTotal-m.HDisplay, m.VTotal-m.VDisplay
	hPorch, hSync := m.HSyncStart-m.HDisplay, m.HSyncEnd-m.HSyncStart
	vPorch, vSync := m.VSyncStart-m.VDisplay, m.VSyncEnd-m.VSyncStart
	d[2], d[3], d[4] = byte(m.HDisplay), byte(hBlank), byte(m.HDisplay>>8<<4|hBlank>>8)
	d[5], d[6], d[7] = byte(m.VDisplay), byte(vBlank), byte(m.VDisplay>>8<<4|vBlank>>8)
	d[8], d[9] = byte(hPorch), byte(hSync)
	d[10] = byte(vPorch&0xf<<4 | vSync&0xf)
	d[11] = byte(hPorch>>8<<6 | hSync>>8<<4 | vPorch>>4<<2 | vSync>>4)
	w, h := mon.WidthMM, mon.HeightMM
	d[12], d[13], d[14] = byte(w), byte(h), byte(w>>8<<4|h>>8)
	d[17] = detailedSeparate
	if m.Flags&uapi.ModeFlagPVSync != 0 {
		d[17] |= detailedVPos
	}
	if m.Flags&uapi.ModeFlagPHSync != 0 {
		d[17] |= detailedHPos
	}
	return d
}

// addDetailed adds detailed timings (add_detailed_modes).
func (p *parser) addDetailed() {
	preferred := p.revision() >= 4 || p.base[featuresAt]&featureNative != 0
	for d := range p.descriptors {
		if d[0] == 0 && d[1] == 0 {
			continue
		}
		m, ok := p.parseDetailed(d)
		if !ok {
			continue
		}
		if preferred {
			m.Type |= uapi.ModeTypePreferred
			preferred = false
		}
		fixClock(&m)
		p.add(m)
	}
}

// parseDetailed reads a detailed timing (drm_mode_detailed). It reports false
// for one that the kernel ignores.
func (p *parser) parseDetailed(d *descriptor) (m mode.Mode, ok bool) {
	const tiny = 64
	wide := func(low, high byte) uint16 { return uint16(high)<<8 | uint16(low) }
	hShown, hBlank := wide(d[2], d[4]>>4), wide(d[3], d[4]&0xf)
	vShown, vBlank := wide(d[5], d[7]>>4), wide(d[6], d[7]&0xf)
	hPorch, hSync := wide(d[8], d[11]>>6), wide(d[9], d[11]>>4&3)
	vPorch, vSync := uint16(d[11]>>2&3<<4|d[10]>>4), uint16(d[11]&3<<4|d[10]&0xf)
	switch {
	case hShown < tiny || vShown < tiny, d[17]&detailedStereo != 0, hSync == 0 || vSync == 0:
		return m, false
	case p.quirks&forceReducedBlank != 0:
		m, ok = cvt(uint32(hShown), uint32(vShown), 60, true)
		m.Type = uapi.ModeTypeDriver
		return m, ok
	}
	m = mode.Mode{
		Clock:    10 * uint32(binary.LittleEndian.Uint16(d[:])),
		HDisplay: hShown, HSyncStart: hShown + hPorch, HSyncEnd: hShown + hPorch + hSync, HTotal: hShown + hBlank,
		VDisplay: vShown, VSyncStart: vShown + vPorch, VSyncEnd: vShown + vPorch + vSync, VTotal: vShown + vBlank,
		Type: uapi.ModeTypeDriver,
	}
	if p.quirks&clock135TooHigh != 0 {
		m.Clock = 10880
	}
	// Some monitors count the sync beyond the blanking, with which it ends.
	m.HSyncEnd, m.VSyncEnd = min(m.HSyncEnd, m.HTotal), min(m.VSyncEnd, m.VTotal)
	if d[17]&detailedLaced != 0 {
		interlace(&m)
	}
	if p.quirks&detailedSyncPP != 0 {
		m.Flags |= polarities(true, true)
	} else {
		m.Flags |= polarities(d[17]&detailedHPos != 0, d[17]&detailedVPos != 0)
	}
	m.SetName()
	return m, true
}

// interlace makes m interlaced. Some EDIDs give the height of a field for the
// formats of television (drm_mode_do_interlace_quirk).
func interlace(m *mode.Mode) {
	for _, size := range [][2]uint16{{1920, 1080}, {720, 480}, {1440, 480}, {2880, 480}, {720, 576}, {1440, 576}, {2880, 576}} {
		if m.HDisplay == size[0] && m.VDisplay == size[1]/2 {
			m.VDisplay *= 2
			m.VSyncStart *= 2
			m.VSyncEnd *= 2
			m.VTotal = m.VTotal*2 | 1
		}
	}
	m.Flags |= uapi.ModeFlagInterlace
}
