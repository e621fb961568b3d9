package compose

import (
	"math"
	"math/rand/v2"
	"testing"
)

// blendReference returns the colours at x, y of a picture with two layers, by
// the formulas of the property "pixel blend mode" in floating point.
func blendReference(layers []Layer, x, y int) (rgb [3]float64) {
	for i := range layers {
		l := &layers[i]
		at, ok := sourceReference(l, x, y)
		if !ok {
			continue
		}
		p := readReference(l, at.X, at.Y)
		alpha, pixelAlpha := float64(l.Alpha)/opaque, float64(p.a)/opaque
		for j, c := range [3]uint16{p.r, p.g, p.b} {
			fg, bg := float64(c)/opaque, rgb[j]
			switch l.Blend {
			case None:
				bg = alpha*fg + (1-alpha)*bg
			case Premultiplied:
				bg = alpha*fg + (1-alpha*pixelAlpha)*bg
			case Coverage:
				bg = alpha*pixelAlpha*fg + (1-alpha*pixelAlpha)*bg
			}
			rgb[j] = min(bg, 1)
		}
	}
	return rgb
}

// TestBlendModes compares blend modes and alpha with the formulas.
func TestBlendModes(t *testing.T) {
	formats := rgbFormats()
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(seed, 2))
		w, h := 1+r.IntN(20), 1+r.IntN(20)
		p := &Picture{Width: w, Height: h}
		var layers []Layer
		for range 3 {
			l := randomLayer(r, w, h, formats[r.IntN(len(formats))], r.IntN(2) == 0)
			l.Blend = BlendMode(r.IntN(3))
			switch r.IntN(4) {
			case 0:
				l.Alpha = 0
			case 1, 2:
				l.Alpha = uint16(r.Uint32())
			}
			if l.Blend == Premultiplied && l.Alpha == opaque {
				l.Alpha-- // TestLines has this case, where large colours wrap around
			}
			if err := p.Add(&l); err != nil {
				t.Fatal(err)
			}
			layers = append(layers, l)
		}
		p.Lines(nil, func(y int, line []uint64) {
			for x, got := range line {
				if uint16(got) != opaque {
					t.Fatalf("seed %d: the pixel at %d,%d is translucent: %016x", seed, x, y, got)
				}
				for i, want := range blendReference(layers, x, y) {
					// Each layer rounds once.
					if c := float64(uint16(got >> (16 + 16*i))); math.Abs(c-want*opaque) > 0.5*float64(len(layers))+0.01 {
						t.Fatalf("seed %d: component %d at %d,%d is %v, want %v", seed, i, x, y, c, want*opaque)
					}
				}
			}
		})
		checkRGBA(t, p, nil)
	}
}
