package compose

import (
	"math"

	"github.com/udrm/udrm/drm/uapi"
)

// A Grade changes the colours of a line of composed pixels.
type Grade interface{ apply(line []uint64) }

// A Color is a chain of operations on colours. It computes with floating-point
// numbers, of which 1 is full: they may be larger or negative between two
// operations. It does not change.
type Color []Op

// An Op is one operation on a colour: red, green and blue.
type Op interface{ do(c *[3]float64) }

// apply implements [Grade]. Pixels beside each other are often equal, so it
// computes only changes.
func (ops Color) apply(line []uint64) {
	const colours = ^uint64(0xffff)
	var last, result uint64
	known := false
	for i, p := range line {
		if !known || p&colours != last {
			c := [3]float64{component(p >> 16), component(p >> 32), component(p >> 48)}
			for _, op := range ops {
				op.do(&c)
			}
			last, known = p&colours, true
			result = argb(0, fromUnit(c[0]), fromUnit(c[1]), fromUnit(c[2]))
		}
		line[i] = result | p&0xffff
	}
}

func component(v uint64) float64 { return float64(uint16(v)) / opaque }

// unit limits v to [0, 1]. What is not a number becomes 0.
func unit(v float64) float64 {
	if !(v > 0) {
		return 0
	}
	return min(v, 1)
}

func fromUnit(v float64) uint16 { return uint16(math.Round(unit(v) * opaque)) }

// A Matrix multiplies colours. The fourth column is added.
type Matrix [3][4]float64

func (m *Matrix) do(c *[3]float64) {
	in := *c
	for i, row := range m {
		c[i] = row[0]*in[0] + row[1]*in[1] + row[2]*in[2] + row[3]
	}
}

// A Multiplier multiplies all components.
type Multiplier float64

func (m Multiplier) do(c *[3]float64) {
	for i := range c {
		c[i] *= float64(m)
	}
}

// A LUT is a table for each component, from 0 to 1, with linear interpolation.
// It limits colours to this range. It must not be empty.
type LUT [][3]float64

// NewLUT returns the LUT of a GAMMA_LUT or DEGAMMA_LUT.
func NewLUT(entries []uapi.ColorLUT) LUT {
	lut := make(LUT, len(entries))
	for i, e := range entries {
		lut[i] = [3]float64{float64(e.Red) / opaque, float64(e.Green) / opaque, float64(e.Blue) / opaque}
	}
	return lut
}

func (l LUT) do(c *[3]float64) {
	last := len(l) - 1
	for i := range c {
		at := unit(c[i]) * float64(last)
		low := int(at)
		high := min(low+1, last)
		c[i] = l[low][i] + (l[high][i]-l[low][i])*(at-float64(low))
	}
}

// Signed returns the number of a matrix of the uAPI: a sign and a magnitude
// with 32 fractional bits, not the two's complement.
func Signed(v uint64) float64 {
	f := float64(v&^(1<<63)) / (1 << 32)
	if v>>63 != 0 {
		return -f
	}
	return f
}
