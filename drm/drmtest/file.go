package drmtest

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
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
	client drm.ClientFile
	path   int // the pipe as an O_PATH descriptor

	mu       sync.Mutex
	writeEnd int // -1 when closed
}

// InstallFile implements drm.Caller.
func (c *Client) InstallFile(flags int, open func(sink drm.EventSink) (drm.ClientFile, error)) (int32, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], flags&(unix.O_CLOEXEC|unix.O_NONBLOCK)); err != nil {
		return -1, err
	}
	unix.CloseOnExec(p[1])
	f := &file{writeEnd: p[1], path: -1}
	inode, err := inodeOf(p[0])
	if err == nil {
		f.path, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", p[1]), unix.O_PATH|unix.O_CLOEXEC, 0)
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(p[1]), unix.F_SETFL, unix.O_NONBLOCK)
	}
	if err == nil {
		f.client, err = open(f)
	}
	if err != nil {
		f.end()
		_ = unix.Close(p[0])
		return -1, err
	}
	files.mu.Lock()
	defer files.mu.Unlock()
	files.byInode[inode] = f
	return int32(p[0]), nil
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
		if !f.hasReader() {
			delete(files.byInode, inode)
			closed = append(closed, f.client)
			f.end()
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

// hasReader reports whether anybody has the read end: a new writer sees an
// error otherwise.
func (f *file) hasReader() bool {
	w, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", f.path), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(w)
	fds := []unix.PollFd{{Fd: int32(w)}}
	n, err := unix.Poll(fds, 0)
	return err != nil || n == 0 || fds[0].Revents&unix.POLLERR == 0
}

func (f *file) end() {
	f.HangUp()
	if f.path >= 0 {
		_ = unix.Close(f.path)
	}
}

// Deliver implements drm.EventSink.
func (f *file) Deliver(ev []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writeEnd < 0 {
		return nil
	}
	_, err := unix.Write(f.writeEnd, ev)
	if err == unix.EPIPE {
		return nil // closed, and not noticed yet
	}
	return err
}

// Unread implements drm.EventSink.
func (f *file) Unread() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writeEnd < 0 {
		return 0
	}
	n, _ := unix.IoctlGetInt(f.writeEnd, unix.TIOCINQ)
	return n
}

// HangUp implements drm.EventSink: the client meets the end of the events.
func (f *file) HangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writeEnd >= 0 {
		_ = unix.Close(f.writeEnd)
		f.writeEnd = -1
	}
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
