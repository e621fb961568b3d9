// Package compose blends the planes of a CRTC into a picture.
//
// A [Picture] is a stack of [Layer]s over a background. [Picture.Lines] composes
// it line by line with 16 bits per component. For layers that are neither scaled
// nor translucent as a whole, the result equals that of the kernel's vkms
// (Linux 6.12) to the last bit, since CRCs depend on it. There is one
// exception: in 6.12, a rotation by 90 or 270 degrees together with a
// reflection is wrong. This package does what the documentation of the property
// says, as later kernels do.
//
// The package knows no commits, CRTCs or framebuffers. It never reads outside
// the memory of a layer, whatever the layer says.
package compose

import "image"

// A Picture is a stack of layers over a background.
type Picture struct {
	Width, Height int
	Background    [3]uint16 // red, green, blue; the zero value is black
	layers        []layer
}

// Lines composes the picture and calls line for each line, from the top. The
// pixels have 16 bits per component: alpha, red, green and blue from the
// lowest. They are valid during the call only. A nil grade leaves colours as
// they are.
func (p *Picture) Lines(grade Grade, line func(y int, pixels []uint64)) {
	s := p.newScratch()
	for y := range p.Height {
		line(y, p.line(y, grade, s))
	}
}

// scratch is memory for composing lines: the line, a layer of it, and a run of
// pixels of a scaled layer.
type scratch struct{ out, stage, run []uint64 }

func (p *Picture) newScratch() *scratch {
	return &scratch{make([]uint64, p.Width), make([]uint64, p.Width), make([]uint64, p.longestRun())}
}

// line composes one line. It is valid until the next call.
func (p *Picture) line(y int, grade Grade, s *scratch) []uint64 {
	p.compose(y, s.out, s.stage, s.run)
	if grade != nil {
		grade.apply(s.out)
	}
	return s.out
}

// compose composes one line into out. stage and run are scratch memory.
func (p *Picture) compose(y int, out, stage, run []uint64) {
	// Skip what an opaque layer hides from edge to edge.
	lowest := 0
	for i := len(p.layers) - 1; i > 0 && lowest == 0; i-- {
		if l := &p.layers[i]; l.opaque && l.covers(y, p.Width) {
			lowest = i
		}
	}
	if len(p.layers) == 0 || !p.layers[lowest].opaque || !p.layers[lowest].covers(y, p.Width) {
		background := argb(opaque, p.Background[0], p.Background[1], p.Background[2])
		for i := range out {
			out[i] = background
		}
	}
	for i := lowest; i < len(p.layers); i++ {
		l := &p.layers[i]
		if y < l.at.Min.Y || y >= l.at.Max.Y {
			continue
		}
		dst := out[l.at.Min.X:l.at.Max.X]
		if l.opaque {
			l.readLine(y, dst, run)
			if l.ignoresAlpha {
				for i := range dst {
					dst[i] |= opaque
				}
			}
			continue
		}
		src := stage[:len(dst)]
		l.readLine(y, src, run)
		l.blend(dst, src)
	}
}

// longestRun returns the number of pixels that the scratch memory of scaled
// layers must hold.
func (p *Picture) longestRun() (n int) {
	for i := range p.layers {
		n = max(n, p.layers[i].run)
	}
	return n
}

// covers reports whether the layer extends from edge to edge of the line.
func (l *layer) covers(y, width int) bool {
	return y >= l.at.Min.Y && y < l.at.Max.Y && l.at.Min.X == 0 && l.at.Max.X == width
}

// readLine reads the layer's part of a line.
func (l *layer) readLine(y int, line, run []uint64) {
	l.readPixels(y, line, run)
	if len(l.colors) > 0 {
		l.colors.apply(line)
	}
}

func (l *layer) readPixels(y int, line, run []uint64) {
	if l.smooth != nil {
		l.readSmooth(y, line, run)
		return
	}
	from := l.source(image.Pt(l.at.Min.X, y))
	if l.columns == nil {
		l.read(line, from, l.right)
		return
	}
	run = run[:l.run]
	l.read(run, from, l.right)
	for i, column := range l.columns {
		line[i] = run[column]
	}
}
