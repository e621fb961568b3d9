// Package eventpipe makes the descriptors by which clients have files of
// devices. Such a descriptor is the read end of a pipe: the client polls and
// reads it, passes it on and closes it, and the kernel does all of that. Events
// are written to the write end, the [Sink]. Package host uses it for the files
// of programs, package drmtest for those of clients in its own process.
package eventpipe

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// A Sink is the [drm.EventSink] of a file: the write end of its pipe. When the
// last copy of the read end is closed, it shows an error: that is the release.
//
// All methods may be called concurrently, but that Close is called once, and
// last.
type Sink struct {
	inode uint64
	path  int // the pipe as an O_PATH descriptor, -1 without

	mu      sync.Mutex
	w       int           // -1 when closed
	arrival chan struct{} // nil: nobody waits for an event
}

// pipeSize is enough for the event budget wherever in a page the reader is.
const pipeSize = 2 * drm.EventBudget

// New makes a pipe. Of flags, which are those of open(2), the read end takes
// O_CLOEXEC and O_NONBLOCK. The caller closes it.
func New(flags int) (s *Sink, readEnd int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, -1, err
	}
	s = &Sink{w: p[1], path: -1}
	if flags&unix.O_NONBLOCK == 0 {
		_, err = unix.FcntlInt(uintptr(p[0]), unix.F_SETFL, 0)
	}
	if err == nil && flags&unix.O_CLOEXEC == 0 {
		_, err = unix.FcntlInt(uintptr(p[0]), unix.F_SETFD, 0)
	}
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(p[1], &st)
	}
	if err != nil {
		s.Close()
		return nil, -1, errors.Join(err, unix.Close(p[0]))
	}
	s.inode = st.Ino
	// Best effort: a pipe of the default size does as well.
	_, _ = unix.FcntlInt(uintptr(p[1]), unix.F_SETPIPE_SZ, pipeSize)
	return s, p[0], nil
}

// Inode returns the number of the pipe, by which links in /proc/PID/fd name it.
func (s *Sink) Inode() uint64 { return s.inode }

// KeepPath makes HasReader work, also after a HangUp.
func (s *Sink) KeepPath() (err error) {
	s.path, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", s.w), unix.O_PATH|unix.O_CLOEXEC, 0)
	return err
}

// DeliverPackets makes each delivery what one read returns, and lets the client
// leave packets of so many bytes unread, if the kernel does.
func (s *Sink) DeliverPackets(size int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = unix.FcntlInt(uintptr(s.w), unix.F_SETPIPE_SZ, size)
	_, err := unix.FcntlInt(uintptr(s.w), unix.F_SETFL, unix.O_NONBLOCK|unix.O_DIRECT)
	return err
}

// Deliver implements [drm.EventSink].
func (s *Sink) Deliver(ev []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w < 0 {
		return nil
	}
	_, err := unix.Write(s.w, ev) // no more than PIPE_BUF: all or nothing
	s.arrivedLocked()
	if err == unix.EPIPE {
		return nil // closed by the client, and not noticed yet
	}
	return err
}

// Unread implements [drm.EventSink].
func (s *Sink) Unread() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w < 0 {
		return 0
	}
	n, err := unix.IoctlGetInt(s.w, unix.TIOCINQ) // FIONREAD
	if err != nil {
		return 0
	}
	return n
}

// HangUp implements [drm.EventSink]: readers get what is left and then the end,
// sleepers in poll a POLLHUP.
func (s *Sink) HangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w >= 0 {
		_ = unix.Close(s.w)
		s.w = -1
	}
	s.arrivedLocked()
}

// HasReader reports whether anybody has the read end. The pipe may have been
// hung up: a new writer sees an error when there is none. See KeepPath.
func (s *Sink) HasReader() bool {
	w, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", s.path), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(w)
	fds := []unix.PollFd{{Fd: int32(w)}}
	n, err := unix.Poll(fds, 0)
	return err != nil || n == 0 || fds[0].Revents&unix.POLLERR == 0
}

// OpenReader opens the read end anew; reads of it do not wait. For as long as
// it is open, nothing tells that the client has closed its own.
func (s *Sink) OpenReader() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	end := s.w
	if end < 0 {
		end = s.path
	}
	return unix.Open(fmt.Sprintf("/proc/self/fd/%d", end), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
}

// NextArrival returns a channel that is closed when an event is delivered, or
// none will be any more.
func (s *Sink) NextArrival() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.arrival == nil {
		s.arrival = make(chan struct{})
	}
	return s.arrival
}

func (s *Sink) arrivedLocked() {
	if s.arrival != nil {
		close(s.arrival)
		s.arrival = nil
	}
}

// Watch adds the write end to an epoll, which then reports when the last read
// end is closed; not after a HangUp. The event has the lower half of the inode
// in Pad.
func (s *Sink) Watch(epoll int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w < 0 {
		return nil
	}
	// No event is asked for: errors are always reported.
	return unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, s.w, &unix.EpollEvent{Fd: int32(s.w), Pad: int32(s.inode)})
}

// Forget takes the write end out of an epoll.
func (s *Sink) Forget(epoll int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w >= 0 {
		_ = unix.EpollCtl(epoll, unix.EPOLL_CTL_DEL, s.w, nil)
	}
}

// Close closes the sink: the client reads what is left and then the end.
func (s *Sink) Close() {
	s.HangUp()
	if s.path >= 0 {
		_ = unix.Close(s.path)
	}
}
