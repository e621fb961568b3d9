package drmtest

import (
	"context"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/internal/pollfd"
)

// pipeSize holds the event budget wherever in a page the reader is.
const pipeSize = 2 * drm.EventBudget

// files are the files that devices have given to clients of this process. As
// in a supervised program, the client has the read end: it polls and reads it,
// passes it on and closes it. No goroutine watches for the last close:
// [CloseFD] looks.
//
// It is global because descriptors belong to the process: any client of it may
// name one, and the IDs of open files are unique.
var files = struct {
	mu   sync.Mutex
	byID map[pollfd.ID]*file
}{byID: make(map[pollfd.ID]*file)}

type file struct {
	*pollfd.Pipe
	client drm.ClientFile
}

// InstallFile implements drm.Caller.
func (c *Client) InstallFile(flags int, open func(sink drm.EventSink) (drm.ClientFile, error)) (int32, error) {
	pipe, readEnd, err := pollfd.NewPipe(flags, pipeSize)
	if err != nil {
		return -1, err
	}
	f := &file{Pipe: pipe}
	if err = pipe.KeepPath(); err == nil {
		f.client, err = open(pipe)
	}
	if err != nil {
		pipe.Close()
		_ = unix.Close(readEnd)
		return -1, err
	}
	files.mu.Lock()
	defer files.mu.Unlock()
	files.byID[pipe.ID()] = f
	return int32(readEnd), nil
}

// LookupFile implements drm.Caller.
func (c *Client) LookupFile(fd int32) drm.ClientFile {
	files.mu.Lock()
	defer files.mu.Unlock()
	var st unix.Stat_t
	if unix.Fstat(int(fd), &st) != nil {
		return nil
	}
	if f := files.byID[pollfd.IDOf(&st)]; f != nil {
		return f.client
	}
	return nil
}

// CloseFD closes a descriptor of this process. If it was the last one of a
// file that a device has given out, CloseFD closes that file too.
func CloseFD(fd int32) error {
	err := unix.Close(int(fd))
	files.mu.Lock()
	var closed []drm.ClientFile
	for id, f := range files.byID {
		if !f.HasReader() {
			delete(files.byID, id)
			closed = append(closed, f.client)
			f.Close()
		}
	}
	files.mu.Unlock()
	for _, f := range closed {
		_ = f.Close()
	}
	return err
}

// FileIoctl is [Ioctl] on a descriptor that a device has given out. ENOTTY
// for any other descriptor.
func FileIoctl[T any](c *Client, fd int32, cmd uint32, arg *T) error {
	f := c.LookupFile(fd)
	if f == nil {
		return unix.ENOTTY
	}
	return ioctl(context.Background(), c, f, cmd, arg)
}
