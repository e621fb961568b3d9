package kmsclient

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Card is a client of a node that it has opened itself.
type Card struct {
	*Client
	FD   int
	Path string
}

// Open opens the node at path for reading and writing.
func Open(path string) (*Card, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
		switch err {
		case nil:
			return &Card{New(node{fd, path}), fd, path}, nil
		case unix.EINTR:
		default:
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// FromFD returns a client of the open file fd, which stays the caller's.
func FromFD(fd int) *Client { return New(node{fd, fmt.Sprintf("descriptor %d", fd)}) }

// Close closes the node.
func (c *Card) Close() error { return unix.Close(c.FD) }

// A node is the [File] whose calls are real system calls.
type node struct {
	fd   int
	name string // for errors
}

// Ioctl implements [File]. It repeats a call that a signal interrupted, as
// libdrm does.
func (n node) Ioctl(cmd uint32, arg uintptr) error {
	for {
		switch errno := IoctlAt(n.fd, cmd, arg); errno {
		case 0:
			return nil
		case unix.EINTR, unix.EAGAIN:
		default:
			return fmt.Errorf("%s: %w", n.name, errno)
		}
	}
}

// Mmap implements [File].
func (n node) Mmap(offset uint64, length int) ([]byte, error) {
	return unix.Mmap(n.fd, int64(offset), length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// Read implements [File].
func (n node) Read(p []byte) (int, error) {
	for {
		got, err := unix.Read(n.fd, p)
		if err != unix.EINTR {
			return max(got, 0), err
		}
	}
}

// Poll implements [File].
func (n node) Poll(events int16, timeout time.Duration) (int16, error) {
	deadline := time.Now().Add(timeout)
	for {
		left := -1 // milliseconds
		if timeout >= 0 {
			left = int((max(0, time.Until(deadline)) + time.Millisecond - 1) / time.Millisecond)
		}
		fds := []unix.PollFd{{Fd: int32(n.fd), Events: events}}
		_, err := unix.Poll(fds, left)
		if err != unix.EINTR { // the runtime's own signals
			return fds[0].Revents, err
		}
	}
}
