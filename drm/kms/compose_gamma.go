package kms

import "encoding/binary"

// A gammaCurve is a GAMMA_LUT made ready: what becomes of each value of a
// component. It does not change.
type gammaCurve struct {
	of       *Blob
	channels [3][1 << 16]uint16 // red, green, blue
}

// gamma returns the curve of the CRTC's table, nil without one. It keeps the
// last one: making it costs more than using it for a frame.
func (c *CRTC) gamma(lut *Blob) *gammaCurve {
	if lut == nil || len(lut.data) < lutEntrySize {
		return nil
	}
	curve := c.curve.Load()
	if curve == nil || curve.of != lut {
		curve = newGammaCurve(lut)
		c.curve.Store(curve)
	}
	return curve
}

// newGammaCurve interpolates linearly between the entries, with vkms's
// rounding. The first is for 0, the last for 0xffff.
func newGammaCurve(lut *Blob) *gammaCurve {
	curve := &gammaCurve{of: lut}
	last := len(lut.data)/lutEntrySize - 1
	entry := func(i, channel int) int {
		return int(binary.LittleEndian.Uint16(lut.data[i*lutEntrySize+2*channel:]))
	}
	entriesPerValue := fixedInt(last).div(fixedInt(0xffff))
	for v := range 1 << 16 {
		index := fixedInt(v).mul(entriesPerValue)
		floor, ceil := index.floor(), min(index.ceil(), last)
		for channel := range curve.channels {
			a, b := fixedInt(entry(floor, channel)), fixedInt(entry(ceil, channel))
			curve.channels[channel][v] = uint16((a + (b - a).mul(index&fixedFraction)).round())
		}
	}
	return curve
}

// apply replaces each pixel of a line.
func (g *gammaCurve) apply(line []uint64) {
	r, gr, b := &g.channels[0], &g.channels[1], &g.channels[2]
	for i, p := range line {
		line[i] = argb(uint16(p), r[uint16(p>>16)], gr[uint16(p>>32)], b[uint16(p>>48)])
	}
}
