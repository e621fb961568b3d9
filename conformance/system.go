package conformance

import (
	"time"

	"golang.org/x/sys/unix"
)

// A System is the system calls that a client makes on a device. Errors wrap the
// errno that a program sees. A descriptor is valid for its System only. All
// methods but [System.Unprivileged] may be called concurrently.
type System interface {
	Open(path string, flags int) (fd int, err error)
	Close(fd int) error
	Dup(fd int) (int, error)

	// Ioctl sends one request, and repeats it if a signal interrupted it. arg
	// is an address in this process, which need not be valid.
	Ioctl(fd int, cmd uint32, arg uintptr) error

	// Read reads pending events. It waits for the first one, unless the file is
	// nonblocking.
	Read(fd int, p []byte) (int, error)

	// Poll waits for one of the events of poll(2), at most for timeout, and
	// returns the events that hold: 0 when the time is over.
	Poll(fd int, events int16, timeout time.Duration) (int16, error)

	// Seek is lseek(2), by which a client finds the size of a dma-buf.
	Seek(fd int, offset int64, whence int) (int64, error)

	// Mmap maps memory that both sides see, for reading and writing. The client
	// unmaps it with Munmap.
	Mmap(fd int, offset uint64, length int) ([]byte, error)
	Munmap(p []byte) error

	// Unprivileged calls f while the client has no CAP_SYS_ADMIN, for the calls
	// that f makes in its own goroutine. No other call may run meanwhile.
	Unprivileged(f func()) error
}

// A Target is a device under test.
type Target struct {
	System System

	// Nodes returns the current paths of the device's nodes. render is "" if
	// the device has no render node.
	Nodes func() (primary, render string, err error)

	// Surroundings are the device's files and uevents. nil stands for a device
	// without them, to which the cases about them do not apply.
	Surroundings Surroundings

	// Fbdev returns the path of the device's fbdev node. It is nil, or fails, if
	// the device has none.
	Fbdev func() (string, error)

	// Other is the primary node of another device, to share buffers with; "" if
	// there is no other device.
	Other string

	// Unplug unplugs the device while nodes are open. Plug plugs it in again;
	// its nodes may have other names then. Both are nil if the device cannot be
	// unplugged; Why tells the reason.
	Unplug, Plug func() error
	Why          string

	// AddConnector adds a connector with a monitor to the device in use, as a hub of
	// DisplayPort MST does, and returns its name: "DP-2". RemoveConnector removes
	// it. Both are nil if the device cannot have such connectors.
	AddConnector    func() (name string, err error)
	RemoveConnector func(name string) error

	// Partial makes Run accept a device that does not meet the needs of some
	// cases.
	Partial bool
}

// pollTime converts a duration to the milliseconds of poll(2).
func pollTime(d time.Duration) int { return int((d + time.Millisecond - 1) / time.Millisecond) }

func asErrno(err error) error {
	if err == unix.Errno(0) {
		return nil
	}
	return err
}
