package kmsclient

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// Planes returns the planes that the client can see.
func (c *Client) Planes() ([]uint32, error) {
	var count uapi.ModeGetPlaneRes
	if err := Ioctl(c, uapi.IoctlModeGetPlaneResources, &count); err != nil {
		return nil, err
	}
	planes := make([]uint32, count.CountPlanes)
	var pin runtime.Pinner
	defer pin.Unpin()
	return planes, Ioctl(c, uapi.IoctlModeGetPlaneResources,
		&uapi.ModeGetPlaneRes{PlaneIDPtr: Address(&pin, planes), CountPlanes: count.CountPlanes})
}

// GetPlane returns the state of a plane, without its formats.
func (c *Client) GetPlane(id uint32) (uapi.ModeGetPlane, error) {
	arg := uapi.ModeGetPlane{PlaneID: id}
	err := Ioctl(c, uapi.IoctlModeGetPlane, &arg)
	return arg, err
}

// PlaneFormats returns the formats of a plane, in its order.
func (c *Client) PlaneFormats(id uint32) ([]uint32, error) {
	count, err := c.GetPlane(id)
	if err != nil {
		return nil, err
	}
	formats := make([]uint32, count.CountFormatTypes)
	var pin runtime.Pinner
	defer pin.Unpin()
	return formats, Ioctl(c, uapi.IoctlModeGetPlane, &uapi.ModeGetPlane{
		PlaneID: id, FormatTypePtr: Address(&pin, formats), CountFormatTypes: count.CountFormatTypes,
	})
}

// FindPlane returns the first plane of a type (uapi.PlaneType…) that the
// display's CRTC can use. The client must see universal planes.
func (c *Client) FindPlane(d *Display, planeType uint64) (uint32, error) {
	planes, err := c.Planes()
	if err != nil {
		return 0, err
	}
	for _, id := range planes {
		plane, err := c.GetPlane(id)
		if err != nil {
			return 0, err
		}
		properties, err := c.Properties(id, uapi.ModeObjectPlane)
		if err != nil {
			return 0, err
		}
		if p, ok := properties.Get("type"); ok && p.Value == planeType && plane.PossibleCRTCs&(1<<d.Pipe) != 0 {
			return id, nil
		}
	}
	return 0, fmt.Errorf("no plane of type %d among %d for CRTC %d: %w", planeType, len(planes), d.CRTC, unix.ENOENT)
}
