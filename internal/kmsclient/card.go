// Package kmsclient is a small KMS client that uses system calls only: open,
// ioctl, mmap, poll, read, close. It knows nothing of udrm and runs on any
// DRM node, a real kernel's included.
//
// The demo's client and the programs of internal/testprogs use it.
//
// Start reading at [Open] and [Ioctl].
package kmsclient

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// A Card is an open node.
type Card struct {
	FD   int
	Path string
}

// Open opens the node at path for reading and writing.
func Open(path string) (*Card, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &Card{FD: fd, Path: path}, nil
}

// Close closes the node.
func (c *Card) Close() error { return unix.Close(c.FD) }

// A Display is a connected connector with a CRTC that can drive it.
type Display struct {
	ConnectorID, EncoderID, CRTCID uint32
	PlaneID                        uint32 // the first of the card, 0 when it has none
	Modes                          []uapi.ModeInfo
}

// Display returns the first connected display. ENXIO when none is connected.
func (c *Card) Display() (Display, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	var count uapi.ModeCardRes
	if err := Ioctl(c, uapi.IoctlModeGetResources, &count); err != nil {
		return Display{}, err
	}
	crtcs, connectors := make([]uint32, count.CountCRTCs), make([]uint32, count.CountConnectors)
	res := uapi.ModeCardRes{
		CountCRTCs: count.CountCRTCs, CRTCIDPtr: address(&pin, crtcs),
		CountConnectors: count.CountConnectors, ConnectorIDPtr: address(&pin, connectors),
	}
	if err := Ioctl(c, uapi.IoctlModeGetResources, &res); err != nil {
		return Display{}, err
	}
	for _, id := range connectors {
		d, err := c.connector(id)
		if err != nil {
			return Display{}, err
		}
		if d.Modes == nil || len(crtcs) == 0 {
			continue
		}
		d.CRTCID = crtcs[0]
		d.PlaneID, err = c.firstPlane()
		return d, err
	}
	return Display{}, fmt.Errorf("%s: no connected display among %d connectors: %w", c.Path, len(connectors), unix.ENXIO)
}

// firstPlane returns the first plane that the card shows, 0 when it shows none.
func (c *Card) firstPlane() (uint32, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	planes := make([]uint32, 1)
	res := uapi.ModeGetPlaneRes{CountPlanes: 1, PlaneIDPtr: address(&pin, planes)}
	err := Ioctl(c, uapi.IoctlModeGetPlaneResources, &res)
	return planes[0], err
}

// connector returns the connector with its modes, nil modes when nothing is
// connected.
func (c *Card) connector(id uint32) (Display, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	count := uapi.ModeGetConnector{ConnectorID: id}
	if err := Ioctl(c, uapi.IoctlModeGetConnector, &count); err != nil {
		return Display{}, err
	}
	if count.Connection != uapi.ModeConnected || count.CountModes == 0 {
		return Display{ConnectorID: id}, nil
	}
	modes, encoders := make([]uapi.ModeInfo, count.CountModes), make([]uint32, count.CountEncoders)
	get := uapi.ModeGetConnector{
		ConnectorID: id,
		CountModes:  count.CountModes, ModesPtr: address(&pin, modes),
		CountEncoders: count.CountEncoders, EncodersPtr: address(&pin, encoders),
	}
	if err := Ioctl(c, uapi.IoctlModeGetConnector, &get); err != nil {
		return Display{}, err
	}
	d := Display{ConnectorID: id, EncoderID: get.EncoderID, Modes: modes}
	if d.EncoderID == 0 && len(encoders) > 0 {
		d.EncoderID = encoders[0]
	}
	return d, nil
}

// SetCRTC shows the framebuffer on the display in the given mode.
func (c *Card) SetCRTC(d Display, fb uint32, mode uapi.ModeInfo) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	connectors := []uint32{d.ConnectorID}
	return Ioctl(c, uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{
		CRTCID: d.CRTCID, FBID: fb, ModeValid: 1, Mode: mode,
		SetConnectorsPtr: address(&pin, connectors), CountConnectors: 1,
	})
}

// PageFlip asks for the framebuffer to be shown from the next vblank on, and
// for an event then.
func (c *Card) PageFlip(d Display, fb uint32, userData uint64) error {
	return Ioctl(c, uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{
		CRTCID: d.CRTCID, FBID: fb, Flags: uapi.ModePageFlipEvent, UserData: userData,
	})
}

// CreateBlob makes a property blob of the mode and returns its id.
func (c *Card) CreateBlob(mode *uapi.ModeInfo) (uint32, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	modes := []uapi.ModeInfo{*mode}
	blob := uapi.ModeCreateBlob{Data: address(&pin, modes), Length: uint32(binary.Size(modes))}
	err := Ioctl(c, uapi.IoctlModeCreatePropBlob, &blob)
	return blob.BlobID, err
}

// Gamma reads the gamma ramps of the display's CRTC, all of its size.
func (c *Card) Gamma(d Display, red, green, blue []uint16) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	return Ioctl(c, uapi.IoctlModeGetGamma, &uapi.ModeCRTCLUT{
		CRTCID: d.CRTCID, GammaSize: uint32(len(red)),
		Red: address(&pin, red), Green: address(&pin, green), Blue: address(&pin, blue),
	})
}
