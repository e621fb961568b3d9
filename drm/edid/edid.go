package edid

import (
	"errors"
	"fmt"
	"slices"

	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A Monitor is what an EDID says of a monitor.
type Monitor struct {
	Manufacturer string // three letters, as registered with UEFI (PNP ID); "" is DefaultManufacturer
	Product      uint16
	Serial       uint32
	Name         string // at most MaxName printable characters of ASCII; "" for none

	// WidthMM and HeightMM are the size of the picture in mm, 0 when it is
	// unknown. An EDID has it in whole centimetres, up to MaxSizeMM.
	WidthMM, HeightMM int

	// Modes are what it can show, the preferred one first.
	Modes []mode.Mode
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
	switch {
	case m.Clock == 0:
		return errors.New("zero clock")
	case m.Flags&uapi.ModeFlagInterlace != 0:
		return errors.New("interlaced modes are not supported")
	case m.HDisplay == 0 || m.HSyncStart < m.HDisplay || m.HSyncEnd <= m.HSyncStart || m.HTotal < m.HSyncEnd:
		return fmt.Errorf("invalid horizontal timing: %d pixels shown, sync from %d to %d, total %d", m.HDisplay, m.HSyncStart, m.HSyncEnd, m.HTotal)
	case m.VDisplay == 0 || m.VSyncStart < m.VDisplay || m.VSyncEnd <= m.VSyncStart || m.VTotal < m.VSyncEnd:
		return fmt.Errorf("invalid vertical timing: %d lines shown, sync from %d to %d, total %d", m.VDisplay, m.VSyncStart, m.VSyncEnd, m.VTotal)
	}
	return nil
}

// Encode returns an EDID 1.4 for the monitor. The name, the manufacturer, the
// size and the modes must fit the format; the error says which one does not.
func (m *Monitor) Encode() ([]byte, error) {
	if len(m.Modes) == 0 {
		return nil, errors.New("edid: a monitor without modes: give it one at least")
	}
	small, large, err := sortOut(m.Modes)
	if err != nil {
		return nil, err
	}
	base, rest, err := m.encodeBase(small)
	if err != nil {
		return nil, err
	}
	blocks := []block{base}
	for part := range slices.Chunk(rest, ctaModes) {
		blocks = append(blocks, m.encodeCTA(part))
	}
	for part := range slices.Chunk(large, displayIDModes) {
		preferred := &part[0] == &large[0] && fitsDetailed(&m.Modes[0]) != nil
		blocks = append(blocks, encodeDisplayID(part, preferred))
	}
	if len(blocks)-1 > maxExtensions {
		return nil, fmt.Errorf("edid: %d modes: there is room for about %d", len(m.Modes), maxExtensions*ctaModes)
	}
	blocks[0][extensionsAt] = byte(len(blocks) - 1)
	var data []byte
	for i := range blocks {
		blocks[i].seal()
		data = append(data, blocks[i][:]...)
	}
	return data, nil
}

// sortOut tells the modes that fit an 18-byte descriptor from those that need
// DisplayID, each in their order.
func sortOut(modes []mode.Mode) (small, large []mode.Mode, err error) {
	for _, m := range modes {
		if err := check(&m); err != nil {
			return nil, nil, fmt.Errorf("edid: mode %v: %w", &m, err)
		}
		reason := fitsDetailed(&m)
		if reason == nil {
			small = append(small, m)
			continue
		}
		if err := fitsDisplayID(&m); err != nil {
			return nil, nil, fmt.Errorf("edid: mode %v fits neither a detailed timing (%w) nor DisplayID (%w)", &m, reason, err)
		}
		large = append(large, m)
	}
	return small, large, nil
}

// Parse reads an EDID. What it does not know, it passes over: interlaced
// modes, the shape of pixels, colours, sound. Errors say which block is
// damaged, and how.
func Parse(data []byte) (*Monitor, error) {
	blocks, err := split(data)
	if err != nil {
		return nil, err
	}
	var list modeList
	m := parseBase(&blocks[0], &list)
	for i := range blocks[1:] {
		switch b := &blocks[i+1]; b[0] {
		case ctaTag:
			parseCTA(b, &list)
		case displayIDTag:
			parseDisplayID(b, &list)
		}
	}
	if len(list.modes) > 0 {
		list.modes[0].Type |= uapi.ModeTypePreferred
	}
	m.Modes = list.modes
	return m, nil
}

// A modeList collects the modes of an EDID, each once.
type modeList struct {
	modes []mode.Mode
}

func (l *modeList) add(m mode.Mode) {
	if check(&m) == nil && !slices.Contains(l.modes, m) {
		l.modes = append(l.modes, m)
	}
}

// addPreferred puts m in front of all.
func (l *modeList) addPreferred(m mode.Mode) {
	if check(&m) != nil {
		return
	}
	l.modes = slices.DeleteFunc(l.modes, func(other mode.Mode) bool { return other == m })
	l.modes = slices.Insert(l.modes, 0, m)
}
