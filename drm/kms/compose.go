package kms

import (
	"cmp"
	"fmt"
	"image"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/fourcc"
)

// A scene is what a CRTC shows at one moment, ready to be composed: the
// visible planes, lowest first, over black, then the gamma table. It computes
// what vkms of Linux 6.12 does, to the last bit, line by line in 16 bits a
// component.
//
// It holds its framebuffers, but not their content: what clients draw
// meanwhile may be seen half-way.
//
// One thing is on purpose not as in Linux 6.12: there a rotation by 90 or 270
// degrees together with a reflection is wrong, in a way that depends on the
// plane's position, and can hide the plane. Here, as in later kernels, it is
// what the property's documentation says.
type scene struct {
	width, height int
	layers        []layer
	gamma         *gammaCurve // nil for none
	crtc          *CRTC
	lut           *Blob // what gamma is to be made of; nil for none

	table *objectTable
	held  []counted
}

// A layer is a plane of a scene.
type layer struct {
	at     image.Rectangle // on the CRTC, clipped
	opaque bool            // it hides what is below
	read   sampler
	// Where in the framebuffer at.Min lies, and how far to the next pixel to
	// the right and to the next line.
	origin, right, down image.Point
}

// A sampler reads len(line) pixels of a framebuffer: the first at p, each of
// the next one step further.
type sampler func(line []uint64, p, step image.Point)

// scene returns what c shows now, to be released, and the state that it is
// from. ENODEV when that is nothing, EINVAL for a format that cannot be read.
// It takes no lock that is above objectTable.mu.
func (m *ModeConfig) scene(c *CRTC) (*scene, *State, error) {
	s := &scene{table: &m.objects, crtc: c}
	state := m.holdScanout(c, s)
	crtc := &state.crtcs[c.index]
	if !crtc.Active {
		s.release()
		return nil, nil, refuse(unix.ENODEV, "a picture of CRTC %d, which is off", c.id)
	}
	w, h := crtc.Mode.Size()
	s.width, s.height = int(w), int(h)
	s.lut = crtc.GammaLUT
	var planes []*Plane
	for _, p := range m.planes {
		if ps := &state.planes[p.index]; ps.CRTC == c && ps.Visible {
			planes = append(planes, p)
		}
	}
	slices.SortFunc(planes, func(p, q *Plane) int {
		return cmp.Compare(state.planes[p.index].NormalizedZpos, state.planes[q.index].NormalizedZpos)
	})
	for _, p := range planes {
		ps := &state.planes[p.index]
		read, err := ps.sampler()
		if err != nil {
			s.release()
			return nil, nil, refusedPlane(p, err)
		}
		s.add(ps, read)
	}
	return s, state, nil
}

// holdScanout returns the state that the hardware shows, with references to the
// framebuffers that c shows.
//
// A state's references are put after another one has taken its place: as long
// as the table is locked and the state is current, they are there.
func (m *ModeConfig) holdScanout(c *CRTC, s *scene) (state *State) {
	m.objects.mu.Lock()
	defer m.objects.mu.Unlock()
	state = m.scanout()
	for i := range state.planes {
		if ps := &state.planes[i]; ps.CRTC == c && ps.Visible {
			ps.FB.refs++
			s.held = append(s.held, ps.FB)
		}
	}
	return state
}

func (s *scene) release() {
	for _, o := range s.held {
		s.table.put(o)
	}
	s.held = nil
}

// add puts a plane on top, whose framebuffer is read by read.
func (s *scene) add(ps *PlaneState, read sampler) {
	full := image.Rect(int(ps.CRTCX), int(ps.CRTCY), int(ps.CRTCX)+int(ps.CRTCW), int(ps.CRTCY)+int(ps.CRTCH))
	at := full.Intersect(image.Rect(0, 0, s.width, s.height))
	if at.Empty() {
		return
	}
	// There is no scaling: the way from the screen to the framebuffer is
	// linear.
	source := func(p image.Point) image.Point {
		src := unrotate(p.Sub(full.Min), full.Size(), ps.Rotation)
		return src.Add(image.Pt(int(ps.SrcX>>16), int(ps.SrcY>>16)))
	}
	origin := source(at.Min)
	s.layers = append(s.layers, layer{
		at: at, opaque: !ps.FB.format.Alpha, read: read, origin: origin,
		right: source(at.Min.Add(image.Pt(1, 0))).Sub(origin),
		down:  source(at.Min.Add(image.Pt(0, 1))).Sub(origin),
	})
}

// sampler returns how to read the pixels. They stay as long as the framebuffer
// is held.
func (ps *PlaneState) sampler() (sampler, error) {
	fb := ps.FB
	var planes [4][]byte
	for i := range fb.format.Planes {
		pixels, err := fb.buffers[i].Pixels()
		if err != nil {
			return nil, err
		}
		planes[i] = pixels[fb.offsets[i]:]
	}
	return ps.sample(planes)
}

// sample is [PlaneState.sampler] of the given memory of the planes.
func (ps *PlaneState) sample(planes [4][]byte) (sampler, error) {
	fb := ps.FB
	if layout, ok := yuvLayouts[fb.format.Code]; ok {
		return fb.sampleYUV(planes, layout, &yuvMatrices[ps.ColorEncoding][ps.ColorRange]), nil
	}
	read := readers[fb.format.Code]
	if read == nil {
		return nil, fmt.Errorf("composing format %s: %w", fourcc.String(fb.format.Code), unix.EINVAL)
	}
	bytes, pitch := int(fb.format.BlockBytes[0]), int(fb.pitches[0])
	return func(line []uint64, p, step image.Point) {
		read(line, planes[0], p.Y*pitch+p.X*bytes, step.Y*pitch+step.X*bytes)
	}, nil
}

// unrotate returns where in the framebuffer the pixel at p of a plane of the
// given size on the screen comes from. A plane is reflected first, then
// rotated counter-clockwise.
func unrotate(p, size image.Point, rotation uint32) image.Point {
	src := size
	switch rotation & rotateMask {
	case Rotate90:
		src = image.Pt(size.Y, size.X)
		p = image.Pt(src.X-1-p.Y, p.X)
	case Rotate180:
		p = image.Pt(src.X-1-p.X, src.Y-1-p.Y)
	case Rotate270:
		src = image.Pt(size.Y, size.X)
		p = image.Pt(p.Y, src.Y-1-p.X)
	}
	if rotation&ReflectX != 0 {
		p.X = src.X - 1 - p.X
	}
	if rotation&ReflectY != 0 {
		p.Y = src.Y - 1 - p.Y
	}
	return p
}

// compose calls line for each line of the picture, from the top. What it is
// given is valid during the call only.
func (s *scene) compose(line func(y int, pixels []uint64)) {
	if s.lut != nil {
		s.gamma = s.crtc.gamma(s.lut)
	}
	out, stage := make([]uint64, s.width), make([]uint64, s.width)
	for y := range s.height {
		s.composeLine(y, out, stage)
		line(y, out)
	}
}

// composeLine composes one line into out. stage is room for as much.
func (s *scene) composeLine(y int, out, stage []uint64) {
	// What a plane hides from edge to edge need not be drawn.
	lowest := 0
	for i := len(s.layers) - 1; i > 0 && lowest == 0; i-- {
		if l := &s.layers[i]; l.opaque && l.covers(y, s.width) {
			lowest = i
		}
	}
	if len(s.layers) == 0 || !s.layers[lowest].opaque || !s.layers[lowest].covers(y, s.width) {
		for i := range out {
			out[i] = black
		}
	}
	for i := lowest; i < len(s.layers); i++ {
		l := &s.layers[i]
		if y < l.at.Min.Y || y >= l.at.Max.Y {
			continue
		}
		dst := out[l.at.Min.X:l.at.Max.X]
		from := l.origin.Add(l.down.Mul(y - l.at.Min.Y))
		if l.opaque {
			l.read(dst, from, l.right)
		} else {
			src := stage[:len(dst)]
			l.read(src, from, l.right)
			blendLine(dst, src)
		}
	}
	if s.gamma != nil {
		s.gamma.apply(out)
	}
}

// covers reports whether the layer goes from edge to edge of the line.
func (l *layer) covers(y, width int) bool {
	return y >= l.at.Min.Y && y < l.at.Max.Y && l.at.Min.X == 0 && l.at.Max.X == width
}

// blendLine puts src over dst, which is opaque.
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
