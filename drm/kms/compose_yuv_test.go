package kms

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

// yuvReference reads a pixel by the definitions: samples between 0 and 1 (or
// 16 to 235 and 16 to 240 of 255), solved for red, green and blue.
func yuvReference(ps *PlaneState, planes [4][]byte, x, y int) [3]float64 {
	fb := ps.FB
	wide := map[uint32]bool{uapi.FormatP010: true, uapi.FormatP012: true, uapi.FormatP016: true}[fb.format.Code]
	at := func(plane, offset int) float64 {
		px, py := x, y
		if plane > 0 {
			px, py = x/int(fb.format.HSub), y/int(fb.format.VSub)
		}
		p := planes[plane][py*int(fb.pitches[plane])+px*int(fb.format.BlockBytes[plane]):]
		if wide {
			return float64(binary.LittleEndian.Uint16(p[2*offset:])) / 65535
		}
		return float64(p[offset]) / 255
	}
	luma := at(0, 0)
	var cb, cr float64
	switch fb.format.Code {
	case uapi.FormatNV12, uapi.FormatNV16, uapi.FormatNV24, uapi.FormatP010, uapi.FormatP012, uapi.FormatP016:
		cb, cr = at(1, 0), at(1, 1)
	case uapi.FormatNV21, uapi.FormatNV61, uapi.FormatNV42:
		cr, cb = at(1, 0), at(1, 1)
	case uapi.FormatYUV420, uapi.FormatYUV422, uapi.FormatYUV444:
		cb, cr = at(1, 0), at(2, 0)
	case uapi.FormatYVU420, uapi.FormatYVU422, uapi.FormatYVU444:
		cr, cb = at(1, 0), at(2, 0)
	default:
		panic("no reference for " + fourcc.String(fb.format.Code))
	}
	cb, cr = cb-128.0/255, cr-128.0/255
	if ps.ColorRange == ColorLimitedRange {
		luma = (luma - 16.0/255) * 255 / 219
		cb, cr = cb*255/224, cr*255/224
	}
	kr, kb := 0.299, 0.114
	switch ps.ColorEncoding {
	case ColorBT709:
		kr, kb = 0.2126, 0.0722
	case ColorBT2020:
		kr, kb = 0.2627, 0.0593
	}
	r := luma + 2*(1-kr)*cr
	b := luma + 2*(1-kb)*cb
	g := (luma - kr*r - kb*b) / (1 - kr - kb)
	return [3]float64{r, g, b}
}

func TestComposeYUV(t *testing.T) {
	for code := range yuvLayouts {
		for seed := range uint64(60) {
			r := rand.New(rand.NewPCG(seed, uint64(code)))
			w, h := 1+r.IntN(20), 1+r.IntN(20)
			p := randomPlane(r, w, h, code)
			ps := &p.state
			ps.ColorEncoding, ps.ColorRange = r.Uint32N(3), r.Uint32N(2)
			read, err := ps.sample(p.bytes)
			if err != nil {
				t.Fatal(err)
			}
			s := &scene{width: w, height: h}
			s.add(ps, read)
			s.compose(func(y int, line []uint64) {
				for x, got := range line {
					// Where the pixel comes from, the compositor of one pixel knows.
					src, ok := sourceReference(ps, x, y)
					if !ok {
						if got != black {
							t.Fatalf("%s: nothing at %d,%d is %016x", fourcc.String(code), x, y, got)
						}
						continue
					}
					for i, want := range yuvReference(ps, p.bytes, src.X, src.Y) {
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

// Black, white and the primaries, as every monitor test has them.
func TestYUVAnchors(t *testing.T) {
	for _, c := range []struct {
		encoding, colorRange uint32
		y, u, v              uint16
		r, g, b              uint32
	}{
		{ColorBT601, ColorLimitedRange, 16, 128, 128, 0, 0, 0},
		{ColorBT601, ColorLimitedRange, 235, 128, 128, 255, 255, 255},
		{ColorBT601, ColorLimitedRange, 81, 90, 240, 254, 0, 0},
		{ColorBT601, ColorFullRange, 76, 85, 255, 254, 0, 0},
		{ColorBT601, ColorFullRange, 255, 128, 128, 255, 255, 255},
		{ColorBT709, ColorLimitedRange, 63, 102, 240, 255, 1, 0},
		{ColorBT2020, ColorFullRange, 0, 128, 128, 0, 0, 0},
	} {
		p := yuvMatrices[c.encoding][c.colorRange].pixel(c.y*257, c.u*257, c.v*257)
		v := to8888(p)
		if r, g, b := v>>16&0xff, v>>8&0xff, v&0xff; r != c.r || g != c.g || b != c.b {
			t.Errorf("%+v is %d, %d, %d", c, r, g, b)
		}
	}
}
