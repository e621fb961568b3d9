package edid

import (
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// matchCTA returns the VIC of a mode, or 0 if it is not one of CTA-861. near
// compares clocks (drm_match_cea_mode).
func matchCTA(m *mode.Mode, near func(a, b uint32) bool) uint8 {
	if m.Clock == 0 {
		return 0
	}
	for vic := range 256 {
		standard, ok := mode.CTA(uint8(vic))
		if !ok || !near(m.Clock, standard.Clock) && !near(m.Clock, alternateClock(&standard)) {
			continue
		}
		for {
			if matches(m, &standard) {
				return uint8(vic)
			}
			if !lengthen(uint8(vic), &standard) {
				break
			}
		}
	}
	return 0
}

// lengthen adds a line to the vertical front porch of a VIC for which that is
// allowed. It reports false at the last one (cea_mode_alternate_timings).
func lengthen(vic uint8, m *mode.Mode) bool {
	switch vic {
	case 8, 9, 12, 13:
		if m.VTotal >= 263 {
			return false
		}
	case 23, 24, 27, 28:
		if m.VTotal >= 314 {
			return false
		}
	default:
		return false
	}
	m.VSyncStart++
	m.VSyncEnd++
	m.VTotal++
	return true
}

// matches reports whether the mode has the timings and flags of a standard one.
// A mode without aspect ratio matches any.
func matches(m, standard *mode.Mode) bool {
	const layout = uapi.ModeFlag3DMask
	ignored := uint32(layout)
	if m.Flags&uapi.ModeFlagPicARMask == 0 {
		ignored |= uapi.ModeFlagPicARMask
	}
	return m.Flags&^ignored == standard.Flags&^ignored && sameTimings(m, standard)
}

// alternateClock returns the clock of a standard mode at the other of the rates
// 60 and 59.94 Hz, or their multiples. It returns the same clock if there is no
// other rate (cea_mode_alternate_clock).
func alternateClock(m *mode.Mode) uint32 {
	if m.VRefresh()%6 != 0 {
		return m.Clock
	}
	// The tables have the lower rate for 240 and 480 lines only.
	if m.VDisplay == 240 || m.VDisplay == 480 {
		return (m.Clock*1001 + 500) / 1000
	}
	return (m.Clock*1000 + 500) / 1001 // wraps around above 4.29 GHz, as in the kernel
}

// fixClock corrects the clock of a detailed timing of television, which has a
// resolution of 10 kHz only (fixup_detailed_cea_mode_clock).
func fixClock(m *mode.Mode) {
	standard, ok := mode.CTA(matchCTA(m, within5kHz))
	if !ok {
		if standard, ok = hdmiMode(matchHDMI(m, within5kHz)); !ok {
			return
		}
	}
	distance := func(clock uint32) uint32 { return max(m.Clock, clock) - min(m.Clock, clock) }
	if alternate := alternateClock(&standard); distance(standard.Clock) < distance(alternate) {
		m.Clock = standard.Clock
	} else {
		m.Clock = alternate
	}
}
