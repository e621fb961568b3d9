package compose

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

// TestSmooth compares scaled layers with bilinear interpolation computed in
// floating point, for every rotation.
func TestSmooth(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const w, h = 12, 10
	pixels := make([]byte, 8*w*h)
	for i := range pixels {
		pixels[i] = byte(random.Uint32())
	}
	for range 200 {
		l := Layer{
			Format: fourcc.Lookup(uapi.FormatXRGB16161616), Width: w, Height: h, Planes: [4][]byte{pixels}, Pitches: [4]uint32{8 * w},
			SrcX: random.Uint32N(4 << 16), SrcY: random.Uint32N(3 << 16), SrcW: 1 + random.Uint32N(8<<16), SrcH: 1 + random.Uint32N(7<<16),
			Rotation: 1<<random.UintN(4) | random.Uint32N(4)*uapi.ModeReflectX, Alpha: opaque, Smooth: true,
		}
		at := image.Pt(random.IntN(9)-4, random.IntN(9)-4)
		l.Dst = image.Rectangle{at, at.Add(image.Pt(1+random.IntN(24), 1+random.IntN(24)))}
		p := Picture{Width: 16, Height: 16}
		if err := p.Add(&l); err != nil {
			t.Fatal(err)
		}
		p.Lines(nil, func(y int, line []uint64) {
			for x, got := range line {
				want, ok := smoothReference(&l, x, y)
				if !ok {
					continue
				}
				for i, c := range want {
					if part := uint16(got >> (16 + 16*i)); math.Abs(float64(part)-c) > 2 {
						t.Fatalf("%+v: component %d at %d,%d is %d, want %.2f", l, i, x, y, part, c)
					}
				}
			}
		})
	}
}

// smoothReference returns red, green and blue of the pixel at x, y of the
// picture.
func smoothReference(l *Layer, x, y int) (rgb [3]float64, ok bool) {
	w, h := l.Dst.Dx(), l.Dst.Dy()
	px, py := x-l.Dst.Min.X, y-l.Dst.Min.Y
	if px < 0 || py < 0 || px >= w || py >= h {
		return rgb, false
	}
	quarters := map[uint32]int{uapi.ModeRotate90: 1, uapi.ModeRotate180: 2, uapi.ModeRotate270: 3}[l.Rotation&uapi.ModeRotateMask]
	for range quarters {
		px, py, w, h = h-1-py, px, h, w
	}
	if l.Rotation&uapi.ModeReflectX != 0 {
		px = w - 1 - px
	}
	if l.Rotation&uapi.ModeReflectY != 0 {
		py = h - 1 - py
	}
	// between returns the pixels on both sides of the centre, and the share of
	// the higher one.
	between := func(start, size uint32, p, pixels int) (low, high int, share float64) {
		first, last := int(start>>16), int((start+size-1)>>16)
		if size == uint32(pixels)<<16 {
			return first + p, first + p, 0
		}
		centre := (float64(start)+(float64(p)+0.5)/float64(pixels)*float64(size))/65536 - 0.5
		low = int(math.Floor(centre))
		clamp := func(v int) int { return min(max(v, first), last) }
		return clamp(low), clamp(low + 1), centre - math.Floor(centre)
	}
	x0, x1, right := between(l.SrcX, l.SrcW, px, w)
	y0, y1, below := between(l.SrcY, l.SrcH, py, h)
	for i := range rgb {
		at := func(x, y int) float64 {
			p := readReference(l, x, y)
			return float64([3]uint16{p.r, p.g, p.b}[i])
		}
		rgb[i] = (at(x0, y0)*(1-right)+at(x1, y0)*right)*(1-below) + (at(x0, y1)*(1-right)+at(x1, y1)*right)*below
	}
	return rgb, true
}
