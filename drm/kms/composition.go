package kms

import (
	"cmp"
	"image"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/internal/compose"
)

// A composition is what a CRTC shows at one moment, ready to be composed: the
// visible planes, lowest first, over the background, then what is done to
// colours.
//
// A composition holds references to its framebuffers, but does not freeze their
// content. A picture may show half of what a client draws meanwhile.
type composition struct {
	picture compose.Picture
	crtc    *CRTC
	shown   CRTCState
	palette bool // a plane has pixels of a palette

	table *objectTable
	held  []counted
}

// composition returns what c shows now and the state that it is from. The
// caller must release it. Errors: ENODEV if c is off, EINVAL for a format that
// cannot be read. composition takes no lock that is above objectTable.mu.
func (m *ModeConfig) composition(c *CRTC) (*composition, *State, error) {
	s := &composition{table: &m.objects, crtc: c}
	state := m.holdScanout(c, s)
	crtc := &state.crtcs[c.index]
	if !crtc.Active {
		s.release()
		return nil, nil, refuse(unix.ENODEV, "no picture of CRTC %d: it is off", c.id)
	}
	w, h := crtc.Mode.Size()
	s.picture.Width, s.picture.Height = int(w), int(h)
	s.shown = *crtc
	for i := range s.picture.Background {
		s.picture.Background[i] = uint16(crtc.BackgroundColor >> (32 - 16*i))
	}
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
		if err := s.add(p, state); err != nil {
			s.release()
			return nil, nil, refusedPlane(p, err)
		}
	}
	return s, state, nil
}

// holdScanout returns the state that the hardware shows, and gives s references
// to the framebuffers that c shows.
//
// The state's own references are put only after another state has replaced it.
// So they exist while the table is locked and the state is current.
func (m *ModeConfig) holdScanout(c *CRTC, s *composition) (state *State) {
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

func (s *composition) release() {
	for _, o := range s.held {
		s.table.put(o)
	}
	s.held = nil
}

// add puts a plane on top.
func (s *composition) add(p *Plane, state *State) error {
	layer, err := p.layer(&state.planes[p.index])
	layer.Colors = p.colors(state)
	s.palette = s.palette || layer.Format.Indexed
	if err != nil {
		return err
	}
	return s.picture.Add(&layer)
}

// layer returns what the plane shows in the state. Its memory is valid as long as the
// framebuffer is held.
func (p *Plane) layer(ps *PlaneState) (compose.Layer, error) {
	fb := ps.FB
	l := compose.Layer{
		Format: fb.format, Width: fb.width, Height: fb.height, Pitches: fb.pitches, Modifier: fb.modifier,
		SrcX: ps.SrcX, SrcY: ps.SrcY, SrcW: ps.SrcW, SrcH: ps.SrcH,
		Dst:      image.Rect(int(ps.CRTCX), int(ps.CRTCY), int(ps.CRTCX)+int(ps.CRTCW), int(ps.CRTCY)+int(ps.CRTCH)),
		Rotation: ps.Rotation, Smooth: p.scalingFilter != nil && ps.ScalingFilter == FilterDefault, Alpha: ps.Alpha, Blend: composeModes[ps.BlendMode],
		Encoding: ps.ColorEncoding, Range: ps.ColorRange,
	}
	for i := range fb.format.Planes {
		pixels, err := fb.buffers[i].Pixels()
		if err != nil {
			return l, err
		}
		l.Planes[i] = pixels[fb.offsets[i]:]
	}
	return l, nil
}

var composeModes = [...]compose.BlendMode{
	BlendPremultiplied: compose.Premultiplied,
	BlendCoverage:      compose.Coverage,
	BlendPixelNone:     compose.None,
}

// compose calls line for each line of the picture, from the top. The pixels are
// valid during the call only.
func (s *composition) compose(line func(y int, pixels []uint64)) {
	s.picture.Lines(s.crtc.grade(&s.shown, s.palette), line)
}
