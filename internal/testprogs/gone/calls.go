package main

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// The calls that are more than one request.

func (c *client) blob() error {
	mode := c.display.Modes[0]
	blob, err := c.CreateBlob(&mode)
	if err != nil {
		return err
	}
	return kmsclient.Ioctl(c.Card, uapi.IoctlModeDestroyPropBlob, &uapi.ModeDestroyBlob{BlobID: blob})
}

func (c *client) dumb() error {
	dumb := uapi.ModeCreateDumb{Width: 64, Height: 64, BPP: 32}
	if err := kmsclient.Ioctl(c.Card, uapi.IoctlModeCreateDumb, &dumb); err != nil {
		return err
	}
	return kmsclient.Ioctl(c.Card, uapi.IoctlModeDestroyDumb, &uapi.ModeDestroyDumb{Handle: dumb.Handle})
}

func (c *client) remap(touch bool) error {
	pixels, err := c.Map(c.buffer.Offset, len(c.buffer.Pixels))
	if err != nil {
		return err
	}
	if touch {
		pixels[0]++
	}
	return unix.Munmap(pixels)
}

// touchNext touches a page that nobody has touched before.
func (c *client) touchNext() error {
	c.touched++
	c.buffer.Pixels[len(c.buffer.Pixels)-4096*c.touched]++
	return nil
}

// touch touches every page but the last ones, which are left to touchNext.
func (c *client) touch() error {
	const left = 4
	for i := 0; i < len(c.buffer.Pixels)-4096*left; i += 4096 {
		c.buffer.Pixels[i]++
	}
	return nil
}

func (c *client) framebuffer() error {
	fb := uapi.ModeFBCmd2{
		Width: uint32(c.buffer.Width), Height: uint32(c.buffer.Height), PixelFormat: uapi.FormatXRGB8888,
		Handles: [4]uint32{c.buffer.Handle}, Pitches: [4]uint32{uint32(c.buffer.Pitch)},
	}
	if err := kmsclient.Ioctl(c.Card, uapi.IoctlModeAddFB2, &fb); err != nil {
		return err
	}
	return kmsclient.Ioctl(c.Card, uapi.IoctlModeRmFB, &fb.FBID)
}

func (c *client) gamma() error {
	const size = 256
	red, green, blue := make([]uint16, size), make([]uint16, size), make([]uint16, size)
	return c.Gamma(c.display, red, green, blue)
}

func (c *client) flip() error {
	if err := c.PageFlip(c.display, c.buffer.FB, 0); err != nil {
		return err
	}
	_, err := c.ReadEvents(-1)
	return err
}

func (c *client) vblankEvent() error {
	err := kmsclient.Ioctl(c.Card, uapi.IoctlWaitVblank, &uapi.WaitVblankRequest{Type: uapi.VblankRelative | uapi.VblankEvent, Sequence: 1})
	if err != nil {
		return err
	}
	_, err = c.ReadEvents(-1)
	return err
}

// poll succeeds when nothing is to be told: no event, no hang-up.
func (c *client) poll() error {
	fds := []unix.PollFd{{Fd: int32(c.FD), Events: unix.POLLIN | unix.POLLOUT}}
	if _, err := unix.Poll(fds, 0); err != nil {
		return err
	}
	if fds[0].Revents != 0 {
		return unix.Errno(0x10000 | int(fds[0].Revents))
	}
	return nil
}

func (c *client) readNothing(size int) error {
	if err := unix.SetNonblock(c.FD, true); err != nil {
		return err
	}
	_, err := unix.Read(c.FD, make([]byte, size))
	return err
}

func openClose(path string) error {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}
