package kmsclient

import (
	"encoding/binary"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// ReadEvents waits for events, at most for timeout, and returns those that are
// pending; a negative timeout does not end. It returns no events and no error
// when the time is over, and io.EOF when the device is gone and the file was
// hung up.
func (c *Client) ReadEvents(timeout time.Duration) ([]uapi.EventVblank, error) {
	if ready, err := c.Poll(unix.POLLIN, timeout); ready == 0 || err != nil {
		return nil, err
	}
	var buffer [1024]byte
	n, err := c.Read(buffer[:])
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
