package kms

import (
	"fmt"
	"image"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// Screenshot returns what the CRTC shows at this moment: its planes over
// black, with position, rotation and premultiplied alpha, at 8 bits a
// component. Nothing is composed unless somebody asks, and the clients' buffers
// are read as they are, so that one that is being drawn can be seen half-way.
//
// After an unplug it returns the last picture, as long as a client has the
// device open. Errors: ENODEV when the CRTC shows nothing, EINVAL for a format
// that cannot be read.
func (m *ModeConfig) Screenshot(c *CRTC) (*image.NRGBA, error) {
	crtc, planes := m.scanout(c)
	defer func() {
		for _, ps := range planes {
			m.objects.put(ps.FB)
		}
	}()
	if !crtc.Active {
		return nil, refuse(unix.ENODEV, "a screenshot of CRTC %d, which is off", c.id)
	}
	w, h := crtc.Mode.size()
	picture := image.NewNRGBA(image.Rect(0, 0, int(w), int(h)))
	for i := 3; i < len(picture.Pix); i += 4 {
		picture.Pix[i] = 0xff
	}
	for _, ps := range planes {
		if err := draw(picture, &ps); err != nil {
			return nil, err
		}
	}
	return picture, nil
}

// scanout returns the state of c and of its visible planes, lowest first, each
// with a reference to its framebuffer.
func (m *ModeConfig) scanout(c *CRTC) (CRTCState, []PlaneState) {
	m.mu.Lock() // no commit may put the framebuffers meanwhile
	defer m.mu.Unlock()
	state := m.state.Load()
	var planes []*Plane
	for _, p := range m.planes {
		if ps := &state.planes[p.index]; ps.CRTC == c && ps.Visible {
			m.objects.get(ps.FB)
			planes = append(planes, p)
		}
	}
	height := func(p *Plane) int {
		return slices.Index([]int{uapi.PlaneTypePrimary, uapi.PlaneTypeOverlay, uapi.PlaneTypeCursor}, p.Type())
	}
	slices.SortStableFunc(planes, func(a, b *Plane) int { return height(a) - height(b) })
	states := make([]PlaneState, len(planes))
	for i, p := range planes {
		states[i] = state.planes[p.index]
	}
	return state.CRTC(c), states
}

// A rgba is a pixel with premultiplied alpha.
type rgba struct{ r, g, b, a uint8 }

// readers read one pixel of a format.
var readers = map[uint32]func(p []byte) rgba{
	uapi.FormatXRGB8888: func(p []byte) rgba { return rgba{p[2], p[1], p[0], 0xff} },
	uapi.FormatARGB8888: func(p []byte) rgba { return rgba{p[2], p[1], p[0], p[3]} },
	uapi.FormatXBGR8888: func(p []byte) rgba { return rgba{p[0], p[1], p[2], 0xff} },
	uapi.FormatABGR8888: func(p []byte) rgba { return rgba{p[0], p[1], p[2], p[3]} },
	// The high bytes of 16-bit components.
	uapi.FormatXRGB16161616: func(p []byte) rgba { return rgba{p[5], p[3], p[1], 0xff} },
	uapi.FormatARGB16161616: func(p []byte) rgba { return rgba{p[5], p[3], p[1], p[7]} },
	uapi.FormatRGB565: func(p []byte) rgba {
		v := uint32(p[0]) | uint32(p[1])<<8
		r, g, b := v>>11, v>>5&0x3f, v&0x1f
		return rgba{uint8(r<<3 | r>>2), uint8(g<<2 | g>>4), uint8(b<<3 | b>>2), 0xff}
	},
}

// draw puts a plane over what is there.
func draw(dst *image.NRGBA, ps *PlaneState) error {
	fb := ps.FB
	read := readers[fb.format.Code]
	if read == nil {
		return fmt.Errorf("kms: a screenshot of format %s: %w", fourcc(fb.format.Code), unix.EINVAL)
	}
	pixels, err := fb.buffers[0].Pixels()
	if err != nil {
		return err
	}
	pixels = pixels[fb.offsets[0]:]
	at := image.Rect(int(ps.CRTCX), int(ps.CRTCY), int(ps.CRTCX)+int(ps.CRTCW), int(ps.CRTCY)+int(ps.CRTCH))
	visible := at.Intersect(dst.Bounds())
	size := at.Size()
	origin := image.Pt(int(ps.SrcX>>16), int(ps.SrcY>>16))
	bytes, pitch := int(fb.format.BlockBytes[0]), int(fb.pitches[0])
	for y := visible.Min.Y; y < visible.Max.Y; y++ {
		line := dst.Pix[dst.PixOffset(visible.Min.X, y):]
		for x := visible.Min.X; x < visible.Max.X; x++ {
			src := origin.Add(unrotate(image.Pt(x, y).Sub(at.Min), size, ps.Rotation))
			blend(line[:4], read(pixels[src.Y*pitch+src.X*bytes:]))
			line = line[4:]
		}
	}
	return nil
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

// blend puts a pixel over an opaque one.
func blend(dst []byte, p rgba) {
	if p.a == 0xff {
		dst[0], dst[1], dst[2] = p.r, p.g, p.b
		return
	}
	over := func(below, above uint8) uint8 {
		return uint8(min(uint32(above)+(uint32(below)*(0xff-uint32(p.a))+127)/255, 0xff))
	}
	dst[0], dst[1], dst[2] = over(dst[0], p.r), over(dst[1], p.g), over(dst[2], p.b)
}
