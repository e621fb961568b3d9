package aim

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A Span is a range of numbers.
type Span struct{ First, Last uint64 }

// parseSpan parses NAME=3, NAME=3+ or NAME=3..5.
func parseSpan(word string) (*Span, error) {
	name, text, _ := strings.Cut(word, "=")
	first, last, hasLast := strings.Cut(text, "..")
	first, open := strings.CutSuffix(first, "+")
	s := new(Span)
	var err, err2 error
	s.First, err = strconv.ParseUint(first, 10, 63)
	s.Last = s.First
	switch {
	case hasLast:
		s.Last, err2 = strconv.ParseUint(last, 10, 63)
	case open:
		s.Last = math.MaxUint64
	}
	if err != nil || err2 != nil || open && hasLast || s.Last < s.First {
		return nil, fmt.Errorf("%s is no number: write %s=3, %s=3+ for 3 and more, or %s=3..5", word, name, name, name)
	}
	return s, nil
}

func (s *Span) has(n uint64) bool { return s == nil || n >= s.First && n <= s.Last }

// The kinds of requests that filters are for.
func isAtomic(r *uapi.Request) bool { return r.Cmd == uapi.IoctlModeAtomic }

func setsProperties(r *uapi.Request) bool {
	return isAtomic(r) || r.Cmd == uapi.IoctlModeObjSetProperty || r.Cmd == uapi.IoctlModeSetProperty
}

func namesCRTC(r *uapi.Request) bool {
	return setsProperties(r) || r.In != nil &&
		slices.ContainsFunc(r.In.Fields, func(f uapi.Field) bool { return f.Name == "crtc_id" })
}

func setsPlanes(r *uapi.Request) bool {
	switch r.Cmd {
	case uapi.IoctlModeAtomic, uapi.IoctlModeSetCRTC, uapi.IoctlModeSetPlane, uapi.IoctlModeCursor, uapi.IoctlModeCursor2:
		return true
	}
	return false
}

// uses reports whether the displays will use as much as Planes and Bandwidth say.
func (r *Rule) uses(a *argument) bool {
	if r.Planes == nil && r.Bandwidth == nil {
		return true
	}
	if !setsPlanes(a.request) {
		return false
	}
	planes, bandwidth := a.usage()
	return r.Planes.has(planes) && r.Bandwidth.has(bandwidth)
}

// A scanout is what a plane shows; without bits, nothing.
type scanout struct {
	crtc          uint32 // 0 for none
	bits          uint32 // of a pixel of its framebuffer
	width, height uint32 // of the source, pixels
}

// cursorBits are the bits of a pixel of a cursor: those of ARGB8888.
const cursorBits = 32

// usage returns how many planes the displays use once the request has succeeded,
// and how many megabytes a second they read for them.
func (a *argument) usage() (planes, bandwidth uint64) {
	state := a.display.State()
	rates := make(map[uint32]uint64) // vertical refresh of the CRTCs that are on
	for _, c := range a.display.CRTCs() {
		if s := state.CRTC(c); s.Active {
			rates[c.ID()] = uint64(s.Mode.VRefresh())
		}
	}
	shown := make(map[uint32]scanout) // by plane
	for _, p := range a.display.Planes() {
		s := state.Plane(p)
		var plane scanout
		if s.CRTC != nil && s.FB != nil {
			plane = scanout{s.CRTC.ID(), s.FB.Format().BitsPerPixel(), s.SrcW >> 16, s.SrcH >> 16}
		}
		shown[p.ID()] = plane
	}
	if a.request.Cmd == uapi.IoctlModeAtomic {
		a.applyAtomic(rates, shown)
	} else {
		a.applyLegacy(rates, shown)
	}
	for _, s := range shown {
		rate, on := rates[s.crtc]
		if !on || s.bits == 0 {
			continue
		}
		planes++
		bandwidth += uint64(s.width) * uint64(s.height) * uint64(s.bits) / 8 * rate
	}
	return planes, bandwidth / 1_000_000
}

// bitsOf returns the bits of a pixel of a framebuffer, or 0 if the framebuffer does not exist.
func (a *argument) bitsOf(fb uint32) uint32 {
	for _, info := range a.display.FramebufferInfos() {
		if info.ID == fb {
			return info.Format.BitsPerPixel()
		}
	}
	return 0
}

// applyAtomic applies what MODE_ATOMIC sets.
func (a *argument) applyAtomic(rates map[uint32]uint64, shown map[uint32]scanout) {
	modes := make(map[uint32]uint64)
	active := make(map[uint32]bool)
	for _, s := range a.set {
		plane, isPlane := shown[s.object]
		switch a.property(s.property) {
		case "CRTC_ID":
			plane.crtc = uint32(s.value)
		case "FB_ID":
			plane.bits = a.bitsOf(uint32(s.value))
		case "SRC_W":
			plane.width = uint32(s.value >> 16)
		case "SRC_H":
			plane.height = uint32(s.value >> 16)
		case "MODE_ID":
			if data, ok := a.display.BlobData(uint32(s.value)); ok {
				modes[s.object] = refreshOf(data)
			}
		case "ACTIVE":
			active[s.object] = s.value != 0
		}
		if isPlane {
			shown[s.object] = plane
		}
	}
	for crtc, rate := range modes {
		if rates[crtc] != 0 || active[crtc] {
			rates[crtc] = rate
		}
	}
	for crtc, on := range active {
		if !on {
			delete(rates, crtc)
		} else if _, ok := rates[crtc]; !ok {
			rates[crtc] = a.refresh(crtc)
		}
	}
}

// refresh returns the vertical refresh of a CRTC that may be off.
func (a *argument) refresh(crtc uint32) uint64 {
	for _, c := range a.display.CRTCs() {
		if c.ID() == crtc {
			m := a.display.State().CRTC(c).Mode
			return uint64(m.VRefresh())
		}
	}
	return 0
}

// refreshOf returns the vertical refresh of a struct drm_mode_modeinfo, or 0.
func refreshOf(data []byte) uint64 {
	var info uapi.ModeInfo
	if _, err := binary.Decode(data, binary.NativeEndian, &info); err != nil {
		return 0
	}
	m, err := mode.FromInfo(&info)
	if err != nil {
		return 0
	}
	return uint64(m.VRefresh())
}

// applyLegacy applies MODE_SETCRTC, MODE_SETPLANE and the cursor requests.
func (a *argument) applyLegacy(rates map[uint32]uint64, shown map[uint32]scanout) {
	id := uint32(a.field("crtc_id"))
	if a.request.Cmd == uapi.IoctlModeSetPlane {
		shown[uint32(a.field("plane_id"))] = scanout{
			id, a.bitsOf(uint32(a.field("fb_id"))), uint32(a.field("src_w") >> 16), uint32(a.field("src_h") >> 16),
		}
		return
	}
	i := slices.IndexFunc(a.display.CRTCs(), func(c *kms.CRTC) bool { return c.ID() == id })
	if i < 0 {
		return
	}
	primary, cursor := a.display.CRTCs()[i].LegacyPlanes()
	switch {
	case a.request.Cmd == uapi.IoctlModeSetCRTC:
		var set uapi.ModeCRTC
		if _, err := binary.Decode(a.bytes, binary.NativeEndian, &set); err != nil {
			return
		}
		if set.ModeValid == 0 {
			delete(rates, id)
			return
		}
		bits := a.bitsOf(set.FBID)
		if set.FBID == math.MaxUint32 { // -1: the framebuffer stays
			bits = shown[primary.ID()].bits
		}
		m, _ := mode.FromInfo(&set.Mode)
		rates[id] = uint64(m.VRefresh())
		shown[primary.ID()] = scanout{id, bits, uint32(set.Mode.HDisplay), uint32(set.Mode.VDisplay)}
	case cursor == nil || a.field("flags")&uapi.ModeCursorBO == 0:
	case a.field("handle") == 0:
		shown[cursor.ID()] = scanout{}
	default:
		shown[cursor.ID()] = scanout{id, cursorBits, uint32(a.field("width")), uint32(a.field("height"))}
	}
}
