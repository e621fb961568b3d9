package compose

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

// yuvReference reads a pixel by the definitions: it solves samples between 0
// and 1 (or 16 to 235 and 16 to 240 of 255) for red, green and blue.
func yuvReference(l *Layer, x, y int) [3]float64 {
	wide := map[uint32]bool{uapi.FormatP010: true, uapi.FormatP012: true, uapi.FormatP016: true}[l.Format.Code]
	at := func(plane, offset int) float64 {
		px, py := x, y
		if plane > 0 {
			px, py = x/int(l.Format.HSub), y/int(l.Format.VSub)
		}
		p := l.Planes[plane][py*int(l.Pitches[plane])+px*int(l.Format.BlockBytes[plane]):]
		if wide {
			return float64(binary.LittleEndian.Uint16(p[2*offset:])) / 65535
		}
		return float64(p[offset]) / 255
	}
	luma := at(0, 0)
	var cb, cr float64
	// The bytes of two pixels, as their names tell.
	if packed := fourcc.String(l.Format.Code); len(packed) == 4 && l.Format.Planes == 1 {
		row := l.Planes[0][y*int(l.Pitches[0]):]
		nth := func(c string, n int) float64 {
			i := strings.Index(packed, c)
			if n > 0 {
				i += 1 + strings.Index(packed[i+1:], c)
			}
			return float64(row[x/2*4+i]) / 255
		}
		luma, cb, cr = nth("Y", x%2), nth("U", 0), nth("V", 0)
	}
	switch l.Format.Code {
	case uapi.FormatYUYV, uapi.FormatYVYU, uapi.FormatUYVY, uapi.FormatVYUY:
	case uapi.FormatNV12, uapi.FormatNV16, uapi.FormatNV24, uapi.FormatP010, uapi.FormatP012, uapi.FormatP016:
		cb, cr = at(1, 0), at(1, 1)
	case uapi.FormatNV21, uapi.FormatNV61, uapi.FormatNV42:
		cr, cb = at(1, 0), at(1, 1)
	case uapi.FormatYUV410, uapi.FormatYUV411, uapi.FormatYUV420, uapi.FormatYUV422, uapi.FormatYUV444:
		cb, cr = at(1, 0), at(2, 0)
	case uapi.FormatYVU410, uapi.FormatYVU411, uapi.FormatYVU420, uapi.FormatYVU422, uapi.FormatYVU444:
		cr, cb = at(1, 0), at(2, 0)
	default:
		panic("no reference for " + fourcc.String(l.Format.Code))
	}
	cb, cr = cb-128.0/255, cr-128.0/255
	if l.Range == LimitedRange {
		luma = (luma - 16.0/255) * 255 / 219
		cb, cr = cb*255/224, cr*255/224
	}
	kr, kb := 0.299, 0.114
	switch l.Encoding {
	case BT709:
		kr, kb = 0.2126, 0.0722
	case BT2020:
		kr, kb = 0.2627, 0.0593
	}
	r := luma + 2*(1-kr)*cr
	b := luma + 2*(1-kb)*cb
	g := (luma - kr*r - kb*b) / (1 - kr - kb)
	return [3]float64{r, g, b}
}

// TestYUV compares pictures with the definitions of the YUV formats.
func TestYUV(t *testing.T) {
	for code, layout := range yuvLayouts {
		if layout.bits != 0 || layout.lumaOnly {
			continue // see TestPackings
		}
		for seed := range uint64(60) {
			r := rand.New(rand.NewPCG(seed, uint64(code)))
			w, h := 1+r.IntN(20), 1+r.IntN(20)
			l := randomLayer(r, w, h, code, seed%3 == 0)
			l.Encoding, l.Range = r.Uint32N(3), r.Uint32N(2)
			p := &Picture{Width: w, Height: h}
			if err := p.Add(&l); err != nil {
				t.Fatal(err)
			}
			p.Lines(nil, func(y int, line []uint64) {
				for x, got := range line {
					src, ok := sourceReference(&l, x, y)
					if !ok {
						if got != uint64(opaque) {
							t.Fatalf("%s: the pixel at %d,%d, where nothing is, is %016x", fourcc.String(code), x, y, got)
						}
						continue
					}
					for i, want := range yuvReference(&l, src.X, src.Y) {
						want = min(max(want, 0), 1) * 0xffff
						if c := float64(uint16(got >> (16 + 16*i))); math.Abs(c-want) > 0.501 {
							t.Fatalf("%s, seed %d: component %d at %d,%d is %v, want %v", fourcc.String(code), seed, i, x, y, c, want)
						}
					}
				}
			})
		}
	}
}

// TestYUVAnchors checks uint64(opaque), white and the primaries.
func TestYUVAnchors(t *testing.T) {
	for _, c := range []struct {
		encoding, colorRange uint32
		y, u, v              uint16
		r, g, b              uint32
	}{
		{BT601, LimitedRange, 16, 128, 128, 0, 0, 0},
		{BT601, LimitedRange, 235, 128, 128, 255, 255, 255},
		{BT601, LimitedRange, 81, 90, 240, 254, 0, 0},
		{BT601, FullRange, 76, 85, 255, 254, 0, 0},
		{BT601, FullRange, 255, 128, 128, 255, 255, 255},
		{BT709, LimitedRange, 63, 102, 240, 255, 1, 0},
		{BT2020, FullRange, 0, 128, 128, 0, 0, 0},
	} {
		p := yuvMatrices[c.encoding][c.colorRange].pixel(c.y*257, c.u*257, c.v*257)
		v := to8888(p)
		if r, g, b := v>>16&0xff, v>>8&0xff, v&0xff; r != c.r || g != c.g || b != c.b {
			t.Errorf("%+v is %d, %d, %d", c, r, g, b)
		}
	}
}
