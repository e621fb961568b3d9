package edid

import "github.com/udrm/udrm/drm/mode"

// extraModes holds common sizes that VESA DMT lacks, at 60 Hz.
var extraModes = [][2]uint32{{1024, 576}, {1366, 768}, {1600, 900}, {1680, 945}, {1920, 1080}, {2048, 1152}, {2048, 1536}}

// addInferred adds modes that lie within the range limits of a monitor with
// continuous frequencies (add_inferred_modes).
func (p *parser) addInferred() {
	if p.revision() < 1 {
		return
	}
	for d := range p.descriptors {
		if !d.is(tagLimits) {
			continue
		}
		for _, m := range mode.DMTs() {
			p.addInRange(m, d)
		}
		var compute func(width, height, refresh uint32) (mode.Mode, bool)
		switch {
		case p.revision() < 2:
		case d[10] == limitsGTF:
			compute = func(w, h, r uint32) (mode.Mode, bool) { return gtf(w, h, r, defaultCurve) }
		case d[10] == limitsGTF2:
			compute = p.gtf2
		case d[10] == limitsCVT && p.revision() >= 4:
			compute = func(w, h, r uint32) (mode.Mode, bool) { return cvt(w, h, r, p.reducedBlanking()) }
		}
		if compute == nil {
			continue
		}
		for _, size := range extraModes {
			m, ok := compute(size[0], size[1], 60)
			if !ok {
				return
			}
			if m.HDisplay == 1368 && m.VDisplay == 768 { // formulas cannot compute 1366
				m.HDisplay, m.HSyncStart, m.HSyncEnd = 1366, m.HSyncStart-1, m.HSyncEnd-1
				m.SetName()
			}
			p.addInRange(m, d)
		}
	}
}

// addInRange adds the mode if it lies within the limits, is not larger than
// every other mode, and is the first of its size and rate.
func (p *parser) addInRange(m mode.Mode, limits *descriptor) {
	if !p.inRange(&m, limits) {
		return
	}
	fits := false
	for i := range p.modes {
		other := &p.modes[i]
		if m.HDisplay == other.HDisplay && m.VDisplay == other.VDisplay && m.VRefresh() == other.VRefresh() {
			return
		}
		fits = fits || m.HDisplay <= other.HDisplay && m.VDisplay <= other.VDisplay
	}
	if fits {
		p.add(m)
	}
}

// inRange reports whether the mode lies within the limits (mode_in_range).
func (p *parser) inRange(m *mode.Mode, d *descriptor) bool {
	byte255 := func(i int, bit byte) uint32 {
		if p.revision() >= 4 && d[4]&bit != 0 {
			return uint32(d[i]) + 255
		}
		return uint32(d[i])
	}
	if f := lineFrequency(m); f < byte255(7, minHorizontal) || f > byte255(8, maxHorizontal) {
		return false
	}
	if f := m.VRefresh(); f < byte255(5, minVertical) || f > byte255(6, maxVertical) {
		return false
	}
	hasCVT := p.revision() >= 4 && d[10] == limitsCVT
	if d[9] != 0 && d[9] != 255 {
		top := uint32(d[9])*10000 + 5001 // with some tolerance
		if hasCVT {
			top = uint32(d[9])*10000 - uint32(d[12]>>2)*250
		}
		if m.Clock > top {
			return false
		}
	}
	if hasCVT && d[13] != 0 && uint32(m.HDisplay) > 8*(uint32(d[13])+256*uint32(d[12]&3)) {
		return false
	}
	return p.reducedBlanking() || !m.ReducedBlanking()
}
