package vt

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Rows and columns of a terminal.
const (
	rows    = 25
	columns = 80
)

// A terminal is one virtual terminal that a program has opened. Its fields are
// guarded by Terminals.mu.
type terminal struct {
	number  int
	file    *os.File // the ptmx
	inode   id       // of the pts
	rdev    uint64   // of the pts
	reading bool     // a goroutine discards what programs write

	mode     mode
	owner    *owner // the process of VT_PROCESS; nil: none
	graphics bool
	keyboard byte
	meta     byte
	leds     byte
}

// An id is the device and inode of a file.
type id struct{ dev, inode uint64 }

// A mode is struct vt_mode.
type mode struct {
	mode, waits       byte
	release, acquired int16
}

// reset makes the terminal one in text mode, which the kernel switches.
func (t *terminal) reset() {
	t.mode, t.owner = mode{}, nil
	t.graphics, t.keyboard, t.meta, t.leds = false, kbUnicode, metaPrefix, 0
}

// newTerminal makes a terminal with one open file fd, which the caller closes.
func newTerminal(number, flags int) (t *terminal, fd int, err error) {
	ptmx, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, -1, fmt.Errorf("vt: opening /dev/ptmx: %w", err)
	}
	t = &terminal{number: number, file: os.NewFile(uintptr(ptmx), "/dev/ptmx")}
	t.reset()
	fd, err = t.open(flags)
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(fd, &st)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	}
	if err != nil {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
		return nil, -1, errors.Join(fmt.Errorf("vt: setting up a pseudoterminal: %w", err), t.file.Close())
	}
	t.inode, t.rdev = id{st.Dev, st.Ino}, st.Rdev
	return t, fd, nil
}

// open opens the pts with flags of open(2). At all other times it is locked, so
// that it cannot be opened by its name in /dev/pts.
func (t *terminal) open(flags int) (fd int, err error) {
	flags = flags&(unix.O_ACCMODE|unix.O_NONBLOCK) | unix.O_NOCTTY | unix.O_CLOEXEC
	err = t.control(func(ptmx int) error {
		if err := unix.IoctlSetPointerInt(ptmx, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		peer, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(ptmx), unix.TIOCGPTPEER, uintptr(flags))
		if errno != 0 {
			return errno
		}
		fd = int(peer)
		return unix.IoctlSetPointerInt(ptmx, unix.TIOCSPTLCK, 1)
	})
	if err != nil {
		return -1, fmt.Errorf("vt: opening terminal %d: %w", t.number, err)
	}
	return fd, nil
}

// control calls do with the ptmx.
func (t *terminal) control(do func(ptmx int) error) error {
	raw, err := t.file.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = raw.Control(func(fd uintptr) { result = do(int(fd)) })
	return errors.Join(err, result)
}

// inUse reports whether a program has the terminal open.
func (t *terminal) inUse() bool {
	used := false
	_ = t.control(func(ptmx int) error {
		fds := []unix.PollFd{{Fd: int32(ptmx)}}
		_, err := unix.Poll(fds, 0)
		used = err == nil && fds[0].Revents&unix.POLLHUP == 0
		return nil
	})
	return used
}
