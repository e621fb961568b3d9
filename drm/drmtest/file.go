package drmtest

import (
	"context"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/internal/eventpipe"
)

// files are the files that devices have handed to clients of this process, by
// the inode of their pipe. As for a supervised program, the client has the
// read end: it polls and reads it, passes it on and closes it. Nobody watches
// for the last close: [CloseFD] looks.
var files = struct {
	mu      sync.Mutex
	byInode map[uint64]*file
}{byInode: make(map[uint64]*file)}

type file struct {
	*eventpipe.Sink
	client drm.ClientFile
}

// InstallFile implements drm.Caller.
func (c *Client) InstallFile(flags int, open func(sink drm.EventSink) (drm.ClientFile, error)) (int32, error) {
	sink, readEnd, err := eventpipe.New(flags)
	if err != nil {
		return -1, err
	}
	f := &file{Sink: sink}
	if err = sink.KeepPath(); err == nil {
		f.client, err = open(sink)
	}
	if err != nil {
		sink.Close()
		_ = unix.Close(readEnd)
		return -1, err
	}
	files.mu.Lock()
	defer files.mu.Unlock()
	files.byInode[sink.Inode()] = f
	return int32(readEnd), nil
}

// LookupFile implements drm.Caller.
func (c *Client) LookupFile(fd int32) drm.ClientFile {
	files.mu.Lock()
	defer files.mu.Unlock()
	inode, err := inodeOf(int(fd))
	if f := files.byInode[inode]; err == nil && f != nil {
		return f.client
	}
	return nil
}

// CloseFD closes a descriptor of this process and, with the last one of a
// file that a device has handed out, that file.
func CloseFD(fd int32) error {
	err := unix.Close(int(fd))
	files.mu.Lock()
	var closed []drm.ClientFile
	for inode, f := range files.byInode {
		if !f.HasReader() {
			delete(files.byInode, inode)
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

func inodeOf(fd int) (uint64, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return st.Ino, err
}

// FileIoctl is [Ioctl] on a descriptor that a device has handed out: ENOTTY
// when it is not one.
func FileIoctl[T any](c *Client, fd int32, cmd uint32, arg *T) error {
	f := c.LookupFile(fd)
	if f == nil {
		return unix.ENOTTY
	}
	return ioctl(context.Background(), c, f, cmd, arg)
}
