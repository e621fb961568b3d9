// Package mode has display timings: the type [Mode] and the tables of VESA DMT
// and CTA-861.
//
// [For] finds the timing for "1920x1080 at 60 Hz". [DMT] and [CTA] return a
// timing by its number in the standard. [Mode.Info] and [FromInfo] convert
// between a Mode and struct drm_mode_modeinfo, the form that clients see.
//
// Package edid makes modes of what monitors say, and package kms times vblanks with
// them.
package mode

import (
	"bytes"
	"fmt"
	"math"
	"math/bits"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// A Mode is a display timing: struct drm_display_mode. Positions are in
// pixels and lines, Clock is in kHz. Flags include the picture aspect ratio.
type Mode struct {
	Clock                                  uint32
	HDisplay, HSyncStart, HSyncEnd, HTotal uint16
	HSkew                                  uint16
	VDisplay, VSyncStart, VSyncEnd, VTotal uint16
	VScan                                  uint16
	Flags                                  uint32 // uapi.ModeFlag*
	Type                                   uint32 // uapi.ModeType*
	Name                                   string
}

// The refresh rates that Validate accepts. The kernel has no such limits: a
// client of it may ask for a million vblanks a second.
const (
	MinRefresh = 1    // Hz
	MaxRefresh = 1000 // Hz
)

// FromInfo converts a mode from a client (drm_mode_convert_umode). It returns
// ERANGE or EINVAL for a mode that is not valid.
func FromInfo(info *uapi.ModeInfo) (Mode, error) {
	if info.Clock > math.MaxInt32 || info.VRefresh > math.MaxInt32 {
		return Mode{}, fmt.Errorf("mode: clock of %d kHz or refresh rate of %d Hz is out of range: %w", info.Clock, info.VRefresh, unix.ERANGE)
	}
	name, _, _ := bytes.Cut(info.Name[:len(info.Name)-1], []byte{0})
	m := Mode{
		Clock:    info.Clock,
		HDisplay: info.HDisplay, HSyncStart: info.HSyncStart, HSyncEnd: info.HSyncEnd, HTotal: info.HTotal,
		HSkew:    info.HSkew,
		VDisplay: info.VDisplay, VSyncStart: info.VSyncStart, VSyncEnd: info.VSyncEnd, VTotal: info.VTotal,
		VScan: info.VScan,
		Flags: info.Flags,
		Type:  info.Type & uapi.ModeTypeAll,
		Name:  string(name),
	}
	if err := m.Validate(); err != nil {
		return Mode{}, err
	}
	return m, nil
}

// Info returns the mode in the form that clients see
// (drm_mode_convert_to_umode).
func (m *Mode) Info() uapi.ModeInfo {
	info := uapi.ModeInfo{
		Clock:    m.Clock,
		HDisplay: m.HDisplay, HSyncStart: m.HSyncStart, HSyncEnd: m.HSyncEnd, HTotal: m.HTotal,
		HSkew:    m.HSkew,
		VDisplay: m.VDisplay, VSyncStart: m.VSyncStart, VSyncEnd: m.VSyncEnd, VTotal: m.VTotal,
		VScan:    m.VScan,
		VRefresh: m.VRefresh(),
		Flags:    m.Flags,
		Type:     m.Type,
	}
	copy(info.Name[:len(info.Name)-1], m.Name)
	return info
}

// Validate checks the mode as [Mode.ValidateTiming] does, and its refresh rate
// against MinRefresh and MaxRefresh. Its errors wrap EINVAL.
func (m *Mode) Validate() error {
	if err := m.ValidateTiming(); err != nil {
		return err
	}
	if period := m.FramesTime(1); period > time.Second/MinRefresh || period < time.Second/MaxRefresh {
		return m.refuse(fmt.Sprintf("a frame takes %v: the refresh rate must be between %d and %d Hz", period, MinRefresh, MaxRefresh))
	}
	return nil
}

func (m *Mode) refuse(why string) error {
	return fmt.Errorf("mode %q: %s: %w", m.Name, why, unix.EINVAL)
}

// ValidateTiming checks the mode as drm_mode_validate_basic does. Monitors may
// have modes that pass it, and that Validate refuses. Its errors wrap EINVAL.
func (m *Mode) ValidateTiming() error {
	switch {
	case m.Flags&uapi.ModeFlagPicARMask > uapi.ModeFlagPicAR256_135:
		return m.refuse("unknown aspect ratio")
	case m.Flags&^(uapi.ModeFlagAll|uapi.ModeFlagPicARMask) != 0:
		return m.refuse("unknown flags")
	case m.Flags&uapi.ModeFlag3DMask > uapi.ModeFlag3DSideBySideHalf:
		return m.refuse("unknown 3D layout")
	case m.Clock == 0:
		return m.refuse("zero clock")
	case m.HDisplay == 0 || m.HSyncStart < m.HDisplay || m.HSyncEnd < m.HSyncStart || m.HTotal < m.HSyncEnd:
		return m.refuse("invalid horizontal timing")
	case m.VDisplay == 0 || m.VSyncStart < m.VDisplay || m.VSyncEnd < m.VSyncStart || m.VTotal < m.VSyncEnd:
		return m.refuse("invalid vertical timing")
	}
	return nil
}

// FrameClocks returns the number of pixel clocks per frame, including the
// blanking. A field of an interlaced mode counts as a frame.
func (m *Mode) FrameClocks() uint64 {
	size := uint64(m.HTotal) * uint64(m.VTotal)
	if m.Flags&uapi.ModeFlagInterlace != 0 {
		size /= 2
	}
	if m.Flags&uapi.ModeFlagDblscan != 0 {
		size *= 2
	}
	if m.VScan > 1 {
		size *= uint64(m.VScan)
	}
	return size
}

// FramesTime returns the time that n frames take. Rounding to nanoseconds
// happens once, not once per frame, so that errors do not add up. Times that are
// too large, and those of frames that take more than four seconds and overflow,
// are the largest.
func (m *Mode) FramesTime(n uint64) time.Duration {
	const nsPerKHz = 1_000_000
	over, frame := bits.Mul64(m.FrameClocks(), nsPerKHz)
	hi, lo := bits.Mul64(n, frame)
	if over != 0 && n != 0 || hi >= uint64(m.Clock) {
		return math.MaxInt64
	}
	ns, _ := bits.Div64(hi, lo, uint64(m.Clock))
	return time.Duration(min(ns, math.MaxInt64))
}

// FramesIn returns the number of whole frames that fit in d.
func (m *Mode) FramesIn(d time.Duration) uint64 {
	if d <= 0 {
		return 0
	}
	const nsPerKHz = 1_000_000
	// FramesTime rounds down, so this estimate may be one too small.
	hi, lo := bits.Mul64(uint64(d), uint64(m.Clock))
	over, size := bits.Mul64(m.FrameClocks(), nsPerKHz)
	if over != 0 {
		return 0 // see FramesTime
	}
	if hi >= size {
		return math.MaxInt64
	}
	n, _ := bits.Div64(hi, lo, size)
	for m.FramesTime(n+1) <= d {
		n++
	}
	return n
}

// Refresh returns the refresh rate in Hz. It counts fields if the mode is
// interlaced.
func (m *Mode) Refresh() float64 { return float64(m.Clock) * 1000 / float64(m.FrameClocks()) }

// VRefresh returns the refresh rate rounded to whole Hz (drm_mode_vrefresh). It
// is 0 for a mode whose numbers are too large for the kernel.
func (m *Mode) VRefresh() uint32 {
	if m.HTotal == 0 || m.VTotal == 0 {
		return 0
	}
	clock, size, factor := uint64(m.Clock), uint64(m.HTotal)*uint64(m.VTotal), uint64(1)
	if m.Flags&uapi.ModeFlagInterlace != 0 {
		clock *= 2
	}
	if m.Flags&uapi.ModeFlagDblscan != 0 {
		factor *= 2
	}
	if m.VScan > 1 {
		factor *= uint64(m.VScan)
	}
	if clock > math.MaxUint32 || size > math.MaxInt32 || size*factor > math.MaxUint32 {
		return 0
	}
	size *= factor
	return uint32(min((clock*1000+size/2)/size, math.MaxUint32))
}

// Size returns the size that a framebuffer needs to fill the screen. A
// frame-packed stereo mode shows both eyes (drm_mode_get_hv_timing).
func (m *Mode) Size() (w, h uint32) {
	w, h = uint32(m.HDisplay), uint32(m.VDisplay)
	if m.Flags&uapi.ModeFlag3DMask == uapi.ModeFlag3DFramePacking {
		h += uint32(m.VTotal)
	}
	return w, h
}

// SameTiming reports whether m and other differ in name and type at most, so
// that switching between them leaves the signal as it is.
func (m *Mode) SameTiming(other *Mode) bool {
	a, b := *m, *other
	a.Name, b.Name = "", ""
	a.Type, b.Type = 0, 0
	return a == b
}

// Equal reports whether m and other differ in name and type at most, and so
// little in their clocks that the periods are equal (drm_mode_equal).
func (m *Mode) Equal(other *Mode) bool {
	a, b := *m, *other
	a.Clock, b.Clock = 0, 0
	return SamePeriod(m.Clock, other.Clock) && a.SameTiming(&b)
}

// SamePeriod reports whether two clocks in kHz have the same period in whole
// picoseconds.
func SamePeriod(a, b uint32) bool {
	const picoseconds = 1e9
	if a == 0 || b == 0 {
		return a == b
	}
	return picoseconds/a == picoseconds/b
}

// String returns the size and the refresh rate, such as "1920x1080@60.00", or
// "1920x1080i@60.00" for an interlaced mode.
func (m *Mode) String() string {
	return fmt.Sprintf("%s@%.2f", m.defaultName(), m.Refresh())
}

// defaultName returns the name that drm_mode_set_name gives the mode.
func (m *Mode) defaultName() string {
	suffix := ""
	if m.Flags&uapi.ModeFlagInterlace != 0 {
		suffix = "i"
	}
	return fmt.Sprintf("%dx%d%s", m.HDisplay, m.VDisplay, suffix)
}

// SetName names the mode by its size (drm_mode_set_name).
func (m *Mode) SetName() { m.Name = m.defaultName() }
