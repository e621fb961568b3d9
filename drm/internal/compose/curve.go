package compose

import "math"

// A Curve is a function of each component. Negative colours are mirrored.
type Curve func(x float64) float64

func (f Curve) do(c *[3]float64) {
	for i, v := range c {
		c[i] = math.Copysign(f(math.Abs(v)), v)
	}
}

// SRGBToLinear is the electro-optical transfer function of sRGB (IEC 61966-2-1).
func SRGBToLinear(x float64) float64 {
	if x <= 0.04045 {
		return x / 12.92
	}
	return math.Pow((x+0.055)/1.055, 2.4)
}

// SRGBFromLinear is the inverse of [SRGBToLinear].
func SRGBFromLinear(x float64) float64 {
	if x <= 0.04045/12.92 {
		return 12.92 * x
	}
	return 1.055*math.Pow(x, 1/2.4) - 0.055
}

// The constants of the perceptual quantizer (SMPTE ST 2084).
const (
	pqM1 = 2610.0 / 16384
	pqM2 = 2523.0 / 4096 * 128
	pqC1 = 3424.0 / 4096
	pqC2 = 2413.0 / 4096 * 32
	pqC3 = 2392.0 / 4096 * 32

	// pqScale makes 1 of 80 cd/m²: the brightest colour, of 10000, is 125.
	pqScale = 125
)

// PQToLinear is the electro-optical transfer function of the perceptual
// quantizer. Its largest value is 125.
func PQToLinear(x float64) float64 {
	root := math.Pow(x, 1/pqM2)
	return pqScale * math.Pow(max(root-pqC1, 0)/(pqC2-pqC3*root), 1/pqM1)
}

// PQFromLinear is the inverse of [PQToLinear].
func PQFromLinear(x float64) float64 {
	y := math.Pow(x/pqScale, pqM1)
	return math.Pow((pqC1+pqC2*y)/(1+pqC3*y), pqM2)
}

// The constants of BT.2020's transfer function.
const (
	bt2020Alpha = 1.09929682680944
	bt2020Beta  = 0.018053968510807
)

// BT2020FromLinear is the opto-electronic transfer function of BT.2020.
func BT2020FromLinear(x float64) float64 {
	if x < bt2020Beta {
		return 4.5 * x
	}
	return bt2020Alpha*math.Pow(x, 0.45) - (bt2020Alpha - 1)
}

// BT2020ToLinear is the inverse of [BT2020FromLinear].
func BT2020ToLinear(x float64) float64 {
	if x < 4.5*bt2020Beta {
		return x / 4.5
	}
	return math.Pow((x+bt2020Alpha-1)/bt2020Alpha, 1/0.45)
}

// Gamma22 is a power of 2.2.
func Gamma22(x float64) float64 { return math.Pow(x, 2.2) }

// Gamma22Inverse is the inverse of [Gamma22].
func Gamma22Inverse(x float64) float64 { return math.Pow(x, 1/2.2) }
