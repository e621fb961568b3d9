package conformance

import (
	"time"

	"golang.org/x/sys/unix"
)

// A System is the system calls by which a client reaches a device. Errors
// wrap the errno that a program sees. Descriptors of one System mean nothing to another. All methods
// may be called concurrently, [System.Unprivileged] excepted.
type System interface {
	Open(path string, flags int) (fd int, err error)
	Close(fd int) error
	Dup(fd int) (int, error)

	// Ioctl sends one request, and again when a signal interrupted it. arg is an
	// address in this process, which need not be memory.
	Ioctl(fd int, cmd uint32, arg uintptr) error

	// Read reads what there is, or waits.
	Read(fd int, p []byte) (int, error)

	// Poll waits for one of the events of poll(2), at most for timeout, and
	// returns those that hold: 0 when the time is up.
	Poll(fd int, events int16, timeout time.Duration) (int16, error)

	// Seek is lseek(2), which tells the size of a dma-buf.
	Seek(fd int, offset int64, whence int) (int64, error)

	// Mmap maps memory that both sides see. The client unmaps it with Munmap.
	Mmap(fd int, offset uint64, length int) ([]byte, error)
	Munmap(p []byte) error

	// Unprivileged calls f, and the client has no CAP_SYS_ADMIN meanwhile: for
	// the calls that f makes in its own goroutine. Nothing else may run.
	Unprivileged(f func()) error
}

// A Target is a device that cases run against.
type Target struct {
	System System

	// Nodes returns the paths of the device's nodes as they are now; render is
	// "" when it has none.
	Nodes func() (primary, render string, err error)

	// Other is the primary node of another device, which shares buffers with
	// this one; "" when there is none.
	Other string

	// Unplug takes the device away while nodes are open; Plug brings it back,
	// maybe with other nodes. nil when that cannot be done; Why says why.
	Unplug, Plug func() error
	Why          string

	// Partial says that cases that the device does not meet the needs of are
	// no failure.
	Partial bool
}

// pollTime is how a time is told to poll(2), in milliseconds.
func pollTime(d time.Duration) int { return int((d + time.Millisecond - 1) / time.Millisecond) }

func asErrno(err error) error {
	if err == unix.Errno(0) {
		return nil
	}
	return err
}
