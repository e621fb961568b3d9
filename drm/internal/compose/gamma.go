package compose

import "github.com/udrm/udrm/drm/uapi"

// A Gamma is a GAMMA_LUT prepared for use: the result for each value of a
// component. It does not change.
type Gamma struct {
	channels [3][1 << 16]uint16 // red, green, blue
}

// NewGamma prepares a table, which must not be empty. Its first entry is for 0,
// its last for 0xffff. It interpolates between them linearly, with vkms'
// rounding.
func NewGamma(lut []uapi.ColorLUT) *Gamma {
	gamma := new(Gamma)
	last := len(lut) - 1
	entriesPerValue := fixedInt(last).div(fixedInt(0xffff))
	for v := range 1 << 16 {
		index := fixedInt(v).mul(entriesPerValue)
		low, high := &lut[index.floor()], &lut[min(index.ceil(), last)]
		fraction := index & fixedFraction
		between := func(a, b uint16) uint16 {
			return uint16((fixedInt(int(a)) + (fixedInt(int(b)) - fixedInt(int(a))).mul(fraction)).round())
		}
		gamma.channels[0][v] = between(low.Red, high.Red)
		gamma.channels[1][v] = between(low.Green, high.Green)
		gamma.channels[2][v] = between(low.Blue, high.Blue)
	}
	return gamma
}

// NewPalette prepares a table, which must not be empty, for pictures with pixels of a
// palette, such as C8. Each value is that of the nearest entry, without anything in
// between: with 256 entries, pixel 7 has the colour of entry 7.
func NewPalette(lut []uapi.ColorLUT) *Gamma {
	gamma := new(Gamma)
	last := len(lut) - 1
	for v := range 1 << 16 {
		entry := &lut[(v*last+opaque/2)/opaque]
		gamma.channels[0][v], gamma.channels[1][v], gamma.channels[2][v] = entry.Red, entry.Green, entry.Blue
	}
	return gamma
}

// apply implements [Grade].
func (g *Gamma) apply(line []uint64) {
	r, gr, b := &g.channels[0], &g.channels[1], &g.channels[2]
	for i, p := range line {
		line[i] = argb(uint16(p), r[uint16(p>>16)], gr[uint16(p>>32)], b[uint16(p>>48)])
	}
}
