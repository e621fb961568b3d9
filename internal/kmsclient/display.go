package kmsclient

import (
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// Resources are the ids of the objects that GETRESOURCES returns.
type Resources struct{ FBs, CRTCs, Connectors, Encoders []uint32 }

// Resources returns the objects of the device that the client can see.
func (c *Client) Resources() (*Resources, error) {
	var count uapi.ModeCardRes
	if err := Ioctl(c, uapi.IoctlModeGetResources, &count); err != nil {
		return nil, err
	}
	r := &Resources{
		FBs: make([]uint32, count.CountFBs), CRTCs: make([]uint32, count.CountCRTCs),
		Connectors: make([]uint32, count.CountConnectors), Encoders: make([]uint32, count.CountEncoders),
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	return r, Ioctl(c, uapi.IoctlModeGetResources, &uapi.ModeCardRes{
		FBIDPtr: Address(&pin, r.FBs), CountFBs: count.CountFBs,
		CRTCIDPtr: Address(&pin, r.CRTCs), CountCRTCs: count.CountCRTCs,
		ConnectorIDPtr: Address(&pin, r.Connectors), CountConnectors: count.CountConnectors,
		EncoderIDPtr: Address(&pin, r.Encoders), CountEncoders: count.CountEncoders,
	})
}

// A Connector is what GETCONNECTOR returns.
type Connector struct {
	ID, Type, TypeID, Connection, EncoderID uint32
	Encoders                                []uint32
	Modes                                   []uapi.ModeInfo
}

// GetConnector probes a connector and returns its modes.
func (c *Client) GetConnector(id uint32) (*Connector, error) {
	count := uapi.ModeGetConnector{ConnectorID: id}
	if err := Ioctl(c, uapi.IoctlModeGetConnector, &count); err != nil {
		return nil, err
	}
	n := &Connector{ID: id, Encoders: make([]uint32, count.CountEncoders), Modes: make([]uapi.ModeInfo, max(1, count.CountModes))}
	var pin runtime.Pinner
	defer pin.Unpin()
	arg := uapi.ModeGetConnector{
		ConnectorID: id, EncodersPtr: Address(&pin, n.Encoders), CountEncoders: count.CountEncoders,
		ModesPtr: Address(&pin, n.Modes), CountModes: uint32(len(n.Modes)), // a count of 0 would probe again
	}
	err := Ioctl(c, uapi.IoctlModeGetConnector, &arg)
	n.Type, n.TypeID, n.Connection, n.EncoderID = arg.ConnectorType, arg.ConnectorTypeID, arg.Connection, arg.EncoderID
	n.Modes = n.Modes[:min(len(n.Modes), int(arg.CountModes))]
	return n, err
}

// Connectors probes and returns all connectors that the client can see.
func (c *Client) Connectors() ([]*Connector, error) {
	r, err := c.Resources()
	if err != nil {
		return nil, err
	}
	return c.connectors(r)
}

func (c *Client) connectors(r *Resources) ([]*Connector, error) {
	var list []*Connector
	for _, id := range r.Connectors {
		n, err := c.GetConnector(id)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

// WritebackConnector returns the first writeback connector: ENOENT when the
// client sees none.
func (c *Client) WritebackConnector() (*Connector, error) {
	connectors, err := c.Connectors()
	if err != nil {
		return nil, err
	}
	for _, n := range connectors {
		if n.Type == uapi.ModeConnectorWriteback {
			return n, nil
		}
	}
	return nil, fmt.Errorf("no writeback connector among %d connectors: %w", len(connectors), unix.ENOENT)
}

// Mode returns the mode with the given name.
func (n *Connector) Mode(name string) (uapi.ModeInfo, error) {
	for _, m := range n.Modes {
		if unix.ByteSliceToString(m.Name[:]) == name {
			return m, nil
		}
	}
	return uapi.ModeInfo{}, fmt.Errorf("connector %d has no mode %q: %w", n.ID, name, unix.ENOENT)
}

// A Display is a connected connector with an encoder and a CRTC for it.
type Display struct {
	*Connector
	Encoder uint32
	CRTC    uint32
	Pipe    int // the index of the CRTC among those that the client can see
	Mode    uapi.ModeInfo
}

// Displays returns the connected displays. Each has a CRTC of its own and the
// preferred mode; connectors for which no CRTC is left are not among them.
func (c *Client) Displays() ([]*Display, error) {
	r, err := c.Resources()
	if err != nil {
		return nil, err
	}
	connectors, err := c.connectors(r)
	if err != nil {
		return nil, err
	}
	var displays []*Display
	used := make(map[uint32]bool)
	for _, n := range connectors {
		if n.Connection != uapi.ModeConnected || len(n.Modes) == 0 || n.Type == uapi.ModeConnectorWriteback {
			continue
		}
		d, err := c.pipeFor(n, r.CRTCs, used)
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

// pipeFor returns the connector with an encoder and an unused CRTC, nil when
// there is no such CRTC.
func (c *Client) pipeFor(n *Connector, crtcs []uint32, used map[uint32]bool) (*Display, error) {
	for _, id := range n.Encoders {
		encoder := uapi.ModeGetEncoder{EncoderID: id}
		if err := Ioctl(c, uapi.IoctlModeGetEncoder, &encoder); err != nil {
			return nil, err
		}
		for pipe, crtc := range crtcs {
			if encoder.PossibleCRTCs&(1<<pipe) != 0 && !used[crtc] {
				return &Display{Connector: n, Encoder: id, CRTC: crtc, Pipe: pipe, Mode: preferred(n.Modes)}, nil
			}
		}
	}
	return nil, nil
}

func preferred(modes []uapi.ModeInfo) uapi.ModeInfo {
	i := slices.IndexFunc(modes, func(m uapi.ModeInfo) bool { return m.Type&uapi.ModeTypePreferred != 0 })
	return modes[max(i, 0)]
}

// Display returns the first connected display, or ENXIO.
func (c *Client) Display() (*Display, error) {
	displays, err := c.Displays()
	if err != nil {
		return nil, err
	}
	if len(displays) == 0 {
		return nil, fmt.Errorf("no connector is connected and has a CRTC: %w", unix.ENXIO)
	}
	return displays[0], nil
}

// SetCRTC shows the framebuffer on the display, in the given mode.
func (c *Client) SetCRTC(d *Display, fb uint32, mode uapi.ModeInfo) error {
	return c.SetCRTCOf(d.CRTC, fb, mode, d.ID)
}

// SetCRTCOf shows the framebuffer on the connectors, by a CRTC.
func (c *Client) SetCRTCOf(crtc, fb uint32, mode uapi.ModeInfo, connectors ...uint32) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	return Ioctl(c, uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{
		CRTCID: crtc, FBID: fb, ModeValid: 1, Mode: mode,
		SetConnectorsPtr: Address(&pin, connectors), CountConnectors: uint32(len(connectors)),
	})
}

// Disable switches a CRTC off.
func (c *Client) Disable(crtc uint32) error {
	return Ioctl(c, uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: crtc})
}

// GetCRTC returns the state of a CRTC.
func (c *Client) GetCRTC(id uint32) (uapi.ModeCRTC, error) {
	arg := uapi.ModeCRTC{CRTCID: id}
	err := Ioctl(c, uapi.IoctlModeGetCRTC, &arg)
	return arg, err
}

// PageFlip shows the framebuffer from the next vblank on, and asks for an event
// then.
func (c *Client) PageFlip(crtc, fb uint32, userData uint64) error {
	return Ioctl(c, uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{
		CRTCID: crtc, FBID: fb, Flags: uapi.ModePageFlipEvent, UserData: userData,
	})
}

// Gamma reads the gamma ramps of a CRTC, which have its gamma size.
func (c *Client) Gamma(crtc uint32, red, green, blue []uint16) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	return Ioctl(c, uapi.IoctlModeGetGamma, &uapi.ModeCRTCLUT{
		CRTCID: crtc, GammaSize: uint32(len(red)),
		Red: Address(&pin, red), Green: Address(&pin, green), Blue: Address(&pin, blue),
	})
}
