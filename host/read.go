package host

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A read of a node takes whole events: as many as fit, and none when not even
// one does, which is a result of 0. A pipe gives a part of one. Events are of
// eventSize bytes, so the kernel's own read of the pipe is right when the buffer
// is a multiple of that, as nearly all are. The filter hands over the others,
// as far as they can make a difference and are not used everywhere:
//
//   - below oddReadLimit: with more room, so many events would have to be
//     pending as no client leaves unread;
//   - not of 8 bytes, as eventfds and timerfds are read by every event loop;
//   - not of standard input, from which shells read byte by byte.
//
// One that is handed over in vain takes 13 µs in place of 0.3. It is none to one
// in a hundred of the calls of bash, git, go, python, foot and weston.
const (
	eventSize    = 32
	oddReadLimit = 256
	firstReadFD  = 3
)

// read serves a read with a buffer that is not made for whole events.
func (c *call) read() {
	f := c.file(c.fd(0))
	if f == nil {
		c.proceed()
		return
	}
	if f.drm == nil {
		f.put()
		c.proceed() // a stream or sync file
		return
	}
	n, err := c.readEvents(f, c.arg(1), int(c.arg(2)))
	f.put() // ahead of the answer, as in ioctl
	if err != nil {
		c.fail(err)
		return
	}
	c.ret(int64(n))
}

func (c *call) readEvents(f *file, addr uint64, size int) (n int, err error) {
	flags, err := c.tid().FDFlags(int(c.fd(0)))
	if err != nil {
		return 0, err
	}
	r := c.request()
	defer r.end()
	for {
		arrived := f.sink.NextArrival()
		n, err := f.takeEvents(size, func(events []byte) error { return r.CopyToUser(addr, events) })
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

// takeEvents passes the events that are next and fit into size to give, and
// takes them out of the pipe when that has them. EAGAIN when none is there, 0
// when the first does not fit or none will come any more.
func (f *file) takeEvents(size int, give func(events []byte) error) (n int, err error) {
	f.reading.Lock()
	defer f.reading.Unlock()
	r, err := f.sink.OpenReader()
	if err != nil {
		return 0, err
	}
	defer unix.Close(r)
	var buf [oddReadLimit]byte
	there, err := peek(r, buf[:])
	if err != nil {
		return 0, err
	}
	if n = wholeEvents(buf[:min(there, size)]); n == 0 {
		return 0, nil
	}
	if err := give(buf[:n]); err != nil {
		return 0, err
	}
	return unix.Read(r, buf[:n])
}

// wholeEvents returns the length of the events that are whole in p. Each
// begins with struct drm_event: its type and length.
func wholeEvents(p []byte) (n int) {
	for {
		if len(p)-n < 8 {
			return n
		}
		length := int(binary.NativeEndian.Uint32(p[n+4:]))
		if length < 8 || length > len(p)-n {
			return n
		}
		n += length
	}
}

// peek reads from a pipe what stays in it. EAGAIN when there is nothing, 0
// when there will be nothing any more.
func peek(pipe int, p []byte) (n int, err error) {
	var copied [2]int
	if err := unix.Pipe2(copied[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return 0, err
	}
	defer unix.Close(copied[0])
	defer unix.Close(copied[1])
	there, err := unix.Tee(pipe, copied[1], len(p), unix.SPLICE_F_NONBLOCK)
	if err != nil || there == 0 {
		return 0, err
	}
	return unix.Read(copied[0], p)
}

// poll is one of a single descriptor that does not wait. What the program has
// closed can make it ready, as a sync file is when the timeline of its fence
// ends: a kernel has done that when close returns, we do it now.
func (c *call) poll() {
	if c.host.files.count.Load() > 1 {
		c.host.files.drain()
	}
	c.proceed()
}
