package kmsclient

import "github.com/udrm/udrm/drm/uapi"

// CreateDumb makes a dumb buffer. Pitch and size are in the answer.
func (c *Client) CreateDumb(width, height, bpp uint32) (uapi.ModeCreateDumb, error) {
	arg := uapi.ModeCreateDumb{Width: width, Height: height, BPP: bpp}
	err := Ioctl(c, uapi.IoctlModeCreateDumb, &arg)
	return arg, err
}

// DestroyDumb closes the handle of a dumb buffer.
func (c *Client) DestroyDumb(handle uint32) error {
	return Ioctl(c, uapi.IoctlModeDestroyDumb, &uapi.ModeDestroyDumb{Handle: handle})
}

// CloseHandle closes the handle of any buffer.
func (c *Client) CloseHandle(handle uint32) error {
	return Ioctl(c, uapi.IoctlGEMClose, &uapi.GEMClose{Handle: handle})
}

// MapDumb returns the fake offset by which a dumb buffer can be mapped.
func (c *Client) MapDumb(handle uint32) (offset uint64, err error) {
	arg := uapi.ModeMapDumb{Handle: handle}
	err = Ioctl(c, uapi.IoctlModeMapDumb, &arg)
	return arg.Offset, err
}

// Export returns a dma-buf of a buffer, a descriptor of the caller. flags are
// uapi.Cloexec and uapi.RDWR.
func (c *Client) Export(handle, flags uint32) (fd int32, err error) {
	arg := uapi.PrimeHandle{Handle: handle, Flags: flags}
	err = Ioctl(c, uapi.IoctlPrimeHandleToFD, &arg)
	return arg.FD, err
}

// Import returns a handle of the buffer behind a dma-buf.
func (c *Client) Import(fd int32) (handle uint32, err error) {
	arg := uapi.PrimeHandle{FD: fd}
	err = Ioctl(c, uapi.IoctlPrimeFDToHandle, &arg)
	return arg.Handle, err
}

// FBOf returns the ADDFB2 argument for a framebuffer of a whole buffer.
func FBOf(dumb *uapi.ModeCreateDumb, format uint32) uapi.ModeFBCmd2 {
	return uapi.ModeFBCmd2{
		Width: dumb.Width, Height: dumb.Height, PixelFormat: format,
		Handles: [4]uint32{dumb.Handle}, Pitches: [4]uint32{dumb.Pitch},
	}
}

// AddFB makes a framebuffer of a whole buffer.
func (c *Client) AddFB(dumb *uapi.ModeCreateDumb, format uint32) (fb uint32, err error) {
	arg := FBOf(dumb, format)
	err = Ioctl(c, uapi.IoctlModeAddFB2, &arg)
	return arg.FBID, err
}

// RemoveFB removes a framebuffer.
func (c *Client) RemoveFB(fb uint32) error { return Ioctl(c, uapi.IoctlModeRmFB, &fb) }

// NewFB makes a framebuffer on a new buffer, in a format of one plane with bpp
// bits a pixel.
func (c *Client) NewFB(width, height, bpp, format uint32) (fb uint32, err error) {
	dumb, err := c.CreateDumb(width, height, bpp)
	if err != nil {
		return 0, err
	}
	return c.AddFB(&dumb, format)
}

// A Buffer is a dumb buffer in XRGB8888, mapped, with a framebuffer on it.
type Buffer struct {
	Handle, FB           uint32
	Width, Height, Pitch int
	Offset               uint64 // the fake offset for mmap
	Pixels               []byte // the mapping
}

// NewBuffer makes a buffer, maps it and adds a framebuffer.
func (c *Client) NewBuffer(width, height int) (*Buffer, error) {
	dumb, err := c.CreateDumb(uint32(width), uint32(height), 32)
	if err != nil {
		return nil, err
	}
	b := &Buffer{Handle: dumb.Handle, Width: width, Height: height, Pitch: int(dumb.Pitch)}
	if b.Offset, err = c.MapDumb(dumb.Handle); err != nil {
		return nil, err
	}
	if b.Pixels, err = c.Mmap(b.Offset, int(dumb.Size)); err != nil {
		return nil, err
	}
	b.FB, err = c.AddFB(&dumb, uapi.FormatXRGB8888)
	return b, err
}

// Row returns the pixels of one line.
func (b *Buffer) Row(y int) []byte { return b.Pixels[y*b.Pitch:][:4*b.Width] }
