package kms

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// A Mode is a display timing: struct drm_display_mode. Positions are in
// pixels and lines, Clock in kHz.
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

// Limits on how fast and slow a display may be. They are not the kernel's,
// which lets a client ask for a million vblanks a second.
const (
	minRefresh = 1    // Hz
	maxRefresh = 1000 // Hz
)

// parseMode is drm_mode_convert_umode: it takes a mode from a client. The bits
// of the aspect ratio are kept in Flags.
func parseMode(info *uapi.ModeInfo) (Mode, error) {
	if info.Clock > math.MaxInt32 || info.VRefresh > math.MaxInt32 {
		return Mode{}, fmt.Errorf("kms: a mode with clock %d kHz and refresh %d Hz: out of range: %w", info.Clock, info.VRefresh, unix.ERANGE)
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
	if err := m.validate(); err != nil {
		return Mode{}, fmt.Errorf("kms: mode %q: %w", m.Name, err)
	}
	return m, nil
}

// validate is drm_mode_validate_basic, and our limits on the refresh rate.
func (m *Mode) validate() error {
	refuse := func(why string) error { return fmt.Errorf("%s: %w", why, unix.EINVAL) }
	switch {
	case m.Flags&uapi.ModeFlagPicARMask > uapi.ModeFlagPicAR256_135:
		return refuse("unknown aspect ratio")
	case m.Flags&^(uapi.ModeFlagAll|uapi.ModeFlagPicARMask) != 0:
		return refuse("unknown flags")
	case m.Flags&uapi.ModeFlag3DMask > uapi.ModeFlag3DSideBySideHalf:
		return refuse("unknown 3D layout")
	case m.Clock == 0:
		return refuse("the clock is zero")
	case m.HDisplay == 0 || m.HSyncStart < m.HDisplay || m.HSyncEnd < m.HSyncStart || m.HTotal < m.HSyncEnd:
		return refuse("illegal horizontal timing")
	case m.VDisplay == 0 || m.VSyncStart < m.VDisplay || m.VSyncEnd < m.VSyncStart || m.VTotal < m.VSyncEnd:
		return refuse("illegal vertical timing")
	}
	if period := m.framesTime(1); period > time.Second/minRefresh || period < time.Second/maxRefresh {
		return refuse(fmt.Sprintf("a frame of %v: a display has between %d and %d in a second", period, minRefresh, maxRefresh))
	}
	return nil
}

// frameSize returns the pixel clocks of a frame, those of the blanking
// included.
func (m *Mode) frameSize() uint64 {
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

// framesTime returns how long n frames take. It is computed for all of them
// at once, so that rounding to nanoseconds does not add up.
func (m *Mode) framesTime(n uint64) time.Duration {
	const nsPerKHz = 1_000_000
	hi, lo := bits.Mul64(n, m.frameSize()*nsPerKHz)
	if hi >= uint64(m.Clock) {
		return math.MaxInt64
	}
	ns, _ := bits.Div64(hi, lo, uint64(m.Clock))
	return time.Duration(min(ns, math.MaxInt64))
}

// framesIn returns how many whole frames fit into d.
func (m *Mode) framesIn(d time.Duration) uint64 {
	if d <= 0 {
		return 0
	}
	const nsPerKHz = 1_000_000
	// The estimate may be one off, because framesTime rounds down.
	hi, lo := bits.Mul64(uint64(d), uint64(m.Clock))
	size := m.frameSize() * nsPerKHz
	if hi >= size {
		return math.MaxInt64
	}
	n, _ := bits.Div64(hi, lo, size)
	for m.framesTime(n+1) <= d {
		n++
	}
	return n
}

// VRefresh returns the frames in a second, rounded (drm_mode_vrefresh).
func (m *Mode) VRefresh() uint32 {
	if m.HTotal == 0 || m.VTotal == 0 {
		return 0
	}
	num, den := uint64(m.Clock)*1000, uint64(m.HTotal)*uint64(m.VTotal)
	if m.Flags&uapi.ModeFlagInterlace != 0 {
		num *= 2
	}
	if m.Flags&uapi.ModeFlagDblscan != 0 {
		den *= 2
	}
	if m.VScan > 1 {
		den *= uint64(m.VScan)
	}
	return uint32(min((num+den/2)/den, math.MaxUint32))
}

// size returns the pixels that a framebuffer needs to fill the screen: both
// eyes of a frame-packed stereo mode (drm_mode_get_hv_timing).
func (m *Mode) size() (w, h uint32) {
	w, h = uint32(m.HDisplay), uint32(m.VDisplay)
	if m.Flags&uapi.ModeFlag3DMask == uapi.ModeFlag3DFramePacking {
		h += uint32(m.VTotal)
	}
	return w, h
}

// sameTiming reports whether a change from m to other leaves the signal as it
// is.
func (m *Mode) sameTiming(other *Mode) bool {
	a, b := *m, *other
	a.Name, b.Name = "", ""
	a.Type, b.Type = 0, 0
	return a == b
}

// Info returns the mode as clients see it.
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

// infoFor returns the mode for a client that knows of aspect ratios, or not.
func (m *Mode) infoFor(aspectRatio bool) uapi.ModeInfo {
	info := m.Info()
	if !aspectRatio {
		info.Flags &^= uapi.ModeFlagPicARMask
	}
	return info
}

// encodeMode and decodeMode turn a mode into the bytes of a MODE_ID blob and
// back.
func encodeMode(m *Mode) []byte {
	info := m.Info()
	data, err := binary.Append(nil, binary.LittleEndian, &info)
	if err != nil {
		panic(err) // ModeInfo has fields of fixed size only
	}
	return data
}

func decodeMode(data []byte) (Mode, error) {
	var info uapi.ModeInfo
	if len(data) != binary.Size(&info) {
		return Mode{}, fmt.Errorf("kms: a mode of %d bytes: %w", len(data), unix.EINVAL)
	}
	if _, err := binary.Decode(data, binary.LittleEndian, &info); err != nil {
		return Mode{}, fmt.Errorf("kms: a mode: %v: %w", err, unix.EINVAL)
	}
	return parseMode(&info)
}
