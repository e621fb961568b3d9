package edid

import (
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A CTA-861 block has data blocks from its fifth byte to the offset in its
// third, and detailed timings from there.
const (
	ctaTag      = 0x02
	ctaRevision = 3 // the first with data blocks
	ctaData     = 4
)

// Tags of data blocks, which begin with a byte of tag (three bits) and length.
const (
	ctaVideo    = 2 // video identification codes
	ctaVendor   = 3
	ctaExtended = 7 // the tag follows
)

// Extended tags.
const (
	ctaVideoCapability   = 0
	ctaColorimetry       = 5
	ctaHDR               = 6  // static metadata
	ctaVideo420          = 14 // VICs that need YCbCr 4:2:0
	ctaExtensionOverride = 0x78
)

// Identifiers of vendors.
const (
	vendorHDMI      = 0x000c03
	vendorMicrosoft = 0xca125c
)

// A dataBlock is a CTA data block, without its first byte.
type dataBlock struct {
	tag  byte
	data []byte
}

// extended reports whether the block has the extended tag.
func (d *dataBlock) extended(tag byte) bool {
	return d.tag == ctaExtended && len(d.data) >= 1 && d.data[0] == tag
}

// vendor reports whether the block is a vendor's.
func (d *dataBlock) vendor(id uint32) bool {
	return d.tag == ctaVendor && len(d.data) >= 3 &&
		uint32(d.data[2])<<16|uint32(d.data[1])<<8|uint32(d.data[0]) == id
}

func (d *dataBlock) hdmi() bool { return d.vendor(vendorHDMI) && len(d.data) >= 5 }

// dataBlocks yields the data blocks of all CTA blocks, then those in DisplayID
// blocks.
func (p *parser) dataBlocks(yield func(*dataBlock) bool) {
	var collections [][]byte
	for i := range p.blocks[1:] {
		if b := &p.blocks[1+i]; b[0] == ctaTag && b[1] >= ctaRevision && b[2] > ctaData && b[2] <= 127 {
			collections = append(collections, b[ctaData:b[2]])
		}
	}
	for i := range p.sections {
		for _, b := range p.sections[i].blocks {
			if b.tag == displayIDCTA {
				collections = append(collections, b.data)
			}
		}
	}
	for _, c := range collections {
		for len(c) > 0 {
			length := int(c[0] & 0x1f)
			if 1+length > len(c) {
				break
			}
			if !yield(&dataBlock{c[0] >> 5, c[1 : 1+length]}) {
				return
			}
			c = c[1+length:]
		}
	}
}

// parseCTA reads what data blocks say of the monitor as a whole
// (drm_parse_cea_ext).
func (p *parser) parseCTA() {
	p.only420 = make(map[uint8]bool)
	for d := range p.dataBlocks {
		switch {
		case d.vendor(vendorMicrosoft) && len(d.data) == 21:
			// Versions 1 and 2 are for headsets, version 3 has a bit for
			// desktops.
			const desktop = 1 << 6
			version, use := d.data[3], d.data[4]
			if version == 1 || version == 2 || version == 3 && use&desktop == 0 {
				p.headMounted = true
			}
		case d.hdmi():
			p.parseDeepColor(d.data)
		case d.extended(ctaVideo420):
			for _, code := range d.data[1:] {
				if vic := vicOf(code); vic != 0 {
					p.only420[vic] = true
				}
			}
		case d.tag == ctaVideo:
			for _, code := range d.data {
				p.vics = append(p.vics, vicOf(code))
			}
		default:
			p.parseDisplay(d)
		}
	}
}

// vicOf returns the VIC of a short video descriptor, or 0 for an unknown one.
// Bit 7 of the VICs up to 64 marks the mode as native.
func vicOf(code uint8) uint8 {
	if code >= 129 && code <= 192 {
		code &= 0x7f
	}
	if _, ok := mode.CTA(code); !ok {
		return 0
	}
	return code
}

// addCTA adds the modes of data blocks (add_cea_modes).
func (p *parser) addCTA() {
	for _, vic := range p.vics {
		p.addVIC(vic, 0)
	}
	for d := range p.dataBlocks {
		switch {
		case d.hdmi():
			p.addHDMI(d.data)
		case d.extended(ctaVideo420):
			for _, code := range d.data[1:] {
				p.addVIC(vicOf(code), 0)
			}
		}
	}
}

// addVIC adds the mode of a VIC, with flags for a 3D layout.
func (p *parser) addVIC(vic uint8, flags uint32) {
	if m, ok := mode.CTA(vic); ok {
		m.Flags |= flags
		p.add(m)
	}
}

// addVICIndex adds the mode of a VIC by its index in the video data blocks.
func (p *parser) addVICIndex(i int, flags uint32) {
	if i < len(p.vics) {
		p.addVIC(p.vics[i], flags)
	}
}

// addAlternateClocks adds, for each mode of television, the one whose rate is a
// thousandth higher or lower, such as 59.94 Hz for 60 Hz
// (add_alternate_cea_modes).
func (p *parser) addAlternateClocks() {
	if !p.hasCTA() {
		return
	}
	var found []mode.Mode
	for i := range p.modes {
		m := &p.modes[i]
		standard, ok := mode.CTA(matchCTA(m, mode.SamePeriod))
		if !ok {
			if standard, ok = hdmiMode(matchHDMI(m, mode.SamePeriod)); !ok {
				continue
			}
		}
		alternate := alternateClock(&standard)
		if alternate == standard.Clock || m.Clock != standard.Clock && m.Clock != alternate {
			continue
		}
		if m.Clock == standard.Clock {
			standard.Clock = alternate
		}
		standard.Flags |= m.Flags & uapi.ModeFlag3DMask
		found = append(found, standard)
	}
	p.modes = append(p.modes, found...)
}

// hasCTA reports whether the EDID has a CTA block, or one within DisplayID.
func (p *parser) hasCTA() bool {
	for i := range p.blocks[1:] {
		if p.blocks[1+i][0] == ctaTag {
			return true
		}
	}
	for i := range p.sections {
		for _, b := range p.sections[i].blocks {
			if b.tag == displayIDCTA {
				return true
			}
		}
	}
	return false
}
