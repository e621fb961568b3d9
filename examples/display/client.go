package main

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/examples/display/panel"
)

// A client sends requests to a device in the same process.
type client struct{ *drmtest.Client }

// pattern makes a buffer of one colour with the driver's own request.
func (c *client) pattern(width, height, color uint32, pattern *panel.CreatePattern) error {
	*pattern = panel.CreatePattern{Width: width, Height: height, Color: color, Square: max(width, height)}
	return drmtest.Ioctl(c.Client, panel.IoctlCreatePattern, pattern)
}

// framebuffer makes a framebuffer of such a buffer.
func (c *client) framebuffer(width, height, color uint32) (id uint32, err error) {
	var pattern panel.CreatePattern
	if err := c.pattern(width, height, color, &pattern); err != nil {
		return 0, err
	}
	fb := uapi.ModeFBCmd2{
		Width: width, Height: height, PixelFormat: uapi.FormatARGB8888,
		Handles: [4]uint32{pattern.Handle}, Pitches: [4]uint32{pattern.Pitch},
	}
	err = drmtest.Ioctl(c.Client, uapi.IoctlModeAddFB2, &fb)
	return fb.FBID, err
}

// setCRTC shows a framebuffer in the first mode of the connector.
func (c *client) setCRTC(crtc, connector, fb uint32) error {
	arg := uapi.ModeGetConnector{ConnectorID: connector}
	if err := drmtest.Ioctl(c.Client, uapi.IoctlModeGetConnector, &arg); err != nil {
		return err
	}
	modes := make([]uapi.ModeInfo, arg.CountModes)
	arg = uapi.ModeGetConnector{ConnectorID: connector, CountModes: arg.CountModes, ModesPtr: drmtest.PutSlice(c.Arena, modes)}
	if err := drmtest.Ioctl(c.Client, uapi.IoctlModeGetConnector, &arg); err != nil {
		return err
	}
	if err := drmtest.GetSlice(c.Arena, modes, arg.ModesPtr); err != nil {
		return err
	}
	return drmtest.Ioctl(c.Client, uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{
		CRTCID: crtc, FBID: fb, ModeValid: 1, Mode: modes[0],
		CountConnectors: 1, SetConnectorsPtr: drmtest.PutSlice(c.Arena, []uint32{connector}),
	})
}

// set is a property of an object in an ATOMIC request.
type set struct {
	object uint32
	name   string
	value  uint64
}

// place shows size by size pixels of a framebuffer in a square with sides of
// crtcSize.
func place(plane, crtc, fb uint32, x, y, crtcSize, size uint64) []set {
	return []set{
		{plane, "CRTC_ID", uint64(crtc)}, {plane, "FB_ID", uint64(fb)},
		{plane, "CRTC_X", x}, {plane, "CRTC_Y", y}, {plane, "CRTC_W", crtcSize}, {plane, "CRTC_H", crtcSize},
		{plane, "SRC_W", size << 16}, {plane, "SRC_H", size << 16},
	}
}

// commit is an ATOMIC request.
func (c *client) commit(flags uint32, sets ...set) error {
	var objects, counts, properties []uint32
	var values []uint64
	for _, s := range sets {
		id, err := c.property(s.object, s.name)
		if err != nil {
			return err
		}
		objects, counts = append(objects, s.object), append(counts, 1)
		properties, values = append(properties, id), append(values, s.value)
	}
	return drmtest.Ioctl(c.Client, uapi.IoctlModeAtomic, &uapi.ModeAtomic{
		Flags: flags, CountObjs: uint32(len(objects)), ObjsPtr: drmtest.PutSlice(c.Arena, objects),
		CountPropsPtr: drmtest.PutSlice(c.Arena, counts), PropsPtr: drmtest.PutSlice(c.Arena, properties),
		PropValuesPtr: drmtest.PutSlice(c.Arena, values),
	})
}

// property returns the id of a property.
func (c *client) property(object uint32, name string) (uint32, error) {
	const room = 64
	ids := make([]uint32, room)
	arg := uapi.ModeObjGetProperties{
		ObjID: object, CountProps: room, PropsPtr: drmtest.PutSlice(c.Arena, ids),
		PropValuesPtr: drmtest.PutSlice(c.Arena, make([]uint64, room)),
	}
	if err := drmtest.Ioctl(c.Client, uapi.IoctlModeObjGetProperties, &arg); err != nil {
		return 0, err
	}
	if err := drmtest.GetSlice(c.Arena, ids, arg.PropsPtr); err != nil {
		return 0, err
	}
	for _, id := range ids[:min(room, arg.CountProps)] {
		p := uapi.ModeGetProperty{PropID: id}
		if err := drmtest.Ioctl(c.Client, uapi.IoctlModeGetProperty, &p); err != nil {
			return 0, err
		}
		if unix.ByteSliceToString(p.Name[:]) == name {
			return id, nil
		}
	}
	return 0, fmt.Errorf("object %d has no property %s: %w", object, name, unix.ENOENT)
}
