package conformance

import (
	"fmt"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// MustResources returns the objects that the client can see. The case ends on
// an error.
func (f *file) MustResources() *kmsclient.Resources {
	f.t.Helper()
	r, err := f.Resources()
	f.t.Must("GETRESOURCES", err)
	return r
}

// Display returns the first connected display. The case ends without one.
func (f *file) Display() *kmsclient.Display {
	f.t.Helper()
	d, err := f.Client.Display()
	f.t.Must("looking for a display", err)
	return d
}

// findPlane returns the first plane of the type that the first display's CRTC
// can use. It enables universal planes for the client.
func findPlane(f *file, planeType uint64) (uint32, error) {
	if err := f.SetClientCap(uapi.ClientCapUniversalPlanes, 1); err != nil {
		return 0, err
	}
	d, err := f.Client.Display()
	if err != nil {
		return 0, err
	}
	return f.FindPlane(d, planeType)
}

// Plane is findPlane. The case ends if there is no such plane.
func (f *file) Plane(planeType uint64) uint32 {
	f.t.Helper()
	id, err := findPlane(f, planeType)
	f.t.Must("looking for a plane", err)
	return id
}

// A property is one property of an object.
type property = kmsclient.Property

// MustProperties returns the properties of an object that the client can see,
// by name. The case ends on an error.
func (f *file) MustProperties(id, objectType uint32) map[string]property {
	f.t.Helper()
	list, err := f.Properties(id, objectType)
	f.t.Must(fmt.Sprintf("the properties of object %d", id), err)
	properties := make(map[string]property)
	for _, p := range list {
		properties[p.Name] = p
	}
	return properties
}

// NewDumb makes a dumb buffer.
func (t *tester) NewDumb(f *file, width, height, bpp uint32) uapi.ModeCreateDumb {
	t.Helper()
	dumb, err := f.CreateDumb(width, height, bpp)
	t.Must("a dumb buffer", err)
	return dumb
}

// NewFB makes a framebuffer of a new dumb buffer, in XRGB8888.
func (f *file) NewFB(width, height uint32) (fb uint32) {
	f.t.Helper()
	return f.NewFBIn(uapi.FormatXRGB8888, width, height)
}

// NewFBIn is NewFB for any format of 32 bits a pixel.
func (f *file) NewFBIn(format, width, height uint32) (fb uint32) {
	f.t.Helper()
	fb, err := f.Client.NewFB(width, height, 32, format)
	f.t.Must("a framebuffer", err)
	return fb
}

// fbOf returns the ADDFB2 argument for a whole buffer in XRGB8888.
func fbOf(dumb *uapi.ModeCreateDumb) uapi.ModeFBCmd2 {
	return kmsclient.FBOf(dumb, uapi.FormatXRGB8888)
}

// A screen is a display that shows a framebuffer of its size.
type screen struct {
	*file
	*kmsclient.Display
	FB uint32
}

// Enable shows a new framebuffer on a display.
func (f *file) Enable(d *kmsclient.Display) *screen {
	f.t.Helper()
	s := &screen{file: f, Display: d, FB: f.NewFB(uint32(d.Mode.HDisplay), uint32(d.Mode.VDisplay))}
	arg := s.SetCRTC()
	f.Must(uapi.IoctlModeSetCRTC, &arg)
	return s
}

// Show opens the primary node and shows a new framebuffer on the first
// display. At the end of the case the display is switched off.
func (t *tester) Show() *screen {
	t.Helper()
	return t.ShowOn(t.Open())
}

// ShowOn shows a new framebuffer on the first display that f can see.
func (t *tester) ShowOn(f *file) *screen {
	t.Helper()
	return f.Enable(f.Display())
}

// SetCRTC returns the argument of a SETCRTC that keeps the screen as it is.
func (s *screen) SetCRTC() uapi.ModeCRTC {
	return uapi.ModeCRTC{
		CRTCID: s.CRTC, FBID: s.FB, ModeValid: 1, Mode: s.Mode,
		SetConnectorsPtr: addr(s.t, []uint32{s.Connector.ID}), CountConnectors: 1,
	}
}

// GetCRTC returns the state of the CRTC.
func (s *screen) GetCRTC() uapi.ModeCRTC {
	s.t.Helper()
	arg, err := s.Client.GetCRTC(s.CRTC)
	s.t.Must("the CRTC of the screen", err)
	return arg
}

// Another returns a new framebuffer of the screen's size.
func (s *screen) Another() (fb uint32) {
	s.t.Helper()
	return s.NewFB(uint32(s.Mode.HDisplay), uint32(s.Mode.VDisplay))
}
