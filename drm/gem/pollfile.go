package gem

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A pollFile is a file that programs have descriptors of, of which we say when
// it is readable and when writable, and learn when the last descriptor is
// closed. It is the far end of a pseudoterminal, the one kind of file that can
// be in all the states that a dma-buf can: a pipe cannot be neither readable
// nor writable, a socket could only be made so by who holds it open, and would
// then not tell when the others have closed it, a regular file knows no states.
//
// It is opened for neither reading nor writing (access mode 3): both calls fail
// with EBADF. What else would change the state are ioctls of terminals, which who
// serves clients keeps away, and opening it by its path, which a lock does.
//
// Readable is a byte in the queue, or, as it cannot be taken back, a queue that
// takes 255 bytes to be worth reading; not writable is output that was stopped as
// by Ctrl-S.
//
// Methods are not to be called concurrently, but [pollFile.wait].
type pollFile struct {
	file   *os.File // the near end
	near   int      // its descriptor
	end    int      // a descriptor of the far end that keeps it open; -1: none
	in     bool     // what the file says to poll
	out    bool
	inode  fileID
	termio unix.Termios
}

// A fileID is what no two files have in common.
type fileID struct{ dev, ino uint64 }

func idOf(st *unix.Stat_t) fileID { return fileID{st.Dev, st.Ino} }

// openFlags let a descriptor be polled and handed around, and nothing else.
const openFlags = unix.O_ACCMODE | unix.O_NOCTTY | unix.O_CLOEXEC

// newPollFile makes a file that is readable and writable, and that is kept
// open. ENFILE and the like when there can be none, or no /dev/ptmx.
func newPollFile() (*pollFile, error) {
	near, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("opening /dev/ptmx: %w", err)
	}
	p := &pollFile{near: near, end: -1, out: true}
	if err := p.setUp(); err != nil {
		if p.end >= 0 {
			unix.Close(p.end)
		}
		unix.Close(near)
		return nil, fmt.Errorf("setting up a pseudoterminal: %w", err)
	}
	p.file = os.NewFile(uintptr(near), "/dev/ptmx")
	return p, nil
}

func (p *pollFile) setUp() error {
	if err := p.keep(); err != nil {
		return err
	}
	// Nobody but root may open it by its path, also while it is not locked.
	if err := unix.Fchmod(p.end, 0); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(p.end, &st); err != nil {
		return err
	}
	p.inode = idOf(&st)
	termio, err := unix.IoctlGetTermios(p.near, unix.TCGETS)
	if err != nil {
		return err
	}
	p.termio = *termio
	p.termio.Iflag, p.termio.Oflag, p.termio.Lflag = 0, 0, 0
	p.termio.Cc[unix.VTIME] = 0
	if err := p.setReadable(true); err != nil {
		return err
	}
	_, err = unix.Write(p.near, []byte{0})
	return err
}

// keep opens the far end, so that it stays open.
func (p *pollFile) keep() (err error) {
	p.end, err = p.open()
	return err
}

// leave closes the far end, which lets it end with the last descriptor of a
// program.
func (p *pollFile) leave() {
	unix.Close(p.end)
	p.end = -1
}

// open opens the far end. It is locked at all other times, so that its path, in
// /dev/pts or /proc, is of no use: there, opening fails with EIO.
func (p *pollFile) open() (int, error) {
	if err := p.lock(0); err != nil {
		return -1, err
	}
	defer p.lock(1)
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(p.near), unix.TIOCGPTPEER, openFlags)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

func (p *pollFile) lock(locked int) error {
	return unix.IoctlSetPointerInt(p.near, unix.TIOCSPTLCK, locked)
}

// set says what poll is told from now on. Who waits is woken. Nobody sees a file
// that is writable and not readable in between. What could not be done, for want
// of a descriptor, is left to the next call.
func (p *pollFile) set(in, out bool) error {
	if !out {
		return errors.Join(p.setWritable(false), p.setReadable(in))
	}
	return errors.Join(p.setReadable(in), p.setWritable(true))
}

func (p *pollFile) setReadable(in bool) error {
	if in == p.in {
		return nil
	}
	p.termio.Cc[unix.VMIN] = 255
	if in {
		p.termio.Cc[unix.VMIN] = 1
	}
	err := unix.IoctlSetTermios(p.near, unix.TCSETS, &p.termio) // of the far end
	if err == nil {
		p.in = in
	}
	return err
}

func (p *pollFile) setWritable(out bool) error {
	if out == p.out {
		return nil
	}
	fd := p.end
	if fd < 0 {
		var err error
		if fd, err = p.open(); err != nil {
			return err
		}
		defer unix.Close(fd)
	}
	const stop, start = 0, 1 // TCOOFF and TCOON of tcflow(3)
	action := stop
	if out {
		action = start
	}
	err := unix.IoctlSetInt(fd, unix.TCXONC, action)
	if err == nil {
		p.out = out
	}
	return err
}

// closed reports whether nobody has the far end open.
func (p *pollFile) closed() bool {
	fds := []unix.PollFd{{Fd: int32(p.near)}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&unix.POLLHUP != 0
}

// wait returns when nobody has the far end open: perhaps only for a moment.
func (p *pollFile) wait() {
	var discarded [64]byte
	for {
		// Written to by a program that opened it in the moment of our open.
		if n, err := p.file.Read(discarded[:]); err != nil || n == 0 {
			return
		}
	}
}

func (p *pollFile) close() { _ = p.file.Close() }
