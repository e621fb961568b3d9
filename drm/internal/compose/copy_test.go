package compose

import (
	"bytes"
	"image"
	"math/rand/v2"
	"testing"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

// checkRGBA compares RGBA with Lines.
func checkRGBA(t *testing.T, p *Picture, grade Grade) {
	t.Helper()
	const beyond = 12 // bytes after each line, which must not change
	stride := 4*p.Width + beyond
	got, want := make([]byte, stride*p.Height), make([]byte, stride*p.Height)
	p.RGBA(grade, got, stride)
	p.Lines(grade, func(y int, line []uint64) { write8888(want[y*stride:], line, true, 0xff) })
	if !bytes.Equal(got, want) {
		t.Fatalf("RGBA and Lines differ, of %dx%d pixels with %d layers", p.Width, p.Height, len(p.layers))
	}
}

// TestCopy checks which lines are copied: those that only one layer shows, as
// it is in memory.
func TestCopy(t *testing.T) {
	const width, height = 7, 5
	plain := func(change func(*Layer)) Layer {
		l := randomLayer(rand.New(rand.NewPCG(1, 4)), width, height, uapi.FormatXRGB8888, false)
		l.Width, l.Height, l.SrcX, l.SrcY = width+2, height+3, 1<<16, 2<<16
		l.SrcW, l.SrcH, l.Dst = width<<16, height<<16, image.Rect(0, 0, width, height)
		l.Rotation = uapi.ModeRotate0
		l.Pitches[0] = 4*l.Width + 8
		l.Planes[0] = make([]byte, l.Pitches[0]*l.Height)
		for i := range l.Planes[0] {
			l.Planes[0][i] = byte(i * 7)
		}
		change(&l)
		return l
	}
	for name, c := range map[string]struct {
		lines  int // that are copied
		layers []Layer
	}{
		"plain":   {height, []Layer{plain(func(*Layer) {})}},
		"red":     {height, []Layer{plain(func(l *Layer) { l.Format = fourcc.Lookup(uapi.FormatXBGR8888) })}},
		"None":    {height, []Layer{plain(func(l *Layer) { l.Format, l.Blend = fourcc.Lookup(uapi.FormatARGB8888), None })}},
		"flipped": {height, []Layer{plain(func(l *Layer) { l.Rotation |= uapi.ModeReflectY })}},
		"cursor": {height - 2, []Layer{plain(func(*Layer) {}), plain(func(l *Layer) {
			l.SrcW, l.SrcH, l.Dst = 2<<16, 2<<16, image.Rect(3, 1, 5, 3)
		})}},
		"nothing":     {0, nil},
		"alpha":       {0, []Layer{plain(func(l *Layer) { l.Format = fourcc.Lookup(uapi.FormatARGB8888) })}},
		"translucent": {0, []Layer{plain(func(l *Layer) { l.Alpha-- })}},
		"narrow":      {0, []Layer{plain(func(l *Layer) { l.SrcW, l.Dst.Max.X = (width-1)<<16, width-1 })}},
		"scaled":      {0, []Layer{plain(func(l *Layer) { l.SrcH -= 1 << 16 })}},
		"mirrored":    {0, []Layer{plain(func(l *Layer) { l.Rotation |= uapi.ModeReflectX })}},
		"colours":     {0, []Layer{plain(func(l *Layer) { l.Colors = Color{&Matrix{{1}}} })}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Picture{Width: width, Height: height}
			for _, l := range c.layers {
				if err := p.Add(&l); err != nil {
					t.Fatal(err)
				}
			}
			lines, line := 0, make([]byte, 4*width)
			for y := range height {
				if p.copyLine(y, line) {
					lines++
				}
			}
			if lines != c.lines {
				t.Errorf("%d lines are copied, want %d", lines, c.lines)
			}
			checkRGBA(t, p, nil)
		})
	}
}
