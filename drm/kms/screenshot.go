package kms

import "image"

// Screenshot returns what the CRTC shows now: its planes over black, then
// gamma, rounded to 8 bits per component. It reads the clients' buffers as they
// are, so the picture may show half of what a client draws meanwhile.
//
// After an unplug, Screenshot returns the last picture as long as a client has
// the device open. Errors: ENODEV if the CRTC is off, EINVAL for a format that
// cannot be read.
func (m *ModeConfig) Screenshot(c *CRTC) (*image.NRGBA, error) {
	s, _, err := m.composition(c)
	if err != nil {
		return nil, err
	}
	defer s.release()
	return s.draw(nil), nil
}

// draw draws the picture into the given one if that has the right size, and else
// into a new one.
func (s *composition) draw(picture *image.NRGBA) *image.NRGBA {
	if size := image.Rect(0, 0, s.picture.Width, s.picture.Height); picture == nil || picture.Rect != size {
		picture = image.NewNRGBA(size)
	}
	s.picture.RGBA(s.crtc.grade(&s.shown, s.palette), picture.Pix, picture.Stride)
	return picture
}
