package compose

// A BlendMode is a value of the property "pixel blend mode": how the alpha of a
// layer's pixels counts.
type BlendMode uint8

// The formulas are those of the kernel's documentation of the property. In
// them, alpha belongs to the layer, fg is a pixel of the layer, and bg is what
// is below.
const (
	// Premultiplied: alpha × fg.rgb + (1 − alpha × fg.alpha) × bg.rgb
	Premultiplied BlendMode = iota
	// Coverage: alpha × fg.alpha × fg.rgb + (1 − alpha × fg.alpha) × bg.rgb
	Coverage
	// None: alpha × fg.rgb + (1 − alpha) × bg.rgb
	None
)

// one is the square of opaque: the product of two alphas that are 1.
const one = opaque * opaque

// weights says how a layer is blended. The zero value is vkms' formula for
// premultiplied pixels of a layer that is opaque as a whole.
type weights struct {
	alpha uint64 // of the layer; 0 for the zero value
	mode  BlendMode
}

func (l *Layer) weights() weights {
	if l.Alpha == opaque && (l.Blend == Premultiplied || !l.Format.Alpha) {
		return weights{}
	}
	return weights{uint64(l.Alpha), l.Blend}
}

// blend puts src over dst, which is opaque.
func (l *layer) blend(dst, src []uint64) {
	if l.weights == (weights{}) {
		blendLine(dst, src)
		return
	}
	for i, s := range src {
		fg, bg := l.weights.of(uint64(uint16(s)))
		d := dst[i]
		dst[i] = argb(opaque, mix(s>>16, d>>16, fg, bg), mix(s>>32, d>>32, fg, bg), mix(s>>48, d>>48, fg, bg))
	}
}

// of returns the weights of a pixel and of what is below it, as parts of one.
func (w weights) of(pixelAlpha uint64) (fg, bg uint64) {
	switch covered := w.alpha * pixelAlpha; w.mode {
	case Coverage:
		return covered, one - covered
	case None:
		return w.alpha * opaque, one - w.alpha*opaque
	default:
		return w.alpha * opaque, one - covered
	}
}

// mix returns the weighted sum of the lowest 16 bits of s and d, rounded. The
// sum is too large where colours are larger than their alpha.
func mix(s, d, fg, bg uint64) uint16 {
	sum := s&opaque*fg + d&opaque*bg
	return uint16(min((sum+one/2)/one, opaque))
}

// blendLine puts premultiplied pixels over dst, which is opaque.
func blendLine(dst, src []uint64) {
	for i, s := range src {
		switch a := uint16(s); {
		case a == opaque:
			dst[i] = s
		case s != 0:
			d := dst[i]
			dst[i] = argb(opaque, over(uint16(s>>16), uint16(d>>16), a),
				over(uint16(s>>32), uint16(d>>32), a), over(uint16(s>>48), uint16(d>>48), a))
		}
	}
}

// over blends a premultiplied component over one of an opaque pixel. Where
// colours are larger than their alpha, it wraps around as vkms does.
func over(src, dst, alpha uint16) uint16 {
	sum := uint32(src)*opaque + uint32(dst)*uint32(opaque-alpha)
	return uint16((sum + opaque/2) / opaque)
}
