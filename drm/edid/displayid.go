package edid

import (
	"encoding/binary"
	"slices"

	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A DisplayID block has a section: version, number of bytes, type of product,
// number of extensions, data blocks, and a checksum of its own.
//
// A detailed timing has 20 bytes: a clock in units of 10 kHz (type I) or 1 kHz
// (type VII), flags, and 16 bits for each part of a line and a frame. All
// numbers are stored less 1.
const (
	displayIDTag      = 0x70
	displayIDVersion  = 0x12 // 1.2
	displayIDVersion2 = 0x20
	displayIDData     = 5
	displayIDLast     = 126 // the latest place for the section's checksum
	displayIDTypeI    = 0x03
	displayIDTypeVII  = 0x22
	displayIDTypeIX   = 0x24 // the mode by a formula, as of type X
	displayIDTypeX    = 0x2a
	displayIDTile     = 0x12
	displayIDTile2    = 0x28 // of DisplayID 2.0
	displayIDProduct2 = 0x20 // of DisplayID 2.0
	displayIDCTA      = 0x81
	displayIDTiming   = 20
	displayIDTileSize = 22

	displayIDProductSize = 12 // without a name
	displayIDHeader      = 3  // of a data block: tag, revision, length

	displayIDPreferred = 1 << 7
	displayIDPositive  = 1 << 15
	displayIDClockUnit = 10 // kHz, of type I
)

// A displayIDSection is the section of a DisplayID block.
type displayIDSection struct {
	version, use byte
	blocks       []displayIDBlock
}

// A displayIDBlock is a data block of a section.
type displayIDBlock struct {
	tag, revision byte
	data          []byte
}

// displayIDSections returns the sections of the extension blocks, up to the
// first bad one. With anySum, a wrong checksum does not make a section bad.
func displayIDSections(extensions []block, anySum bool) (sections []displayIDSection) {
	for i := range extensions {
		b := &extensions[i]
		if b[0] != displayIDTag {
			continue
		}
		end := displayIDData + int(b[2])
		if end > displayIDLast {
			return sections
		}
		sum := byte(0)
		for _, v := range b[1 : end+1] {
			sum += v
		}
		if sum != 0 && !anySum {
			return sections
		}
		s := displayIDSection{version: b[1], use: b[3]}
		for data := b[displayIDData:end]; len(data) >= displayIDHeader; {
			length := displayIDHeader + int(data[2])
			if length > len(data) {
				break
			}
			s.blocks = append(s.blocks, displayIDBlock{data[0], data[1], data[displayIDHeader:length]})
			data = data[length:]
		}
		sections = append(sections, s)
	}
	return sections
}

// Primary uses of DisplayID 2.0.
const headMountedVR, headMountedAR = 7, 8

// displayIDHeadMounted reports whether the monitor is a headset. The first
// section that has data blocks counts, with the version and use of the first
// section.
func displayIDHeadMounted(sections []displayIDSection) bool {
	for i := range sections {
		if len(sections[i].blocks) > 0 {
			first := &sections[0]
			return first.version == displayIDVersion2 && (first.use == headMountedVR || first.use == headMountedAR)
		}
	}
	return false
}

// addDisplayID adds the timings of DisplayID blocks
// (add_displayid_detailed_modes).
func (p *parser) addDisplayID() {
	for i := range p.sections {
		for _, b := range p.sections[i].blocks {
			unit := uint32(displayIDClockUnit)
			switch b.tag {
			case displayIDTypeI:
			case displayIDTypeVII:
				unit = 1
			case displayIDTypeIX, displayIDTypeX:
				p.addFormulas(&b)
				continue
			default:
				continue
			}
			if len(b.data)%displayIDTiming != 0 {
				continue
			}
			for d := range slices.Chunk(b.data, displayIDTiming) {
				p.add(parseDisplayIDTiming(d, unit))
			}
		}
	}
}

// addFormulas adds the modes that a block says by size and rate, if the formula is
// CVT, with or without reduced blanking (add_displayid_formula_modes).
func (p *parser) addFormulas(b *displayIDBlock) {
	const size, longer, formula = 6, 0x70, 7
	if !p.newer || b.revision&longer != 0 || len(b.data)%size != 0 {
		return
	}
	for d := range slices.Chunk(b.data, size) {
		kind := d[0] & formula
		width, height := binary.LittleEndian.Uint16(d[1:])+1, binary.LittleEndian.Uint16(d[3:])+1
		if m, ok := cvt(uint32(width), uint32(height), uint32(d[5])+1, kind == 1); ok && kind <= 1 {
			m.Type = uapi.ModeTypeDriver
			p.add(m)
		}
	}
}

// parseDisplayIDTiming reads a detailed timing. Like the kernel, it takes an
// interlaced one for a progressive one.
func parseDisplayIDTiming(d []byte, unit uint32) mode.Mode {
	part := func(i int) uint16 { return binary.LittleEndian.Uint16(d[4+2*i:]) + 1 }
	porch := func(i int) uint16 { return binary.LittleEndian.Uint16(d[4+2*i:])&^displayIDPositive + 1 }
	positive := func(i int) bool { return binary.LittleEndian.Uint16(d[4+2*i:])&displayIDPositive != 0 }
	h, v := part(0), part(4)
	m := mode.Mode{
		Clock:    unit * (uint32(d[0]) | uint32(d[1])<<8 | uint32(d[2])<<16 + 1),
		HDisplay: h, HSyncStart: h + porch(2), HSyncEnd: h + porch(2) + part(3), HTotal: h + part(1),
		VDisplay: v, VSyncStart: v + porch(6), VSyncEnd: v + porch(6) + part(7), VTotal: v + part(5),
		Flags: polarities(positive(2), positive(6)), Type: uapi.ModeTypeDriver,
	}
	if d[3]&displayIDPreferred != 0 {
		m.Type |= uapi.ModeTypePreferred
	}
	m.SetName()
	return m
}

// parseTile returns the tile that the last tiled display block describes, or
// nil (drm_parse_tiled_block).
func parseTile(sections []displayIDSection) (tile *Tile) {
	for i := range sections {
		for _, b := range sections[i].blocks {
			version := sections[0].version
			isTile := version < displayIDVersion2 && b.tag == displayIDTile || version == displayIDVersion2 && b.tag == displayIDTile2
			if !isTile || len(b.data) < displayIDTileSize {
				continue
			}
			d := b.data
			tile = &Tile{
				SingleMonitor: d[0]&0x80 != 0 || tile != nil && tile.SingleMonitor,
				Rows:          int(d[1]&0xf|d[3]&0x30) + 1,
				Columns:       int(d[1]>>4|d[3]>>2&0x30) + 1,
				Row:           int(d[2]&0xf | d[3]&3<<4),
				Column:        int(d[2]>>4 | d[3]>>2&3<<4),
				Width:         int(binary.LittleEndian.Uint16(d[4:])) + 1,
				Height:        int(binary.LittleEndian.Uint16(d[6:])) + 1,
				Group:         [9]byte(d[13:]),
			}
		}
	}
	return tile
}
