package edid

import (
	"encoding/binary"
	"fmt"

	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A detailed timing has 18 bytes: a clock in units of 10 kHz; of a line, and
// of a frame, what is shown, the blanking, and in it the front porch and the
// sync; the size in mm.
const (
	detailedSeparate = 3 << 3 // digital syncs, of their own
	detailedVPos     = 1 << 2
	detailedHPos     = 1 << 1
	detailedStereo   = 1<<5 | 1<<6 | 1<<0
	detailedLaced    = 1 << 7
)

// fitsDetailed reports why the mode cannot be a detailed timing.
func fitsDetailed(m *mode.Mode) error {
	const clock, size, hPorch, hSync, vPorch, vSync = 65535 * 10, 4095, 1023, 1023, 63, 63
	for _, part := range []struct {
		what       string
		value, top int
	}{
		{"its clock in kHz is", int(m.Clock), clock},
		{"its width is", int(m.HDisplay), size},
		{"its height is", int(m.VDisplay), size},
		{"its horizontal blanking is", int(m.HTotal - m.HDisplay), size},
		{"its vertical blanking is", int(m.VTotal - m.VDisplay), size},
		{"its horizontal front porch is", int(m.HSyncStart - m.HDisplay), hPorch},
		{"its horizontal sync is", int(m.HSyncEnd - m.HSyncStart), hSync},
		{"its vertical front porch is", int(m.VSyncStart - m.VDisplay), vPorch},
		{"its vertical sync is", int(m.VSyncEnd - m.VSyncStart), vSync},
	} {
		if part.value > part.top {
			return fmt.Errorf("%s %d, over %d", part.what, part.value, part.top)
		}
	}
	return nil
}

// encodeDetailed makes the descriptor of a mode that fits.
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

// parseDetailed reads a descriptor that is a progressive timing; false for
// all others.
func parseDetailed(d []byte) (m mode.Mode, ok bool) {
	clock := binary.LittleEndian.Uint16(d)
	if clock == 0 || d[17]&(detailedStereo|detailedLaced) != 0 {
		return m, false
	}
	wide := func(low, high byte) uint16 { return uint16(high)<<8 | uint16(low) }
	hShown, hBlank := wide(d[2], d[4]>>4), wide(d[3], d[4]&0xf)
	vShown, vBlank := wide(d[5], d[7]>>4), wide(d[6], d[7]&0xf)
	hPorch, hSync := wide(d[8], d[11]>>6), wide(d[9], d[11]>>4&3)
	vPorch, vSync := uint16(d[11]>>2&3<<4|d[10]>>4), uint16(d[11]&3<<4|d[10]&0xf)
	m = mode.Mode{
		Clock:    10 * uint32(clock),
		HDisplay: hShown, HSyncStart: hShown + hPorch, HSyncEnd: hShown + hPorch + hSync, HTotal: hShown + hBlank,
		VDisplay: vShown, VSyncStart: vShown + vPorch, VSyncEnd: vShown + vPorch + vSync, VTotal: vShown + vBlank,
		Type: uapi.ModeTypeDriver,
	}
	separate := d[17]&detailedSeparate == detailedSeparate
	m.Flags = polarities(separate && d[17]&detailedHPos != 0, separate && d[17]&detailedVPos != 0)
	m.SetName()
	// Some monitors count the sync beyond the blanking, with which it ends.
	m.HSyncEnd, m.VSyncEnd = min(m.HSyncEnd, m.HTotal), min(m.VSyncEnd, m.VTotal)
	return m, true
}

// polarities returns the flags of the sync signals.
func polarities(hPositive, vPositive bool) uint32 {
	h, v := uint32(uapi.ModeFlagNHSync), uint32(uapi.ModeFlagNVSync)
	if hPositive {
		h = uapi.ModeFlagPHSync
	}
	if vPositive {
		v = uapi.ModeFlagPVSync
	}
	return h | v
}
