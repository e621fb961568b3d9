package host

import (
	"context"
	"io"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// A stream is a virtual file that a program reads packet by packet from a
// pipe, as it reads events from a node.
type stream struct {
	path string
	io.Closer
}

// streamPipeSize lets a program leave 128 packets unread: each takes a page,
// however short it is.
const streamPipeSize = 128 * 4096

// at returns the path of the file, "" for nil.
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

// openStream opens a virtual file that is a stream. Closed files are released
// first: a stream may allow only one reader.
func (c *call) openStream(p place, flags int) {
	c.host.files.AwaitStreams(c)
	readEnd, err := c.host.files.OpenPackets(c.opener(), flags, streamPipeSize, func(sink drm.EventSink) (drm.ClientFile, error) {
		closer, err := p.Node.Open(sink)
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
