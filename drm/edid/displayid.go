package edid

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A DisplayID block has a section: version, bytes of data, type of product,
// extensions, data blocks, and a checksum of its own. Timings of type I have
// 20 bytes: a clock in units of 10 kHz, in type VII of 1 kHz, less 1, as all
// numbers; and 16 bits for each part of a line and a frame.
const (
	displayIDTag     = 0x70
	displayIDVersion = 0x12 // 1.2
	displayIDMonitor = 3    // a type of product
	displayIDData    = 5
	displayIDLast    = 126 // the latest place for the section's checksum
	displayIDTypeI   = 0x03
	displayIDTypeVII = 0x22
	displayIDTiming  = 20
	displayIDHeader  = 3 // of a data block: tag, revision, length
	displayIDModes   = (displayIDLast - displayIDData - displayIDHeader) / displayIDTiming

	displayIDPreferred   = 1 << 7
	displayIDLaced       = 1 << 4
	displayIDNoAspect    = 8 // its shape is not said
	displayIDPositive    = 1 << 15
	displayIDClockUnit   = 10 // kHz
	displayIDClockMaxKHz = 1 << 24 * displayIDClockUnit
)

// fitsDisplayID reports why the mode cannot be a timing of type I.
func fitsDisplayID(m *mode.Mode) error {
	switch {
	case m.Clock > displayIDClockMaxKHz:
		return fmt.Errorf("its clock is %d kHz, over %d", m.Clock, displayIDClockMaxKHz)
	case m.HSyncStart == m.HDisplay || m.VSyncStart == m.VDisplay:
		return errors.New("it has no front porch")
	case m.HTotal-m.HDisplay >= displayIDPositive || m.VTotal-m.VDisplay >= displayIDPositive:
		return fmt.Errorf("its blanking is over %d", displayIDPositive)
	}
	return nil
}

func encodeDisplayID(modes []mode.Mode, preferred bool) (b block) {
	size := displayIDHeader + len(modes)*displayIDTiming
	copy(b[:], []byte{displayIDTag, displayIDVersion, byte(size), displayIDMonitor, 0, displayIDTypeI, 0, byte(len(modes) * displayIDTiming)})
	at := displayIDData + displayIDHeader
	for i := range modes {
		m := &modes[i]
		d := b[at:][:displayIDTiming]
		clock := (m.Clock+displayIDClockUnit/2)/displayIDClockUnit - 1
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
		at += displayIDTiming
	}
	for _, v := range b[1:at] {
		b[at] -= v
	}
	return b
}

func parseDisplayID(b *block, list *modeList) {
	end := min(displayIDData+int(b[2]), displayIDLast)
	for i := displayIDData; i+displayIDHeader <= end; {
		tag, length := b[i], int(b[i+2])
		data := b[i+displayIDHeader : min(i+displayIDHeader+length, displayIDLast)]
		if tag == displayIDTypeI || tag == displayIDTypeVII {
			unit := displayIDClockUnit
			if tag == displayIDTypeVII {
				unit = 1
			}
			for ; len(data) >= displayIDTiming; data = data[displayIDTiming:] {
				list.addDisplayID(data[:displayIDTiming], unit)
			}
		}
		i += displayIDHeader + length
	}
}

// addDisplayID adds a progressive timing that fits a [mode.Mode].
func (l *modeList) addDisplayID(d []byte, unit int) {
	if d[3]&displayIDLaced != 0 {
		return
	}
	part := func(i int) int { return int(binary.LittleEndian.Uint16(d[4+2*i:])) + 1 }
	sync := func(i int) (start int, positive bool) {
		v := part(i) - 1
		return v&^displayIDPositive + 1, v&displayIDPositive != 0
	}
	hPorch, hPositive := sync(2)
	vPorch, vPositive := sync(6)
	if part(0)+max(part(1), hPorch+part(3)) > 0xffff || part(4)+max(part(5), vPorch+part(7)) > 0xffff {
		return
	}
	at := func(values ...int) uint16 {
		sum := 0
		for _, v := range values {
			sum += v
		}
		return uint16(sum)
	}
	m := mode.Mode{
		Clock:    uint32(unit * (int(d[0]) | int(d[1])<<8 | int(d[2])<<16 + 1)),
		HDisplay: at(part(0)), HSyncStart: at(part(0), hPorch), HSyncEnd: at(part(0), hPorch, part(3)), HTotal: at(part(0), part(1)),
		VDisplay: at(part(4)), VSyncStart: at(part(4), vPorch), VSyncEnd: at(part(4), vPorch, part(7)), VTotal: at(part(4), part(5)),
		Flags: polarities(hPositive, vPositive), Type: uapi.ModeTypeDriver,
	}
	m.SetName()
	if d[3]&displayIDPreferred != 0 {
		l.addPreferred(m)
		return
	}
	l.add(m)
}
