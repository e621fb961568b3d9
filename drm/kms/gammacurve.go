package kms

import (
	"encoding/binary"

	"github.com/udrm/udrm/drm/internal/compose"
	"github.com/udrm/udrm/drm/uapi"
)

// A gammaCurve is a GAMMA_LUT prepared for composing.
type gammaCurve struct {
	lut   *Blob
	gamma *compose.Gamma
}

// gammaCurve returns the prepared table, or nil for an empty one. It keeps the
// last one, because preparing a table costs more than using it for a frame.
func (c *CRTC) gammaCurve(lut *Blob) *compose.Gamma {
	if lut == nil || len(lut.data) < lutEntrySize {
		return nil
	}
	curve := c.curve.Load()
	if curve == nil || curve.lut != lut {
		entries := make([]uapi.ColorLUT, len(lut.data)/lutEntrySize)
		if _, err := binary.Decode(lut.data, binary.NativeEndian, entries); err != nil {
			panic(err) // impossible: the length matches
		}
		curve = &gammaCurve{lut, compose.NewGamma(entries)}
		c.curve.Store(curve)
	}
	return curve.gamma
}
