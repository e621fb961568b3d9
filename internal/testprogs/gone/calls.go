package main

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// The calls that take more than one request.

func (c *client) blob() error {
	blob, err := c.CreateModeBlob(&c.display.Mode)
	if err != nil {
		return err
	}
	return kmsclient.Ioctl(c.Card, uapi.IoctlModeDestroyPropBlob, &uapi.ModeDestroyBlob{BlobID: blob})
}

func (c *client) dumb() error {
	dumb, err := c.CreateDumb(64, 64, 32)
	if err != nil {
		return err
	}
	return c.DestroyDumb(dumb.Handle)
}

func (c *client) remap(touch bool) error {
	pixels, err := c.Mmap(c.buffer.Offset, len(c.buffer.Pixels))
	if err != nil {
		return err
	}
	if touch {
		pixels[0]++
	}
	return unix.Munmap(pixels)
}

// touchNext writes to a page for the first time.
func (c *client) touchNext() error {
	c.touched++
	c.buffer.Pixels[len(c.buffer.Pixels)-4096*c.touched]++
	return nil
}

// touch writes to every page but the last ones, which touchNext needs.
func (c *client) touch() error {
	const left = 4
	for i := 0; i < len(c.buffer.Pixels)-4096*left; i += 4096 {
		c.buffer.Pixels[i]++
	}
	return nil
}

func (c *client) framebuffer() error {
	b := c.buffer
	fb, err := c.AddFB(&uapi.ModeCreateDumb{
		Width: uint32(b.Width), Height: uint32(b.Height), Handle: b.Handle, Pitch: uint32(b.Pitch),
	}, uapi.FormatXRGB8888)
	if err != nil {
		return err
	}
	return c.RemoveFB(fb)
}

func (c *client) gamma() error {
	const size = 256
	red, green, blue := make([]uint16, size), make([]uint16, size), make([]uint16, size)
	return c.Gamma(c.display.CRTC, red, green, blue)
}

func (c *client) flip() error {
	if err := c.PageFlip(c.display.CRTC, c.buffer.FB, 0); err != nil {
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

// poll succeeds when poll(2) returns no event: neither data nor a hang-up.
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
