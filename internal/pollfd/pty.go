package pollfd

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A Terminal is a file that clients poll and whose state this process sets:
// readable or not, writable or not. It tells when the last descriptor is
// closed. Clients have the pts of a pseudoterminal, this process its ptmx.
//
// No other kind of file does this. A pipe is always readable or writable. A
// socket could be made neither, but only by holding the client's end open, and
// then a close by the client goes unnoticed. A regular file is always ready.
//
// The pts is open for neither reading nor writing (access mode 3), so read and
// write fail with EBADF. Two other things would change the state: ioctls of
// terminals, which the server of the clients must refuse, and opening the pts
// by its path, which its lock prevents.
//
// The pts is readable when a byte is queued. As that byte cannot be taken back,
// VMIN of 255 makes the queue count as empty. It is not writable while output
// is stopped, as by Ctrl-S.
//
// Methods must not be called concurrently, except Wait.
type Terminal struct {
	file     *os.File // the ptmx
	ptmx     int      // its descriptor
	pts      int      // keeps the pts open; -1 after Release
	readable bool
	writable bool
	id       ID // of the pts
	termio   unix.Termios
}

// ptsFlags allow a descriptor to be polled and passed on, and nothing else.
const ptsFlags = unix.O_ACCMODE | unix.O_NOCTTY | unix.O_CLOEXEC

// NewTerminal makes a terminal that is held, readable and writable. Errors:
// ENOSPC when no pseudoterminal is left, ENOENT without /dev/ptmx.
func NewTerminal() (*Terminal, error) {
	ptmx, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("opening /dev/ptmx: %w", err)
	}
	t := &Terminal{ptmx: ptmx, pts: -1, writable: true}
	if err := t.setUp(); err != nil {
		if t.pts >= 0 {
			unix.Close(t.pts)
		}
		unix.Close(ptmx)
		return nil, fmt.Errorf("setting up a pseudoterminal: %w", err)
	}
	t.file = os.NewFile(uintptr(ptmx), "/dev/ptmx")
	return t, nil
}

func (t *Terminal) setUp() error {
	if err := t.Hold(); err != nil {
		return err
	}
	// While the pts is unlocked for a moment, only root may open it by path.
	if err := unix.Fchmod(t.pts, 0); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(t.pts, &st); err != nil {
		return err
	}
	t.id = IDOf(&st)
	termio, err := unix.IoctlGetTermios(t.ptmx, unix.TCGETS)
	if err != nil {
		return err
	}
	t.termio = *termio
	t.termio.Iflag, t.termio.Oflag, t.termio.Lflag = 0, 0, 0
	t.termio.Cc[unix.VTIME] = 0
	if err := t.setReadable(true); err != nil {
		return err
	}
	_, err = unix.Write(t.ptmx, []byte{0})
	return err
}

// ID returns the identity of the file that clients have.
func (t *Terminal) ID() ID { return t.id }

// FD returns a descriptor of the pts, for clients. It is valid while the
// terminal is held.
func (t *Terminal) FD() int { return t.pts }

// Hold opens the pts, so that it stays open without clients.
func (t *Terminal) Hold() (err error) {
	t.pts, err = t.open()
	return err
}

// Release closes what Hold opened. The terminal then ends with the last
// descriptor of a client.
func (t *Terminal) Release() {
	unix.Close(t.pts)
	t.pts = -1
}

// open opens the pts. At all other times it is locked, and opening it by its
// path in /dev/pts or /proc fails with EIO.
func (t *Terminal) open() (int, error) {
	if err := t.lock(0); err != nil {
		return -1, err
	}
	defer t.lock(1)
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(t.ptmx), unix.TIOCGPTPEER, ptsFlags)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

func (t *Terminal) lock(locked int) error {
	return unix.IoctlSetPointerInt(t.ptmx, unix.TIOCSPTLCK, locked)
}

// Set sets what poll reports and wakes the clients that sleep in it. No client
// sees a file that is writable but not readable in between. After an error
// (EMFILE) the next call does what was left undone.
func (t *Terminal) Set(readable, writable bool) error {
	if !writable {
		return errors.Join(t.setWritable(false), t.setReadable(readable))
	}
	return errors.Join(t.setReadable(readable), t.setWritable(true))
}

func (t *Terminal) setReadable(readable bool) error {
	if readable == t.readable {
		return nil
	}
	t.termio.Cc[unix.VMIN] = 255
	if readable {
		t.termio.Cc[unix.VMIN] = 1
	}
	err := unix.IoctlSetTermios(t.ptmx, unix.TCSETS, &t.termio) // of the pts
	if err == nil {
		t.readable = readable
	}
	return err
}

func (t *Terminal) setWritable(writable bool) error {
	if writable == t.writable {
		return nil
	}
	fd := t.pts
	if fd < 0 {
		var err error
		if fd, err = t.open(); err != nil {
			return err
		}
		defer unix.Close(fd)
	}
	const stop, start = 0, 1 // TCOOFF and TCOON of tcflow(3)
	action := stop
	if writable {
		action = start
	}
	err := unix.IoctlSetInt(fd, unix.TCXONC, action)
	if err == nil {
		t.writable = writable
	}
	return err
}

// Closed reports whether the pts is open nowhere.
func (t *Terminal) Closed() bool {
	fds := []unix.PollFd{{Fd: int32(t.ptmx)}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&unix.POLLHUP != 0
}

// Wait returns when the pts is open nowhere, perhaps only for a moment.
func (t *Terminal) Wait() {
	var discarded [64]byte
	for {
		// Discard what root wrote after opening the pts by its path while it
		// was unlocked.
		if n, err := t.file.Read(discarded[:]); err != nil || n == 0 {
			return
		}
	}
}

// Close frees the terminal and ends Wait.
func (t *Terminal) Close() { _ = t.file.Close() }
