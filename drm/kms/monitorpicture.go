package kms

import (
	"image"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/internal/compose"
	"github.com/udrm/udrm/drm/uapi"
)

// MonitorPicture returns what the monitor of the connector shows: the picture of
// its CRTC ([ModeConfig.Screenshot]), scaled and framed by black as the properties
// of the connector say: "scaling mode", the margins and "underscan". The scaler uses
// SCALING_FILTER of the CRTC.
//
// The picture is drawn into the given one if that has the right size, and else
// into a new one. Errors are those of Screenshot; ENODEV if no CRTC feeds the
// connector.
func (c *Connector) MonitorPicture(picture *image.NRGBA) (*image.NRGBA, error) {
	m := c.display
	crtc := m.State().Connector(c).CRTC
	if crtc == nil {
		return nil, refuse(unix.ENODEV, "no picture of connector %d: no CRTC feeds it", c.id)
	}
	s, state, err := m.composition(crtc)
	if err != nil {
		return nil, err
	}
	defer s.release()
	source := image.Rect(0, 0, s.picture.Width, s.picture.Height)
	size, at := c.placement(state, source.Size())
	if at == source && size == source.Size() {
		return s.draw(picture), nil
	}
	whole := image.Rectangle{Max: size}
	if picture == nil || picture.Rect != whole {
		picture = image.NewNRGBA(whole)
	}
	err = scale(picture, at, s.draw(nil), s.shown.ScalingFilter == FilterDefault)
	return picture, err
}

// placement returns the size of the picture on the monitor, and where on it the
// picture of the CRTC is, whose size is given. Borders are in pixels of the monitor.
// amdgpu divides those of "underscan" between both sides, as here.
func (c *Connector) placement(s *State, source image.Point) (size image.Point, at image.Rectangle) {
	size, at = source, image.Rectangle{Max: source}
	scaling := c.standardValue(s, "scaling mode")
	if native := c.nativeSize(); scaling != uapi.ModeScaleNone && native != (image.Point{}) {
		size, at = native, image.Rectangle{Max: native}
		switch scaling {
		case uapi.ModeScaleCenter:
			at = image.Rectangle{Max: source}
		case uapi.ModeScaleAspect:
			if source.X*native.Y < source.Y*native.X {
				at.Max.X = source.X * native.Y / source.Y
			} else {
				at.Max.Y = source.Y * native.X / source.X
			}
		}
		at = at.Add(size.Sub(at.Size()).Div(2))
	}
	margin := func(side string) int { return int(c.standardValue(s, side+" margin")) }
	at.Min = at.Min.Add(image.Pt(margin("left"), margin("top")))
	at.Max = at.Max.Sub(image.Pt(margin("right"), margin("bottom")))
	if c.standardValue(s, "underscan") != 0 { // on or auto
		border := image.Pt(int(c.standardValue(s, "underscan hborder")), int(c.standardValue(s, "underscan vborder")))
		at.Min = at.Min.Add(border.Div(2))
		at.Max = at.Max.Sub(border.Sub(border.Div(2)))
	}
	return size, at
}

// nativeSize returns the size of the panel, which is that of the preferred mode, or
// zero if there is none.
func (c *Connector) nativeSize() image.Point {
	for _, m := range c.lastProbe().modes {
		if m.Type&uapi.ModeTypePreferred != 0 {
			w, h := m.Size()
			return image.Pt(int(w), int(h))
		}
	}
	return image.Point{}
}

// scale draws from over black. Without smooth, each pixel is the nearest one of
// from.
func scale(to *image.NRGBA, at image.Rectangle, from *image.NRGBA, smooth bool) error {
	p := compose.Picture{Width: to.Rect.Dx(), Height: to.Rect.Dy()}
	w, h := uint32(from.Rect.Dx()), uint32(from.Rect.Dy())
	err := p.Add(&compose.Layer{
		Format: fourcc.Lookup(uapi.FormatXBGR8888), Width: w, Height: h,
		Planes: [4][]byte{from.Pix}, Pitches: [4]uint32{uint32(from.Stride)},
		SrcW: w << 16, SrcH: h << 16, Dst: at,
		Rotation: uapi.ModeRotate0, Alpha: 0xffff, Smooth: smooth,
	})
	if err != nil {
		return err
	}
	p.RGBA(nil, to.Pix, to.Stride)
	return nil
}
