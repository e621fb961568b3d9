package kms

import (
	"image"

	"github.com/udrm/udrm/drm/internal/compose"
	"github.com/udrm/udrm/drm/uapi"
)

// Screenshot returns what the CRTC shows at this moment: its planes over
// black, with position, rotation, premultiplied alpha and gamma, composed as
// vkms does it and rounded to 8 bits a component. Nothing is composed unless
// somebody asks, and the clients' buffers are read as they are, so that one
// that is being drawn can be seen half-way.
//
// After an unplug it returns the last picture, as long as a client has the
// device open. Errors: ENODEV when the CRTC shows nothing, EINVAL for a format
// that cannot be read.
func (m *ModeConfig) Screenshot(c *CRTC) (*image.NRGBA, error) {
	s, _, err := m.scene(c)
	if err != nil {
		return nil, err
	}
	defer s.release()
	picture := image.NewNRGBA(image.Rect(0, 0, s.picture.Width, s.picture.Height))
	write := compose.WriterFor(uapi.FormatXBGR8888) // whose bytes are red, green, blue and 0xff
	s.compose(func(y int, line []uint64) {
		write(picture.Pix[picture.PixOffset(0, y):], line)
	})
	return picture, nil
}
