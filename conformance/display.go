package conformance

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// resources are the ids of the objects that GETRESOURCES names.
type resources struct{ FBs, CRTCs, Connectors, Encoders []uint32 }

// Resources asks for the objects of the device.
func (f *file) Resources() (*resources, error) {
	var count uapi.ModeCardRes
	if err := f.Ioctl(uapi.IoctlModeGetResources, &count); err != nil {
		return nil, err
	}
	r := &resources{
		FBs: make([]uint32, count.CountFBs), CRTCs: make([]uint32, count.CountCRTCs),
		Connectors: make([]uint32, count.CountConnectors), Encoders: make([]uint32, count.CountEncoders),
	}
	t := f.t
	arg := uapi.ModeCardRes{
		FBIDPtr: addr(t, r.FBs), CRTCIDPtr: addr(t, r.CRTCs), ConnectorIDPtr: addr(t, r.Connectors), EncoderIDPtr: addr(t, r.Encoders),
		CountFBs: count.CountFBs, CountCRTCs: count.CountCRTCs, CountConnectors: count.CountConnectors, CountEncoders: count.CountEncoders,
	}
	return r, f.Ioctl(uapi.IoctlModeGetResources, &arg)
}

// MustResources is Resources; the case ends when that fails.
func (f *file) MustResources() *resources {
	f.t.Helper()
	r, err := f.Resources()
	f.t.Must("MODE_GETRESOURCES", err)
	return r
}

// A connector is what GETCONNECTOR answers.
type connector struct {
	ID, Type, Connection, EncoderID uint32
	Encoders                        []uint32
	Modes                           []uapi.ModeInfo
}

// GetConnector asks for a connector, and has it look at what is connected.
func (f *file) GetConnector(id uint32) (*connector, error) {
	count := uapi.ModeGetConnector{ConnectorID: id}
	if err := f.Ioctl(uapi.IoctlModeGetConnector, &count); err != nil {
		return nil, err
	}
	c := &connector{
		ID: id, Type: count.ConnectorType, Connection: count.Connection, EncoderID: count.EncoderID,
		Encoders: make([]uint32, count.CountEncoders), Modes: make([]uapi.ModeInfo, max(1, count.CountModes)),
	}
	arg := uapi.ModeGetConnector{
		ConnectorID: id, EncodersPtr: addr(f.t, c.Encoders), CountEncoders: count.CountEncoders,
		ModesPtr: addr(f.t, c.Modes), CountModes: uint32(len(c.Modes)), // not 0: that would look again
	}
	err := f.Ioctl(uapi.IoctlModeGetConnector, &arg)
	c.Modes = c.Modes[:min(len(c.Modes), int(arg.CountModes))]
	return c, err
}

func findConnector(f *file, ok func(*connector) bool) (*connector, error) {
	r, err := f.Resources()
	if err != nil {
		return nil, err
	}
	for _, id := range r.Connectors {
		c, err := f.GetConnector(id)
		if err != nil {
			return nil, err
		}
		if ok(c) {
			return c, nil
		}
	}
	return nil, fmt.Errorf("none of %d connectors is such", len(r.Connectors))
}

// A display is a connected connector and what drives it.
type display struct {
	Connector *connector
	Encoder   uint32
	CRTC      uint32
	Pipe      int // which of the CRTCs
	Mode      uapi.ModeInfo
}

// findDisplays returns the connected displays, each with a CRTC of its own.
func findDisplays(f *file) ([]*display, error) {
	r, err := f.Resources()
	if err != nil {
		return nil, err
	}
	var displays []*display
	used := make(map[uint32]bool)
	for _, id := range r.Connectors {
		c, err := f.GetConnector(id)
		if err != nil {
			return nil, err
		}
		if c.Connection != uapi.ModeConnected || len(c.Modes) == 0 || c.Type == uapi.ModeConnectorWriteback {
			continue
		}
		d, err := findPipe(f, r, c, used)
		if err != nil {
			return nil, err
		}
		if d != nil {
			used[d.CRTC] = true
			displays = append(displays, d)
		}
	}
	return displays, nil
}

// findPipe returns what can drive the connector, nil when all is in use.
func findPipe(f *file, r *resources, c *connector, used map[uint32]bool) (*display, error) {
	for _, id := range c.Encoders {
		encoder := uapi.ModeGetEncoder{EncoderID: id}
		if err := f.Ioctl(uapi.IoctlModeGetEncoder, &encoder); err != nil {
			return nil, err
		}
		for pipe, crtc := range r.CRTCs {
			if encoder.PossibleCRTCs&(1<<pipe) != 0 && !used[crtc] {
				return &display{Connector: c, Encoder: id, CRTC: crtc, Pipe: pipe, Mode: preferred(c.Modes)}, nil
			}
		}
	}
	return nil, nil
}

func findDisplay(f *file) (*display, error) {
	displays, err := findDisplays(f)
	if err == nil && len(displays) == 0 {
		err = fmt.Errorf("no connector is connected and can be driven")
	}
	if err != nil {
		return nil, err
	}
	return displays[0], nil
}

func preferred(modes []uapi.ModeInfo) uapi.ModeInfo {
	i := slices.IndexFunc(modes, func(m uapi.ModeInfo) bool { return m.Type&uapi.ModeTypePreferred != 0 })
	return modes[max(i, 0)]
}

// Display returns the first connected display. The case ends without.
func (f *file) Display() *display {
	f.t.Helper()
	d, err := findDisplay(f)
	f.t.Must("looking for a display", err)
	return d
}

// Planes returns the planes that the client gets to see.
func (f *file) Planes() ([]uint32, error) {
	var count uapi.ModeGetPlaneRes
	if err := f.Ioctl(uapi.IoctlModeGetPlaneResources, &count); err != nil {
		return nil, err
	}
	planes := make([]uint32, count.CountPlanes)
	arg := uapi.ModeGetPlaneRes{PlaneIDPtr: addr(f.t, planes), CountPlanes: count.CountPlanes}
	return planes, f.Ioctl(uapi.IoctlModeGetPlaneResources, &arg)
}

// findPlane returns the first plane of the type that the display's CRTC can
// use. It makes all planes visible to the client.
func findPlane(f *file, planeType uint64) (uint32, error) {
	if err := f.SetClientCap(uapi.ClientCapUniversalPlanes, 1); err != nil {
		return 0, err
	}
	d, err := findDisplay(f)
	if err != nil {
		return 0, err
	}
	return findPlaneOf(f, d, planeType)
}

// findPlaneOf is findPlane for one display of several, and a client that sees
// all planes.
func findPlaneOf(f *file, d *display, planeType uint64) (uint32, error) {
	planes, err := f.Planes()
	if err != nil {
		return 0, err
	}
	for _, id := range planes {
		plane := uapi.ModeGetPlane{PlaneID: id}
		if err := f.Ioctl(uapi.IoctlModeGetPlane, &plane); err != nil {
			return 0, err
		}
		properties, err := f.Properties(id, uapi.ModeObjectPlane)
		if err != nil {
			return 0, err
		}
		if plane.PossibleCRTCs&(1<<d.Pipe) != 0 && properties["type"].Value == planeType {
			return id, nil
		}
	}
	return 0, fmt.Errorf("none of %d planes is of type %d for CRTC %d", len(planes), planeType, d.CRTC)
}

// Plane returns the first plane of the type for the display. It makes all
// planes visible to the client.
func (f *file) Plane(planeType uint64) uint32 {
	f.t.Helper()
	id, err := findPlane(f, planeType)
	f.t.Must("looking for a plane", err)
	return id
}

// A property is one property of an object.
type property struct {
	ID    uint32
	Value uint64
}

// Properties returns the properties of an object that the client gets to see,
// by name.
func (f *file) Properties(id, objectType uint32) (map[string]property, error) {
	count := uapi.ModeObjGetProperties{ObjID: id, ObjType: objectType}
	if err := f.Ioctl(uapi.IoctlModeObjGetProperties, &count); err != nil {
		return nil, err
	}
	ids, values := make([]uint32, count.CountProps), make([]uint64, count.CountProps)
	arg := uapi.ModeObjGetProperties{
		ObjID: id, ObjType: objectType,
		PropsPtr: addr(f.t, ids), PropValuesPtr: addr(f.t, values), CountProps: count.CountProps,
	}
	if err := f.Ioctl(uapi.IoctlModeObjGetProperties, &arg); err != nil {
		return nil, err
	}
	properties := make(map[string]property)
	for i, id := range ids {
		arg := uapi.ModeGetProperty{PropID: id}
		if err := f.Ioctl(uapi.IoctlModeGetProperty, &arg); err != nil {
			return nil, err
		}
		properties[unix.ByteSliceToString(arg.Name[:])] = property{ID: id, Value: values[i]}
	}
	return properties, nil
}

// MustProperties is Properties; the case ends when that fails.
func (f *file) MustProperties(id, objectType uint32) map[string]property {
	f.t.Helper()
	properties, err := f.Properties(id, objectType)
	f.t.Must(fmt.Sprintf("the properties of object %d", id), err)
	return properties
}

// NewDumb makes a dumb buffer.
func (t *tester) NewDumb(f *file, width, height, bpp uint32) uapi.ModeCreateDumb {
	t.Helper()
	dumb := uapi.ModeCreateDumb{Width: width, Height: height, BPP: bpp}
	f.Must(uapi.IoctlModeCreateDumb, &dumb)
	return dumb
}

// NewFB makes a framebuffer of a new dumb buffer, in XRGB8888.
func (f *file) NewFB(width, height uint32) (fb uint32) {
	f.t.Helper()
	return f.NewFBIn(uapi.FormatXRGB8888, width, height)
}

// NewFBIn is NewFB in a format of 32 bits a pixel.
func (f *file) NewFBIn(format, width, height uint32) (fb uint32) {
	f.t.Helper()
	dumb := f.t.NewDumb(f, width, height, 32)
	arg := fbOf(&dumb)
	arg.PixelFormat = format
	f.Must(uapi.IoctlModeAddFB2, &arg)
	return arg.FBID
}

// fbOf is the request for a framebuffer of all of a buffer, in XRGB8888.
func fbOf(dumb *uapi.ModeCreateDumb) uapi.ModeFBCmd2 {
	return uapi.ModeFBCmd2{
		Width: dumb.Width, Height: dumb.Height, PixelFormat: uapi.FormatXRGB8888,
		Handles: [4]uint32{dumb.Handle}, Pitches: [4]uint32{dumb.Pitch},
	}
}

// A screen is a display that shows a framebuffer of its size.
type screen struct {
	*file
	*display
	FB uint32
}

// Light shows a new framebuffer on a display.
func (f *file) Light(d *display) *screen {
	f.t.Helper()
	s := &screen{file: f, display: d, FB: f.NewFB(uint32(d.Mode.HDisplay), uint32(d.Mode.VDisplay))}
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

// ShowOn is Show by a client that has the node open.
func (t *tester) ShowOn(f *file) *screen {
	t.Helper()
	return f.Light(f.Display())
}

// SetCRTC is the request that shows what the screen shows.
func (s *screen) SetCRTC() uapi.ModeCRTC {
	return uapi.ModeCRTC{
		CRTCID: s.CRTC, FBID: s.FB, ModeValid: 1, Mode: s.Mode,
		SetConnectorsPtr: addr(s.t, []uint32{s.Connector.ID}), CountConnectors: 1,
	}
}

// GetCRTC returns what the CRTC shows.
func (s *screen) GetCRTC() uapi.ModeCRTC {
	s.t.Helper()
	arg := uapi.ModeCRTC{CRTCID: s.CRTC}
	s.Must(uapi.IoctlModeGetCRTC, &arg)
	return arg
}

// Another returns a new framebuffer of the screen's size.
func (s *screen) Another() (fb uint32) {
	s.t.Helper()
	return s.NewFB(uint32(s.Mode.HDisplay), uint32(s.Mode.VDisplay))
}
