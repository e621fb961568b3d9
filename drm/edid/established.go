package edid

import (
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// established holds the established timings I and II, and one of those that are
// left to manufacturers, from the lowest bit: by the number in VESA DMT, or as
// a mode that is in no standard.
var established = [17]struct {
	dmt  uint8
	mode mode.Mode
}{
	0: {dmt: 0x09}, 1: {dmt: 0x08}, 2: {dmt: 0x06}, 3: {dmt: 0x05},
	4: {mode: mode.Mode{Clock: 30240, HDisplay: 640, HSyncStart: 704, HSyncEnd: 768, HTotal: 864,
		VDisplay: 480, VSyncStart: 483, VSyncEnd: 486, VTotal: 525, Flags: polarities(false, false)}}, // Apple
	5: {dmt: 0x04},
	6: {mode: mode.Mode{Clock: 35500, HDisplay: 720, HSyncStart: 738, HSyncEnd: 846, HTotal: 900,
		VDisplay: 400, VSyncStart: 421, VSyncEnd: 423, VTotal: 449, Flags: polarities(false, false)}}, // IBM
	7: {mode: mode.Mode{Clock: 28320, HDisplay: 720, HSyncStart: 738, HSyncEnd: 846, HTotal: 900,
		VDisplay: 400, VSyncStart: 412, VSyncEnd: 414, VTotal: 449, Flags: polarities(false, true)}}, // IBM
	8: {dmt: 0x24}, 9: {dmt: 0x12}, 10: {dmt: 0x11}, 11: {dmt: 0x10}, 12: {dmt: 0x0f},
	13: {mode: mode.Mode{Clock: 57284, HDisplay: 832, HSyncStart: 864, HSyncEnd: 928, HTotal: 1152,
		VDisplay: 624, VSyncStart: 625, VSyncEnd: 628, VTotal: 667, Flags: polarities(false, false)}}, // Apple
	14: {dmt: 0x0b}, 15: {dmt: 0x0a}, 16: {dmt: 0x15},
}

// established3 holds the established timings III from the highest bit, by the
// number in VESA DMT.
var established3 = []uint8{
	0x01, 0x02, 0x03, 0x07, 0x0e, 0x0c, 0x13, 0x15, 0x16, 0x17, 0x18, 0x19, 0x20, 0x21, 0x23, 0x25,
	0x27, 0x2e, 0x2f, 0x30, 0x31, 0x29, 0x2a, 0x2b, 0x2c, 0x39, 0x3a, 0x3b, 0x3c, 0x33, 0x34, 0x35,
	0x36, 0x37, 0x3e, 0x3f, 0x41, 0x42, 0x44, 0x45, 0x46, 0x47, 0x49, 0x4a,
}

// addEstablished adds established timings (add_established_modes).
func (p *parser) addEstablished() {
	b := p.base[establishedAt:]
	bits := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2]>>7)<<16
	for i := range established {
		if bits&(1<<i) == 0 {
			continue
		}
		if e := &established[i]; e.dmt != 0 {
			p.addDMT(e.dmt)
		} else {
			m := e.mode
			m.Type = uapi.ModeTypeDriver
			m.SetName()
			p.add(m)
		}
	}
	if p.revision() < 1 {
		return
	}
	for d := range p.descriptors {
		if !d.is(tagEstablished) {
			continue
		}
		for i, id := range established3 {
			if d[6+i/8]&(0x80>>(i%8)) != 0 {
				p.addDMT(id)
			}
		}
	}
}

func (p *parser) addDMT(id uint8) {
	if m, ok := mode.DMT(id); ok {
		p.add(m)
	}
}
