package edid

import (
	"errors"
	"fmt"

	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A Monitor is the content of an EDID.
type Monitor struct {
	Manufacturer string // PNP ID of three letters; "" stands for DefaultManufacturer
	Product      uint16
	Serial       uint32
	Name         string // at most MaxName printable ASCII characters, or ""

	// WidthMM and HeightMM are the size of the picture, or 0 if it is unknown.
	// An EDID has whole centimetres, up to MaxSizeMM.
	WidthMM, HeightMM int

	// Modes are the modes that the monitor can show. [Monitor.Encode] marks the
	// first as preferred.
	Modes []mode.Mode

	// With420 are Modes and those that need YCbCr 4:2:0, in the order of the EDID,
	// as [Parse] found them. nil if no mode needs it. Encode ignores them.
	With420 []mode.Mode

	NonDesktop bool  // a headset or the like, which is not part of a desktop
	Tile       *Tile // if the monitor is a tile of a larger one; or nil

	// MinRefresh and MaxRefresh limit a refresh rate that can vary, in Hz; 0
	// stands for a fixed one. Readers take the monitor for one with continuous
	// frequencies, and add the modes of VESA DMT within the limits of Modes.
	MinRefresh, MaxRefresh int

	// HDR and Colorimetry need a CTA block. Readers of one add to the modes of
	// television those whose rate is a thousandth higher or lower.
	HDR         *HDR // or nil
	Colorimetry Colorimetry

	// BPC is the number of bits per component that the monitor shows, or 0 if it
	// is unknown. Encode writes 8 for 0, and 10 with HDR.
	BPC int
}

// A Tile is the place of a monitor in a group of tiles, which show one picture.
type Tile struct {
	Group         [9]byte // the same for all tiles of the group
	SingleMonitor bool    // all tiles are in one enclosure
	Columns, Rows int     // of the group
	Column, Row   int     // of this tile
	Width, Height int     // of this tile, in pixels
}

const (
	// DefaultManufacturer is the Linux Foundation.
	DefaultManufacturer = "LNX"
	MaxName             = 13   // characters
	MaxSizeMM           = 2550 // in each direction
	maxExtensions       = 255
)

// check refuses modes that cannot be encoded.
func check(m *mode.Mode) error {
	const tiny = 64 // readers ignore smaller modes
	switch {
	case m.Clock == 0:
		return errors.New("zero clock")
	case m.Flags&uapi.ModeFlagInterlace != 0:
		return errors.New("interlaced modes are not supported")
	case m.HDisplay < tiny || m.VDisplay < tiny:
		return fmt.Errorf("smaller than %dx%d", tiny, tiny)
	case m.HSyncStart < m.HDisplay || m.HSyncEnd <= m.HSyncStart || m.HTotal < m.HSyncEnd:
		return fmt.Errorf("invalid horizontal timing: %d pixels shown, sync from %d to %d, total %d", m.HDisplay, m.HSyncStart, m.HSyncEnd, m.HTotal)
	case m.VSyncStart < m.VDisplay || m.VSyncEnd <= m.VSyncStart || m.VTotal < m.VSyncEnd:
		return fmt.Errorf("invalid vertical timing: %d lines shown, sync from %d to %d, total %d", m.VDisplay, m.VSyncStart, m.VSyncEnd, m.VTotal)
	}
	return nil
}

// Encode returns an EDID 1.4 for the monitor. The error says which mode, name,
// manufacturer or size does not fit the format.
func (m *Monitor) Encode() ([]byte, error) {
	if len(m.Modes) == 0 {
		return nil, errors.New("edid: monitor without modes: give it at least one")
	}
	if err := m.checkRefresh(); err != nil {
		return nil, err
	}
	encoder := m.displayID()
	first, rest, err := divide(m.Modes, &encoder)
	if err != nil {
		return nil, err
	}
	base, err := m.encodeBase(first)
	if err != nil {
		return nil, err
	}
	blocks := []block{base}
	display, err := m.displayBlock()
	if err != nil {
		return nil, err
	}
	if display != nil {
		blocks = append(blocks, *display)
	}
	data := false // a DisplayID block with data blocks
	if m.Tile != nil {
		b, err := encoder.tileBlock(m.Tile)
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, b)
		data = true
	}
	if m.NonDesktop && !data && len(rest) == 0 {
		// Readers look at the use only if there are data blocks.
		blocks = append(blocks, encoder.productBlock(m))
	}
	for i := 0; i < len(rest); i += displayIDModes {
		part := rest[i:min(i+displayIDModes, len(rest))]
		blocks = append(blocks, encoder.timings(part, len(first) == 0 && i == 0))
	}
	if len(blocks)-1 > maxExtensions {
		return nil, fmt.Errorf("edid: %d modes are too many (limit %d)", len(m.Modes), baseModes+maxExtensions*displayIDModes)
	}
	blocks[0][extensionsAt] = byte(len(blocks) - 1)
	for i := range blocks {
		blocks[i].seal()
	}
	return join(blocks), nil
}

// divide divides modes between the base block and DisplayID blocks. A reader
// prefers the first mode of the base block, so that is the first mode or none.
//
// CTA blocks could hold modes as well. But then readers would add modes at
// 59.94 Hz to those at 60 Hz.
func divide(modes []mode.Mode, encoder *displayIDEncoder) (base, rest []mode.Mode, err error) {
	for i := range modes {
		m := &modes[i]
		if err := check(m); err != nil {
			return nil, nil, fmt.Errorf("edid: mode %v: %w", m, err)
		}
		tooLarge := fitsDetailed(m)
		if tooLarge == nil && len(base) < baseModes && (i == 0 || len(base) > 0) {
			base = append(base, *m)
			continue
		}
		if err := encoder.fits(m); err != nil {
			return nil, nil, fmt.Errorf("edid: mode %v does not fit DisplayID: %w", m, err)
		}
		rest = append(rest, *m)
	}
	return base, rest, nil
}
