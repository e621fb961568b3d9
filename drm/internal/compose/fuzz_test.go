package compose

import (
	"encoding/binary"
	"image"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

// An input yields the numbers of a fuzzer's input, and then zeros.
type input []byte

func (in *input) u32() uint32 {
	var b [4]byte
	*in = (*in)[copy(b[:], *in):]
	return binary.LittleEndian.Uint32(b[:])
}

// below returns a number below n, or sometimes any number.
func (in *input) below(n uint32) uint32 {
	v := in.u32()
	if v>>24 == 0xff {
		return v
	}
	return v % n
}

// fuzzLayer reads a layer whose memory has exactly the bytes that it needs, or
// fewer.
func fuzzLayer(in *input, formats []uint32) Layer {
	l := Layer{
		Format: fourcc.Lookup(formats[in.u32()%uint32(len(formats))]),
		Width:  in.below(40), Height: in.below(40),
		SrcX: in.below(40 << 16), SrcY: in.below(40 << 16), SrcW: in.below(40 << 16), SrcH: in.below(40 << 16),
		Rotation: uapi.ModeRotate0 << (in.u32() % 4), Alpha: uint16(in.u32()), Blend: BlendMode(in.u32() % 3),
		Encoding: in.u32() % 4, Range: in.u32() % 3,
	}
	flags := in.u32()
	l.Rotation |= flags & (uapi.ModeReflectX | uapi.ModeReflectY)
	if flags&1 != 0 { // not scaled
		l.SrcW, l.SrcH = l.SrcW&^0xffff, l.SrcH&^0xffff
	}
	at := image.Pt(int(int32(in.u32()))>>20, int(int32(in.u32()))>>20)
	size := image.Pt(int(in.below(64)), int(in.below(64)))
	if flags&1 != 0 {
		size = image.Pt(int(l.SrcW>>16), int(l.SrcH>>16))
	}
	l.Dst = image.Rectangle{at, at.Add(size)}
	for i := range l.Format.Planes {
		w, h := l.Format.PlaneSize(i, l.Width, l.Height)
		need := l.Format.MinPitch(i, w)
		l.Pitches[i] = uint32(need) + in.below(9)
		if flags&2 != 0 {
			l.Pitches[i] = in.below(200)
		}
		if h > 0 {
			need += uint64(h-1) * uint64(l.Pitches[i])
		}
		l.Planes[i] = make([]byte, min(need, 1<<16))
	}
	return l
}

// FuzzLayers composes pictures of any layers. A read outside the memory of a
// layer would panic, because its slices have no spare capacity.
func FuzzLayers(f *testing.F) {
	formats := slices.Sorted(maps.Keys(readers))
	formats = append(formats, slices.Sorted(maps.Keys(yuvLayouts))...)
	formats = append(formats, slices.Sorted(maps.Keys(packings))...)
	formats = append(formats, slices.Sorted(maps.Keys(alphaPlanes))...)
	formats = append(formats, uapi.FormatY0L0, uapi.FormatRGB888)
	r := rand.New(rand.NewPCG(1, 3))
	for range 50 {
		data := make([]byte, 8+4*90)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in := input(data)
		p := &Picture{Width: int(in.u32() % 50), Height: int(in.u32() % 50)}
		for range 3 {
			l := fuzzLayer(&in, formats)
			_ = p.Add(&l) // a layer that is refused is not composed
		}
		lines := 0
		p.Lines(nil, func(y int, line []uint64) {
			lines++
			for x, v := range line {
				if uint16(v) != opaque {
					t.Fatalf("the pixel at %d,%d is translucent: %016x", x, y, v)
				}
			}
		})
		if lines != p.Height {
			t.Errorf("%d lines, want %d", lines, p.Height)
		}
		checkRGBA(t, p, nil)
	})
}
