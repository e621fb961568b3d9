package host

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/files"
)

// A read of a node returns whole events: as many as fit, and 0 when not even
// the first does. A pipe returns a part of one. Events have eventSize bytes, so
// the kernel's own read of the pipe is right when the buffer is a multiple of
// that, as nearly all are. The filter hands over the other reads that could
// tear an event, except the ones that are common everywhere:
//
//   - reads of oddReadLimit bytes and more: no client leaves so many events
//     unread;
//   - reads of 8 bytes: every event loop reads eventfds and timerfds;
//   - reads of standard input: shells read it byte by byte.
//
// A read handed over needlessly costs 13 µs instead of 0.3; 0–1 % of the reads
// of bash, git, go, python, foot and weston are.
const (
	eventSize    = 32
	oddReadLimit = 256
	firstReadFD  = 3
)

// read serves a read whose buffer may end inside an event.
func (c *call) read() {
	f := c.file(c.fd(0))
	if f == nil {
		c.proceed()
		return
	}
	if f.Node() == nil {
		f.Put()
		c.proceed() // a stream or a sync file
		return
	}
	n, err := c.readEvents(f, c.arg(1), int(c.arg(2)))
	f.Put() // before the answer, as in ioctl
	if err != nil {
		c.fail(err)
		return
	}
	c.ret(int64(n))
}

func (c *call) readEvents(f *files.File, addr uint64, size int) (n int, err error) {
	flags, err := c.tid().FDFlags(int(c.fd(0)))
	if err != nil {
		return 0, err
	}
	r := c.request()
	defer r.end()
	for {
		arrived := f.NextArrival()
		n, err := f.TakeEvents(size, func(events []byte) error { return r.CopyToUser(addr, events) })
		if err != unix.EAGAIN || flags&unix.O_NONBLOCK != 0 {
			return n, err
		}
		select {
		case <-arrived:
		case <-r.Done():
			return 0, unix.EINTR
		}
	}
}

// poll serves a poll of one descriptor that does not wait. A close by the
// program can make the descriptor ready: that of a sync file when the timeline
// of its fence ends. A kernel does so before close returns, this process here.
func (c *call) poll() {
	if c.host.files.Count() > 1 {
		c.host.files.Drain(c)
	}
	c.proceed()
}
