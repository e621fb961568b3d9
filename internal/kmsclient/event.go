package kmsclient

import (
	"encoding/binary"
	"io"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// ReadEvents waits until the node has events, or for timeout milliseconds (-1:
// without end; anew after a signal), and reads those that there are. None,
// without an error, says that the time is up. io.EOF says that the device is
// gone and the node was hung up.
func (c *Card) ReadEvents(timeout int) ([]uapi.EventVblank, error) {
	fds := []unix.PollFd{{Fd: int32(c.FD), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, timeout)
	for err == unix.EINTR { // by the runtime's own signals
		n, err = unix.Poll(fds, timeout)
	}
	if n == 0 || err != nil {
		return nil, err
	}
	var buffer [1024]byte
	n, err = unix.Read(c.FD, buffer[:])
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, io.EOF
	}
	events := make([]uapi.EventVblank, n/binary.Size(uapi.EventVblank{}))
	if _, err := binary.Decode(buffer[:n], binary.NativeEndian, events); err != nil {
		return nil, err
	}
	return events, nil
}
