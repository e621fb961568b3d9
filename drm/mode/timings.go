package mode

import (
	"fmt"
	"iter"
	"math"

	"github.com/udrm/udrm/drm/uapi"
)

// A timing is a line of a standard's table.
type timing struct {
	clock                                  uint32 // kHz
	hDisplay, hSyncStart, hSyncEnd, hTotal uint16
	vDisplay, vSyncStart, vSyncEnd, vTotal uint16
	flags                                  uint32
}

// The flags of timings: the polarities of both sync signals, and the rest.
const (
	neg  = uapi.ModeFlagNHSync | uapi.ModeFlagNVSync
	hPos = uapi.ModeFlagPHSync | uapi.ModeFlagNVSync
	vPos = uapi.ModeFlagNHSync | uapi.ModeFlagPVSync
	pos  = uapi.ModeFlagPHSync | uapi.ModeFlagPVSync

	interlaced  = uapi.ModeFlagInterlace
	doubleClock = uapi.ModeFlagDblclk

	ar4x3     = uapi.ModeFlagPicAR4_3
	ar16x9    = uapi.ModeFlagPicAR16_9
	ar64x27   = uapi.ModeFlagPicAR64_27
	ar256x135 = uapi.ModeFlagPicAR256_135
)

func (t *timing) mode() Mode {
	m := Mode{
		Clock:    t.clock,
		HDisplay: t.hDisplay, HSyncStart: t.hSyncStart, HSyncEnd: t.hSyncEnd, HTotal: t.hTotal,
		VDisplay: t.vDisplay, VSyncStart: t.vSyncStart, VSyncEnd: t.vSyncEnd, VTotal: t.vTotal,
		Flags: t.flags, Type: uapi.ModeTypeDriver,
	}
	m.SetName()
	return m
}

// DMT returns the timing with the given number (DMT ID) in VESA's Display
// Monitor Timings. It reports false for an unknown one.
func DMT(id uint8) (Mode, bool) {
	for i := range dmt {
		if dmt[i].id == id {
			return dmt[i].mode(), true
		}
	}
	return Mode{}, false
}

// DMTs yields the timings of VESA DMT with their numbers, in the kernel's
// order.
func DMTs() iter.Seq2[uint8, Mode] {
	return func(yield func(uint8, Mode) bool) {
		for i := range dmt {
			if !yield(dmt[i].id, dmt[i].mode()) {
				return
			}
		}
	}
}

// FindDMT returns the timing of VESA DMT for a size, refresh rate and kind of
// blanking (drm_mode_find_dmt). It reports false for an unknown one.
func FindDMT(width, height int, refresh uint32, reducedBlanking bool) (Mode, bool) {
	for i := range dmt {
		t := &dmt[i]
		if int(t.hDisplay) != width || int(t.vDisplay) != height {
			continue
		}
		if m := t.mode(); m.VRefresh() == refresh && m.ReducedBlanking() == reducedBlanking {
			return m, true
		}
	}
	return Mode{}, false
}

// ReducedBlanking reports whether the blanking is that of CVT for monitors
// without cathode rays (mode_is_rb).
func (m *Mode) ReducedBlanking() bool {
	return m.HTotal-m.HDisplay == cvtHBlank && m.HSyncStart-m.HDisplay == cvtHPorch &&
		m.HSyncEnd-m.HSyncStart == cvtHSync && m.VSyncStart-m.VDisplay == cvtFrontPorch
}

// CTA returns the timing with the given video identification code (VIC) in
// CTA-861, including its aspect ratio. It reports false for an unknown one.
func CTA(vic uint8) (Mode, bool) {
	if int(vic) >= len(cta) || cta[vic].clock == 0 {
		return Mode{}, false
	}
	return cta[vic].mode(), true
}

// WithoutEDID returns the modes of a display without EDID: those of VESA DMT up
// to the given size and about 60 Hz (drm_add_modes_noedid).
func WithoutEDID(maxWidth, maxHeight int) (modes []Mode) {
	const maxRefresh = 61
	for _, m := range DMTs() {
		if int(m.HDisplay) <= maxWidth && int(m.VDisplay) <= maxHeight && m.VRefresh() <= maxRefresh {
			modes = append(modes, m)
		}
	}
	return modes
}

// The sizes and rates that For accepts.
const (
	minSize, maxSize = 64, 16384 // pixels
	minRate, maxRate = 10, 500   // Hz
)

// ntsc is the ratio of the refresh rates of NTSC television to whole ones:
// 59.94 Hz is 60 times ntsc.
const ntsc = 1000.0 / 1001

// For returns the timing that a current monitor uses for a size in pixels and a
// refresh rate in Hz. It is the timing of CTA-861 or VESA DMT with the nearest
// whole rate. Otherwise it is computed by CVT with reduced blanking and
// at most half a percent slower. A rate that is not whole, such as 59.94, is
// exact to 0.01 Hz if CTA-861 has the timing.
func For(width, height int, refresh float64) (Mode, error) {
	switch {
	case width < minSize || width > maxSize || height < minSize || height > maxSize:
		return Mode{}, fmt.Errorf("mode: size %dx%d is out of range: width and height must be between %d and %d", width, height, minSize, maxSize)
	case !(refresh >= minRate && refresh <= maxRate):
		return Mode{}, fmt.Errorf("mode: refresh rate of %v Hz is out of range: it must be between %d and %d Hz", refresh, minRate, maxRate)
	}
	if m, ok := findCTA(width, height, refresh); ok {
		return m, nil
	}
	if rate := uint32(refresh); float64(rate) == refresh {
		for _, reduced := range []bool{true, false} {
			if m, ok := FindDMT(width, height, rate, reduced); ok && m.Flags&uapi.ModeFlagInterlace == 0 {
				return m, nil
			}
		}
	}
	return cvt(width, height, refresh), nil
}

// findCTA returns the progressive timing of CTA-861, without aspect ratio.
func findCTA(width, height int, refresh float64) (Mode, bool) {
	whole := math.Round(refresh / ntsc)
	for i := range cta {
		t := &cta[i]
		if int(t.hDisplay) != width || int(t.vDisplay) != height || t.flags&(interlaced|doubleClock) != 0 {
			continue
		}
		m := t.mode()
		m.Flags &^= uapi.ModeFlagPicARMask
		if math.Round(m.Refresh()) == refresh {
			return m, true
		}
		if math.Round(m.Refresh()) == whole && math.Abs(whole*ntsc-refresh) < 0.005 {
			if m.Refresh() > refresh+0.005 {
				m.Clock = uint32(math.Round(float64(m.Clock)*ntsc/10)) * 10 // the resolution of EDIDs
			}
			return m, true
		}
	}
	return Mode{}, false
}
