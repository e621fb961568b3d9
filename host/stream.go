package host

import (
	"context"
	"io"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// A stream is a virtual file that a program reads from a pipe, as it reads
// events from a node: a packet at a time.
type stream struct {
	path string
	io.Closer
}

// streamPipeSize is how much a program may leave unread: 128 packets, of which
// each takes a page, however short it is.
const streamPipeSize = 128 * 4096

// at returns the path of the file, "" when there is none.
func (s *stream) at() string {
	if s == nil {
		return ""
	}
	return s.path
}

// Ioctl implements drm.ClientFile.
func (s *stream) Ioctl(ctx context.Context, caller drm.Caller, cmd uint32, arg uint64) error {
	if f, ok := s.Closer.(drm.ClientFile); ok {
		return f.Ioctl(ctx, caller, cmd, arg)
	}
	return unix.ENOTTY
}

// openStream opens a virtual file that serves itself. What has been closed by
// now is released first: there may be room for one at a time only.
func (c *call) openStream(p place, flags int) {
	c.host.files.drain()
	readEnd, err := c.host.files.open(flags, c.host.hangUp, func(to drm.EventSink) (drm.ClientFile, error) {
		if err := to.(*sink).DeliverPackets(streamPipeSize); err != nil {
			return nil, err
		}
		closer, err := p.Node.Open(to)
		if err != nil {
			return nil, err
		}
		return &stream{path: p.Path, Closer: closer}, nil
	})
	if err != nil {
		c.fail(err)
		return
	}
	c.retFD(readEnd, flags&unix.O_CLOEXEC != 0)
}
