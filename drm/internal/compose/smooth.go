package compose

import "image"

// A tap is a position between two pixels of the source. weight is the share of
// the higher one, in 1/65536.
type tap struct {
	low, high int
	weight    uint64
}

const tapOne = 1 << 16

// tap returns where the centre of pixel u of the destination lies, between the
// centres of two source pixels. Pixels beyond the source do not count.
func (a *axis) tap(u int) tap {
	if !a.scaled() {
		v := int(a.start>>16) + u
		return tap{low: v, high: v}
	}
	centre := int64(a.start) + int64((2*uint64(u)+1)*uint64(a.size)/(2*a.pixels)) - 1<<15
	first, last := int(a.start>>16), int((uint64(a.start)+uint64(a.size)-1)>>16)
	low := int(centre >> 16)
	return tap{low: min(max(low, first), last), high: min(max(low+1, first), last), weight: uint64(centre & 0xffff)}
}

// A smooth is what a layer needs to read lines with bilinear interpolation. A
// line is made of two runs of source pixels: those on both sides of it.
type smooth struct {
	along, across *axis
	rotated       bool  // lines of the picture are columns of the source
	taps          []tap // of the pixels of a line, from the first pixel of the run
	first         int   // the first pixel of the run
	run           int   // pixels of the run
}

// smooth prepares the layer to be read with bilinear interpolation.
func (n *layer) smoothly(rotated bool) {
	s := &smooth{along: &n.x, across: &n.y, rotated: rotated}
	if rotated {
		s.along, s.across = s.across, s.along
	}
	s.taps = make([]tap, n.at.Dx())
	last := 0
	for i := range s.taps {
		u, _ := s.split(n.unrotated(n.at.Min.Add(image.Pt(i, 0))))
		t := s.along.tap(u)
		s.taps[i] = t
		if i == 0 {
			s.first, last = t.low, t.high
		}
		s.first, last = min(s.first, t.low), max(last, t.high)
	}
	s.run = last - s.first + 1
	for i := range s.taps {
		s.taps[i].low -= s.first
		s.taps[i].high -= s.first
	}
	n.smooth, n.run = s, 2*s.run
}

// split returns the coordinates of a point along a line and across lines.
func (s *smooth) split(p image.Point) (along, across int) {
	if s.rotated {
		return p.Y, p.X
	}
	return p.X, p.Y
}

// unrotated returns the pixel of the unrotated destination that is shown at p
// of the picture.
func (n *layer) unrotated(p image.Point) image.Point {
	return unrotate(p.Sub(n.full.Min), n.full.Size(), n.rotation)
}

// readSmooth reads the layer's part of a line. run is scratch memory.
func (n *layer) readSmooth(y int, line, run []uint64) {
	s := n.smooth
	_, v := s.split(n.unrotated(image.Pt(n.at.Min.X, y)))
	t := s.across.tap(v)
	lower := run[:s.run]
	n.readRun(lower, t.low)
	upper := lower
	if t.high != t.low && t.weight != 0 {
		upper = run[s.run : 2*s.run]
		n.readRun(upper, t.high)
	}
	for i, along := range s.taps {
		line[i] = bilinear([4]uint64{lower[along.low], lower[along.high], upper[along.low], upper[along.high]}, along.weight, t.weight)
	}
}

// readRun reads the run of source pixels that lies at across.
func (n *layer) readRun(run []uint64, across int) {
	if n.smooth.rotated {
		n.read(run, image.Pt(across, n.smooth.first), image.Pt(0, 1))
		return
	}
	n.read(run, image.Pt(n.smooth.first, across), image.Pt(1, 0))
}

// bilinear mixes four pixels: two side by side, and the two below them. right
// and below are the shares of the later ones.
func bilinear(p [4]uint64, right, below uint64) (pixel uint64) {
	for shift := 0; shift < 64; shift += 16 {
		at := func(i int) uint64 { return p[i] >> shift & 0xffff }
		top := at(0)*(tapOne-right) + at(1)*right
		bottom := at(2)*(tapOne-right) + at(3)*right
		pixel |= ((top*(tapOne-below) + bottom*below + 1<<31) >> 32) << shift
	}
	return pixel
}
