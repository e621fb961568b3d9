package kmsclient

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// A Buffer is a dumb buffer in XRGB8888, mapped, with a framebuffer on it.
type Buffer struct {
	Handle, FB           uint32
	Width, Height, Pitch int
	Offset               uint64 // the fake offset for mmap
	Pixels               []byte // the mapping
}

// NewBuffer makes a buffer, maps it and adds a framebuffer.
func (c *Card) NewBuffer(width, height int) (*Buffer, error) {
	dumb := uapi.ModeCreateDumb{Width: uint32(width), Height: uint32(height), BPP: 32}
	if err := Ioctl(c, uapi.IoctlModeCreateDumb, &dumb); err != nil {
		return nil, err
	}
	offset := uapi.ModeMapDumb{Handle: dumb.Handle}
	if err := Ioctl(c, uapi.IoctlModeMapDumb, &offset); err != nil {
		return nil, err
	}
	pixels, err := c.Map(offset.Offset, int(dumb.Size))
	if err != nil {
		return nil, err
	}
	fb := uapi.ModeFBCmd2{
		Width: dumb.Width, Height: dumb.Height, PixelFormat: uapi.FormatXRGB8888,
		Handles: [4]uint32{dumb.Handle}, Pitches: [4]uint32{dumb.Pitch},
	}
	if err := Ioctl(c, uapi.IoctlModeAddFB2, &fb); err != nil {
		return nil, err
	}
	return &Buffer{
		Handle: dumb.Handle, FB: fb.FBID,
		Width: width, Height: height, Pitch: int(dumb.Pitch),
		Offset: offset.Offset, Pixels: pixels,
	}, nil
}

// Map maps length bytes of the buffer with that fake offset, shared.
func (c *Card) Map(offset uint64, length int) ([]byte, error) {
	return unix.Mmap(c.FD, int64(offset), length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// Row returns the pixels of one line.
func (b *Buffer) Row(y int) []byte { return b.Pixels[y*b.Pitch:][:4*b.Width] }
