package pollfd

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// A Pipe is the write end of a pipe whose read end the client has. Its methods
// Deliver, Unread and HangUp are those of an event sink. When the last copy of
// the read end is closed, the write end shows an error.
//
// All methods may be called concurrently, except Close, which is called once,
// after all others have returned.
type Pipe struct {
	id   ID
	path int // the pipe as an O_PATH descriptor; -1 before KeepPath

	open sync.RWMutex // held for reading while w is used
	w    int          // -1 when closed

	mu      sync.Mutex
	arrival chan struct{} // nil unless NextArrival was called
}

// NewPipe makes a pipe that buffers at least size bytes if the kernel allows
// it; otherwise it has the kernel's default size. The read end takes O_CLOEXEC,
// O_NONBLOCK, O_APPEND and O_NOATIME from flags, which are those of open(2). The
// caller closes the read end.
func NewPipe(flags, size int) (p *Pipe, readEnd int, err error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, -1, err
	}
	p = &Pipe{w: ends[1], path: -1}
	const settable = unix.O_NONBLOCK | unix.O_APPEND | unix.O_NOATIME
	if flags&settable != unix.O_NONBLOCK {
		_, err = unix.FcntlInt(uintptr(ends[0]), unix.F_SETFL, flags&settable)
	}
	if err == nil && flags&unix.O_CLOEXEC == 0 {
		_, err = unix.FcntlInt(uintptr(ends[0]), unix.F_SETFD, 0)
	}
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(ends[1], &st)
	}
	if err != nil {
		p.Close()
		return nil, -1, errors.Join(err, unix.Close(ends[0]))
	}
	p.id = IDOf(&st)
	_, _ = unix.FcntlInt(uintptr(ends[1]), unix.F_SETPIPE_SZ, size)
	return p, ends[0], nil
}

// ID returns the identity of the pipe, which both ends share.
func (p *Pipe) ID() ID { return p.id }

// KeepPath makes HasReader work, even after HangUp.
func (p *Pipe) KeepPath() (err error) {
	p.path, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", p.w), unix.O_PATH|unix.O_CLOEXEC, 0)
	return err
}

// DeliverPackets makes each read return one delivery. The client may leave
// size bytes unread if the kernel allows a pipe of that size.
func (p *Pipe) DeliverPackets(size int) error {
	p.open.RLock()
	defer p.open.RUnlock()
	_, _ = unix.FcntlInt(uintptr(p.w), unix.F_SETPIPE_SZ, size)
	_, err := unix.FcntlInt(uintptr(p.w), unix.F_SETFL, unix.O_NONBLOCK|unix.O_DIRECT)
	return err
}

// Deliver writes one packet. It succeeds without effect after HangUp, or when
// the client has closed the read end.
func (p *Pipe) Deliver(packet []byte) error {
	p.open.RLock()
	defer p.open.RUnlock()
	if p.w < 0 {
		return nil
	}
	_, err := unix.Write(p.w, packet) // at most PIPE_BUF: all or nothing
	p.arrived()
	if err == unix.EPIPE {
		return nil // the close has not been noticed yet
	}
	return err
}

// Unread returns how many bytes the client has not read yet.
func (p *Pipe) Unread() int {
	p.open.RLock()
	defer p.open.RUnlock()
	if p.w < 0 {
		return 0
	}
	n, err := unix.IoctlGetInt(p.w, unix.TIOCINQ) // FIONREAD
	if err != nil {
		return 0
	}
	return n
}

// HangUp closes the write end: reads return what is left and then the end of
// the file, and poll returns POLLHUP.
func (p *Pipe) HangUp() {
	p.open.Lock()
	defer p.open.Unlock()
	if p.w >= 0 {
		_ = unix.Close(p.w)
		p.w = -1
	}
	p.arrived()
}

// HasReader reports whether the read end is still open. It works after HangUp:
// a new write end shows an error if there is no reader. KeepPath must have
// been called.
func (p *Pipe) HasReader() bool {
	w, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", p.path), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(w)
	fds := []unix.PollFd{{Fd: int32(w)}}
	n, err := unix.Poll(fds, 0)
	return err != nil || n == 0 || fds[0].Revents&unix.POLLERR == 0
}

// Abandoned reports whether the last copy of the read end is closed. It returns
// false after HangUp: see HasReader.
func (p *Pipe) Abandoned() bool {
	p.open.RLock()
	defer p.open.RUnlock()
	fds := []unix.PollFd{{Fd: int32(p.w)}} // -1 is ignored
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLERR != 0
}

// OpenReader opens the read end again; reads of it do not block. While it is
// open, a close by the client goes unnoticed.
func (p *Pipe) OpenReader() (int, error) {
	p.open.RLock()
	defer p.open.RUnlock()
	end := p.w
	if end < 0 {
		end = p.path
	}
	return unix.Open(fmt.Sprintf("/proc/self/fd/%d", end), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
}

// NextArrival returns a channel that is closed at the next delivery or at
// HangUp.
func (p *Pipe) NextArrival() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.arrival == nil {
		p.arrival = make(chan struct{})
	}
	return p.arrival
}

func (p *Pipe) arrived() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.arrival != nil {
		close(p.arrival)
		p.arrival = nil
	}
}

// Watch adds the write end to an epoll instance, which reports an error when
// the last read end is closed. It reports nothing after HangUp. Pad of the
// event has the lower half of the inode.
func (p *Pipe) Watch(epoll int) error {
	p.open.RLock()
	defer p.open.RUnlock()
	if p.w < 0 {
		return nil
	}
	// No event is requested: errors are always reported.
	return unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, p.w, &unix.EpollEvent{Fd: int32(p.w), Pad: int32(p.id.Inode)})
}

// Forget removes the write end from an epoll instance.
func (p *Pipe) Forget(epoll int) {
	p.open.RLock()
	defer p.open.RUnlock()
	if p.w >= 0 {
		_ = unix.EpollCtl(epoll, unix.EPOLL_CTL_DEL, p.w, nil)
	}
}

// Close hangs up and frees what the pipe holds.
func (p *Pipe) Close() {
	p.HangUp()
	if p.path >= 0 {
		_ = unix.Close(p.path)
	}
}
