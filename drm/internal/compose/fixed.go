package compose

import "math/bits"

// A fixed is a fixed-point number with 32 fractional bits. Its operations round
// and lose bits as those of drm_fixed.h do. The CRCs of vkms depend on that.
type fixed int64

const (
	fixedOne      fixed = 1 << 32
	fixedFraction       = fixedOne - 1
)

func fixedInt(v int) fixed { return fixed(v) << 32 }

func (a fixed) floor() int { return int(a >> 32) }
func (a fixed) round() int { return (a + fixedOne/2).floor() }

// ceil rounds up. The number must not be negative.
func (a fixed) ceil() int { return (a + fixedFraction).floor() }

// msb returns the number of the highest significant bit, or 0.
func (a fixed) msb() uint {
	return uint(max(bits.Len64(uint64(a^a>>63))-1, 0))
}

// mul drops low bits of the factors if the product needs more than 61 bits.
func (a fixed) mul(b fixed) fixed {
	lost := uint(0)
	if n := a.msb() + b.msb(); n > 61 {
		lost = n - 61
		a >>= (lost + 1) / 2
		b >>= lost / 2
	}
	if lost > 32 {
		return a * b << (lost - 32)
	}
	return a * b >> (32 - lost)
}

// div drops low bits of the divisor if the quotient needs the room.
func (a fixed) div(b fixed) fixed {
	shift := 62 - a.msb()
	a <<= shift
	if shift < 32 {
		return a / (b >> (32 - shift))
	}
	return a / b >> (shift - 32)
}
