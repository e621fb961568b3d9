package edid

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

const (
	displayIDMonitor  = 3 // a type of product
	displayIDNoAspect = 8 // aspect ratio not given
	displayIDModes    = (displayIDLast - displayIDData - displayIDHeader) / displayIDTiming
)

// A displayIDEncoder encodes DisplayID blocks of one version.
type displayIDEncoder struct {
	version, use byte
	timing, tile byte   // tags of data blocks
	clockUnit    uint32 // kHz
}

// displayID returns the encoder for the monitor. Only DisplayID 2.0 can say that
// a monitor is a headset.
func (m *Monitor) displayID() displayIDEncoder {
	if m.NonDesktop {
		return displayIDEncoder{displayIDVersion2, headMountedVR, displayIDTypeVII, displayIDTile2, 1}
	}
	return displayIDEncoder{displayIDVersion, displayIDMonitor, displayIDTypeI, displayIDTile, displayIDClockUnit}
}

// fits returns an error if the mode cannot be a detailed timing.
func (e *displayIDEncoder) fits(m *mode.Mode) error {
	top := e.clockUnit << 24
	switch {
	case m.Clock > top:
		return fmt.Errorf("clock of %d kHz is too high (limit %d)", m.Clock, top)
	case m.HSyncStart == m.HDisplay || m.VSyncStart == m.VDisplay:
		return errors.New("no front porch")
	case m.HTotal-m.HDisplay >= displayIDPositive || m.VTotal-m.VDisplay >= displayIDPositive:
		return fmt.Errorf("blanking is too large (limit %d)", displayIDPositive)
	}
	return nil
}

// block returns an extension block with one data block.
func (e *displayIDEncoder) block(tag byte, data []byte) (b block) {
	copy(b[:], []byte{displayIDTag, e.version, byte(displayIDHeader + len(data)), e.use, 0, tag, 0, byte(len(data))})
	end := displayIDData + displayIDHeader + copy(b[displayIDData+displayIDHeader:], data)
	for _, v := range b[1:end] {
		b[end] -= v
	}
	return b
}

// timings returns a block with at most displayIDModes modes.
func (e *displayIDEncoder) timings(modes []mode.Mode, preferred bool) block {
	var data []byte
	for i := range modes {
		m := &modes[i]
		d := make([]byte, displayIDTiming)
		clock := (m.Clock+e.clockUnit/2)/e.clockUnit - 1
		d[0], d[1], d[2] = byte(clock), byte(clock>>8), byte(clock>>16)
		d[3] = displayIDNoAspect
		if preferred && i == 0 {
			d[3] |= displayIDPreferred
		}
		for j, part := range [8]uint16{
			m.HDisplay, m.HTotal - m.HDisplay, m.HSyncStart - m.HDisplay, m.HSyncEnd - m.HSyncStart,
			m.VDisplay, m.VTotal - m.VDisplay, m.VSyncStart - m.VDisplay, m.VSyncEnd - m.VSyncStart,
		} {
			v := part - 1
			if j == 2 && m.Flags&uapi.ModeFlagPHSync != 0 || j == 6 && m.Flags&uapi.ModeFlagPVSync != 0 {
				v |= displayIDPositive
			}
			binary.LittleEndian.PutUint16(d[4+2*j:], v)
		}
		data = append(data, d...)
	}
	return e.block(e.timing, data)
}

// tileBlock returns a block with a tiled display topology.
func (e *displayIDEncoder) tileBlock(t *Tile) (b block, err error) {
	const maxTiles, maxSize = 64, 1 << 16
	switch {
	case t.Columns < 1 || t.Columns > maxTiles || t.Rows < 1 || t.Rows > maxTiles:
		return b, fmt.Errorf("edid: %dx%d tiles are out of range (limit %dx%d)", t.Columns, t.Rows, maxTiles, maxTiles)
	case t.Column < 0 || t.Column >= t.Columns || t.Row < 0 || t.Row >= t.Rows:
		return b, fmt.Errorf("edid: no tile at column %d, row %d of %dx%d", t.Column, t.Row, t.Columns, t.Rows)
	case t.Width < 1 || t.Width > maxSize || t.Height < 1 || t.Height > maxSize:
		return b, fmt.Errorf("edid: tile size %dx%d is out of range (limit %dx%d)", t.Width, t.Height, maxSize, maxSize)
	}
	d := make([]byte, displayIDTileSize)
	if t.SingleMonitor {
		d[0] = 0x80
	}
	// Each number has its low four bits in d[1] or d[2], the other two in d[3].
	columns, rows, column, row := byte(t.Columns-1), byte(t.Rows-1), byte(t.Column), byte(t.Row)
	d[1], d[2] = columns<<4|rows&0xf, column<<4|row&0xf
	d[3] = columns>>4<<6 | rows>>4<<4 | column>>4<<2 | row>>4
	binary.LittleEndian.PutUint16(d[4:], uint16(t.Width-1))
	binary.LittleEndian.PutUint16(d[6:], uint16(t.Height-1))
	copy(d[13:], t.Group[:])
	return e.block(e.tile, d), nil
}

// productBlock returns a block with the product code and the serial number, and
// with neither date nor name.
func (e *displayIDEncoder) productBlock(m *Monitor) block {
	d := make([]byte, displayIDProductSize)
	binary.LittleEndian.PutUint16(d[3:], m.Product)
	binary.LittleEndian.PutUint32(d[5:], m.Serial)
	return e.block(displayIDProduct2, d)
}
