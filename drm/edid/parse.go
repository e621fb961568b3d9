package edid

import (
	"encoding/binary"
	"slices"

	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// Parse reads an EDID as Linux 6.12 does (drm_edid_connector_update and
// drm_edid_connector_add_modes). It accepts whatever [Repair] can repair. The
// order of modes is the kernel's, and equal modes are merged. Modes has no mode
// that needs YCbCr 4:2:0.
func Parse(data []byte) (*Monitor, error) { return parse(data, false) }

// Parse72 is [Parse] for Linux 7.2. That adds the modes of DisplayID for which the
// EDID has a size and a rate only, and knows one more monitor whose EDID has a
// wrong number of bits per component.
func Parse72(data []byte) (*Monitor, error) { return parse(data, true) }

func parse(data []byte, newer bool) (*Monitor, error) {
	data, err := Repair(data)
	if err != nil {
		return nil, err
	}
	p := &parser{blocks: split(data), newer: newer}
	p.base = &p.blocks[0]
	m := &Monitor{
		Manufacturer: parseManufacturer(binary.BigEndian.Uint16(p.base[manufacturerAt:])),
		Product:      binary.LittleEndian.Uint16(p.base[productAt:]),
		Serial:       binary.LittleEndian.Uint32(p.base[serialAt:]),
		WidthMM:      10 * int(p.base[sizeAt]), HeightMM: 10 * int(p.base[sizeAt+1]),
	}
	for d := range p.descriptors {
		if d.is(tagName) && m.Name == "" {
			m.Name = parseText(d[:])
		}
	}
	var id productID
	if p.base[manufacturerAt]&0x80 == 0 { // a reserved bit
		id = productID{m.Manufacturer, m.Product}
		p.quirks = quirks[id]
	}
	p.sections = displayIDSections(p.blocks[1:], p.wrongSectionSum(id))
	m.NonDesktop = p.quirks&nonDesktop != 0
	if p.digital() && p.revision() >= 3 {
		p.parseCTA()
		m.NonDesktop = m.NonDesktop || p.headMounted || displayIDHeadMounted(p.sections)
		m.HDR, m.Colorimetry = p.hdr, p.colorimetry
	}
	m.BPC = p.parseBPC(id)
	m.MinRefresh, m.MaxRefresh = p.parseRefresh()
	m.Tile = parseTile(p.sections)
	p.addModes()
	all := merge(p.modes)
	for _, timing := range all {
		if p.only420[matchCTA(&timing, mode.SamePeriod)] {
			m.With420 = all
		} else {
			m.Modes = append(m.Modes, timing)
		}
	}
	return m, nil
}

// A parser holds what is known of an EDID.
type parser struct {
	newer    bool // reads as Linux 7.2
	blocks   []block
	base     *block
	sections []displayIDSection
	quirks   quirk

	// From CTA data blocks.
	vics        []uint8        // of all video data blocks; 0 for unknown ones
	only420     map[uint8]bool // VICs that need YCbCr 4:2:0
	headMounted bool
	hdr         *HDR
	colorimetry Colorimetry
	deepColor   int // bits per component; or 0

	modes []mode.Mode // in the order of their discovery
}

func (p *parser) revision() byte { return p.base[versionAt+1] }
func (p *parser) digital() bool  { return p.base[inputAt]&inputDigital != 0 }

func (p *parser) add(m mode.Mode) { p.modes = append(p.modes, m) }

// addModes finds the modes (_drm_edid_connector_add_modes).
func (p *parser) addModes() {
	p.addDetailed()
	p.addCVTCodes()
	p.addStandard()
	p.addEstablished()
	p.addCTA()
	p.addAlternateClocks()
	p.addDisplayID()
	if p.base[featuresAt]&featureContinuous != 0 {
		p.addInferred()
	}
	if p.quirks&(preferLarge60|preferLarge75) != 0 {
		p.preferLargest()
	}
}

// A descriptor is a detailed timing or something else of its size.
type descriptor [descriptorSize]byte

// is reports whether the descriptor is no timing and has the tag.
func (d *descriptor) is(tag byte) bool { return d[0] == 0 && d[1] == 0 && d[2] == 0 && d[3] == tag }

// descriptors yields all descriptors of the EDID (drm_for_each_detailed_block).
func (p *parser) descriptors(yield func(*descriptor) bool) {
	for i := range 4 {
		if !yield((*descriptor)(p.base[descriptorsAt+i*descriptorSize:])) {
			return
		}
	}
	for i := range p.blocks[1:] {
		b := &p.blocks[1+i]
		at, n := 0, 0
		switch {
		case b[0] == ctaTag && b[2] >= ctaData && b[2] <= 127:
			at = int(b[2])
			n = (127 - at) / descriptorSize
		case b[0] == vtbTag && b[1] == 1:
			at, n = vtbData, min(int(b[2]), vtbMax)
		}
		for range n {
			if !yield((*descriptor)(b[at:])) {
				return
			}
			at += descriptorSize
		}
	}
}

// A video timing block extension has detailed timings from its sixth byte on,
// whose number is in the third.
const (
	vtbTag  = 0x10
	vtbData = 5
	vtbMax  = 6
)

// merge merges equal modes. The types add up. Of two equal modes the first
// remains, unless only the second is preferred (drm_connector_list_update).
func merge(modes []mode.Mode) (merged []mode.Mode) {
	for _, m := range modes {
		i := slices.IndexFunc(merged, func(other mode.Mode) bool { return m.Equal(&other) })
		switch {
		case i < 0:
			merged = append(merged, m)
		case m.Type&^merged[i].Type&uapi.ModeTypePreferred != 0:
			m.Type |= merged[i].Type
			merged[i] = m
		default:
			merged[i].Type |= m.Type
		}
	}
	return merged
}

// within5kHz reports whether two clocks in kHz differ by at most 5.
func within5kHz(a, b uint32) bool { return max(a, b)-min(a, b) <= 5 }

// sameTimings reports whether the modes differ in nothing but clock and flags.
func sameTimings(a, b *mode.Mode) bool {
	x, y := *a, *b
	x.Clock, y.Clock = 0, 0
	x.Flags, y.Flags = 0, 0
	return x.SameTiming(&y)
}

// preferLargest makes the largest mode the preferred one. Among modes of the
// same size it is the one whose rate is nearest to that of the quirk
// (edid_fixup_preferred).
func (p *parser) preferLargest() {
	if len(p.modes) == 0 {
		return
	}
	rate := 60
	if p.quirks&preferLarge75 != 0 {
		rate = 75
	}
	size := func(m *mode.Mode) int32 { return int32(m.HDisplay) * int32(m.VDisplay) }
	distance := func(m *mode.Mode) int { return max(int(m.VRefresh())-rate, rate-int(m.VRefresh())) }
	best := 0
	for i := range p.modes {
		m, b := &p.modes[i], &p.modes[best]
		m.Type &^= uapi.ModeTypePreferred
		if size(m) > size(b) || size(m) == size(b) && distance(m) < distance(b) {
			best = i
		}
	}
	p.modes[best].Type |= uapi.ModeTypePreferred
}
