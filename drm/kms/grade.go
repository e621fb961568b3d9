package kms

import (
	"encoding/binary"

	"github.com/udrm/udrm/drm/internal/compose"
	"github.com/udrm/udrm/drm/uapi"
)

// A grade is what a CRTC does to the colours of its picture, prepared for
// composing: DEGAMMA_LUT, then CTM, then GAMMA_LUT.
type grade struct {
	degamma, ctm, gamma *Blob // each may be nil
	palette             bool
	ready               compose.Grade
}

// grade returns the prepared tables, or nil if colours stay as they are. It
// keeps the last ones, because preparing them costs more than using them for a
// frame. A GAMMA_LUT alone has the rounding of vkms, or is a palette.
func (c *CRTC) grade(s *CRTCState, palette bool) compose.Grade {
	if s.DegammaLUT == nil && s.CTM == nil && s.GammaLUT == nil {
		return nil
	}
	last := c.lastGrade.Load()
	if last != nil && last.degamma == s.DegammaLUT && last.ctm == s.CTM && last.gamma == s.GammaLUT && last.palette == palette {
		return last.ready
	}
	last = &grade{s.DegammaLUT, s.CTM, s.GammaLUT, palette, newGrade(s, palette)}
	c.lastGrade.Store(last)
	return last.ready
}

func newGrade(s *CRTCState, palette bool) compose.Grade {
	degamma, gamma := lutEntries(s.DegammaLUT), lutEntries(s.GammaLUT)
	if len(degamma) == 0 && s.CTM == nil {
		if len(gamma) == 0 {
			return nil
		}
		if palette {
			return compose.NewPalette(gamma)
		}
		return compose.NewGamma(gamma)
	}
	var ops compose.Color
	if len(degamma) > 0 {
		ops = append(ops, compose.NewLUT(degamma))
	}
	if s.CTM != nil {
		ops = append(ops, ctmMatrix(s.CTM))
	}
	if len(gamma) > 0 {
		ops = append(ops, compose.NewLUT(gamma))
	}
	return ops
}

// lutEntries reads an array of struct drm_color_lut.
func lutEntries(lut *Blob) []uapi.ColorLUT {
	if lut == nil {
		return nil
	}
	entries := make([]uapi.ColorLUT, len(lut.data)/lutEntrySize)
	if _, err := binary.Decode(lut.data, binary.NativeEndian, entries); err != nil {
		panic(err) // impossible: the length matches
	}
	return entries
}

// ctmSize is the size of struct drm_color_ctm.
const ctmSize = 72

// ctmMatrix reads a struct drm_color_ctm.
func ctmMatrix(ctm *Blob) *compose.Matrix {
	m := new(compose.Matrix)
	for i := range 9 {
		m[i/3][i%3] = compose.Signed(binary.NativeEndian.Uint64(ctm.data[8*i:]))
	}
	return m
}
