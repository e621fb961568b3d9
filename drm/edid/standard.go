package edid

import (
	"encoding/binary"
	"slices"

	"github.com/udrm/udrm/drm/mode"
)

// addStandard adds standard timings, of two bytes each.
func (p *parser) addStandard() {
	for code := range slices.Chunk(p.base[standardAt:standardAt+16], 2) {
		p.addStandardCode(code[0], code[1])
	}
	if p.revision() < 1 {
		return
	}
	for d := range p.descriptors {
		if !d.is(tagStandard) {
			continue
		}
		for code := range slices.Chunk(d[5:17], 2) {
			p.addStandardCode(code[0], code[1])
		}
	}
}

// addStandardCode adds a standard timing: the width, then aspect ratio and
// refresh rate. It stands for a timing of VESA DMT, or else for one by formula
// (drm_mode_std).
func (p *parser) addStandardCode(a, b byte) {
	if a == b && (a == 0 || a == 1 || a == ' ') {
		return // unused
	}
	width, refresh := uint32(a)*8+248, uint32(b&0x3f)+60
	var height uint32
	switch b >> 6 {
	case 0:
		height = width * 10 / 16
		if p.revision() < 3 {
			height = width
		}
	case 1:
		height = width * 3 / 4
	case 2:
		height = width * 4 / 5
	case 3:
		height = width * 9 / 16
	}
	if refresh == 60 && (width == 1360 && height == 765 || width == 1368 && height == 769) {
		width, height = 1366, 768 // which two bytes cannot express
	}
	for i := range p.modes {
		m := &p.modes[i]
		if uint32(m.HDisplay) == width && uint32(m.VDisplay) == height && m.VRefresh() == refresh {
			return
		}
	}
	if width == 1366 && height == 768 && refresh == 60 {
		if m, ok := cvt(width, height, refresh, false); ok {
			// The name stays that of the formula's width, 1360.
			m.HDisplay, m.HSyncStart, m.HSyncEnd = 1366, m.HSyncStart-1, m.HSyncEnd-1
			p.add(m)
		}
		return
	}
	for _, reduced := range []bool{true, false} {
		if reduced && !p.reducedBlanking() {
			continue
		}
		if m, ok := mode.FindDMT(int(width), int(height), refresh, reduced); ok {
			p.add(m)
			return
		}
	}
	if m, ok := p.byFormula(width, height, refresh); ok {
		p.add(m)
	}
}

// byFormula computes a standard timing that is not in VESA DMT.
func (p *parser) byFormula(width, height, refresh uint32) (mode.Mode, bool) {
	switch p.formula() {
	case formulaCVT:
		return cvt(width, height, refresh, false)
	case formulaGTF:
		return gtf(width, height, refresh, defaultCurve)
	case formulaGTF2:
		return p.gtf2(width, height, refresh)
	}
	return mode.Mode{}, false
}

// A formula computes modes.
type formula int

const (
	noFormula formula = iota
	formulaGTF
	formulaGTF2 // GTF with a second curve for high frequencies
	formulaCVT
)

// The eleventh byte of range limits names the formula that the monitor
// supports.
const (
	limitsGTF  = 0x00
	limitsOnly = 0x01
	limitsGTF2 = 0x02
	limitsCVT  = 0x04
)

// formula returns the formula of standard timings (standard_timing_level).
func (p *parser) formula() formula {
	switch revision := p.revision(); {
	case revision >= 4:
		f := formulaCVT
		for d := range p.descriptors {
			if !d.is(tagLimits) {
				continue
			}
			switch d[10] {
			case limitsGTF:
				f = formulaGTF
			case limitsGTF2:
				f = formulaGTF2
			case limitsCVT:
				f = formulaCVT
			}
		}
		return f
	case revision >= 3 && p.gtf2Start() != 0:
		return formulaGTF2
	case revision >= 2:
		return formulaGTF
	}
	return noFormula
}

// reducedBlanking reports whether the monitor supports reduced blanking
// (drm_monitor_supports_rb).
func (p *parser) reducedBlanking() (supported bool) {
	if p.revision() < 4 {
		return p.digital()
	}
	const reduced = 1 << 4
	for d := range p.descriptors {
		if d.is(tagLimits) && d[10] == limitsCVT && d[15]&reduced != 0 {
			return true
		}
	}
	return false
}

// secondCurve returns the descriptor with the second curve of GTF, or nil.
func (p *parser) secondCurve() (found *descriptor) {
	for d := range p.descriptors {
		if d.is(tagLimits) && d[10] == limitsGTF2 {
			found = d
		}
	}
	return found
}

// gtf2Start returns the line frequency in kHz from which the second curve
// counts, or 0.
func (p *parser) gtf2Start() uint32 {
	if d := p.secondCurve(); d != nil {
		return uint32(d[12]) * 2
	}
	return 0
}

// gtf2 computes a mode by GTF with a second curve (drm_gtf2_mode).
func (p *parser) gtf2(width, height, refresh uint32) (mode.Mode, bool) {
	m, ok := gtf(width, height, refresh, defaultCurve)
	if !ok || lineFrequency(&m) <= p.gtf2Start() {
		return m, ok
	}
	var curve gtfCurve
	if d := p.secondCurve(); d != nil {
		curve = gtfCurve{m: int(binary.LittleEndian.Uint16(d[14:])), c2: int(d[13]), k: int(d[16]), j2: int(d[17])}
	}
	return gtf(width, height, refresh, curve)
}

// lineFrequency returns the lines per millisecond, rounded (drm_mode_hsync).
func lineFrequency(m *mode.Mode) uint32 {
	if m.HTotal == 0 {
		return 0
	}
	return (m.Clock + uint32(m.HTotal)/2) / uint32(m.HTotal)
}

// addCVTCodes adds CVT codes of three bytes: the height, the aspect ratio and
// the refresh rates (drm_cvt_modes). Like the kernel, it reads them one byte
// too early, from where the standard has a version number.
func (p *parser) addCVTCodes() {
	if p.revision() < 3 {
		return
	}
	for d := range p.descriptors {
		if !d.is(tagCVT) {
			continue
		}
		for code := range slices.Chunk(d[5:17], 3) {
			if code[0] == 0 && code[1] == 0 && code[2] == 0 {
				continue
			}
			height := (uint32(code[0]) + uint32(code[1]&0xf0)<<4 + 1) * 2
			shape := [...][2]uint32{{4, 3}, {16, 9}, {16, 10}, {15, 9}}[code[1]>>2&3]
			width := height * shape[0] / shape[1]
			// Bit 0, 60 Hz with reduced blanking, is ignored as in the kernel.
			for i, rate := range []uint32{85, 75, 60, 50} {
				if code[2]&(2<<i) == 0 {
					continue
				}
				if m, ok := cvt(width, height, rate, false); ok {
					p.add(m)
				}
			}
		}
	}
}
