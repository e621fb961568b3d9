// Package drmtest is a DRM client in the same process: it opens a minor and
// sends it ioctls, for tests of drivers and of the parts of a device, and for
// Go programs that want a device without a supervised process around it.
//
// Requests carry the addresses of further memory. An in-process client keeps
// that memory in an [Arena], which hands out addresses, and answers EFAULT
// for all others, as the memory of a process does.
//
// Lock order: the lock of the files that devices have given out, those of
// package pollfd. Arena.mu and Reports.mu are leaves.
//
// Start reading at [Open] and [Ioctl].
package drmtest

import (
	"context"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// A Client is a client with one open file.
type Client struct {
	*Arena
	File *drm.File
	As   drm.Client
}

// Self returns this process as a client without privileges.
func Self() drm.Client {
	return drm.Client{PID: os.Getpid(), UID: os.Getuid(), Comm: "drmtest"}
}

// Open opens the node for this process and closes it at the end of the test.
func Open(t testing.TB, m *drm.Minor) *Client {
	t.Helper()
	c, err := OpenAs(m, Self())
	if err != nil {
		t.Fatalf("opening %s: %v", m.Name(), err)
	}
	t.Cleanup(func() { c.File.Close() })
	return c
}

// OpenAs opens the node as the given process. The caller closes the file.
func OpenAs(m *drm.Minor, as drm.Client) (*Client, error) {
	f, err := m.Open(as, os.O_RDWR, nil)
	if err != nil {
		return nil, err
	}
	return &Client{Arena: NewArena(), File: f, As: as}, nil
}

// Ioctl sends a request with the struct that arg points to, and brings what
// the device answers back into it. The error says why the request was refused,
// and wraps the errno that a program sees.
func Ioctl[T any](c *Client, cmd uint32, arg *T) error {
	return IoctlContext(context.Background(), c, cmd, arg)
}

// IoctlContext is [Ioctl] for a thread that is interrupted at the end of ctx.
func IoctlContext[T any](ctx context.Context, c *Client, cmd uint32, arg *T) error {
	return ioctl(ctx, c, c.File, cmd, arg)
}

func ioctl[T any](ctx context.Context, c *Client, f drm.ClientFile, cmd uint32, arg *T) error {
	bytes := structBytes(arg)
	addr := c.Put(bytes)
	defer c.Free(addr)
	err := f.Ioctl(ctx, c, cmd, addr)
	if copyErr := c.CopyFromUser(bytes, addr); copyErr != nil {
		return copyErr
	}
	return err
}

// Client makes a [Client] a drm.Caller.
func (c *Client) Client() drm.Client { return c.As }

// InstallFD implements drm.Caller: this process gets another descriptor.
func (c *Client) InstallFD(fd int, cloexec bool) (int32, error) {
	cmd := unix.F_DUPFD
	if cloexec {
		cmd = unix.F_DUPFD_CLOEXEC
	}
	n, err := unix.FcntlInt(uintptr(fd), cmd, 0)
	return int32(n), err
}

// StatFD implements drm.Caller.
func (c *Client) StatFD(fd int32, st *unix.Stat_t) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil && flags&unix.O_PATH != 0 {
		err = unix.EBADF
	}
	if err != nil {
		return err
	}
	return unix.Fstat(int(fd), st)
}

// DupFD implements drm.Caller.
func (c *Client) DupFD(fd int32) (int, error) {
	return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
}
