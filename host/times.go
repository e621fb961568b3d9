package host

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// newTimes are the times that a program gives to a file; nil keeps a time.
type newTimes struct {
	atime, mtime *unix.StatxTimestamp
	now          bool // both are the present time
}

// utimensat reads two struct timespec.
func (c *call) utimensat() {
	times, err := c.readTimes(c.arg(2), 1)
	if err != nil {
		c.fail(err)
		return
	}
	dirfd, addr, flags := c.fd(0), c.arg(1), int(c.arg(3))
	if flags&^(unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH) != 0 {
		c.proceed() // EINVAL
		return
	}
	if addr == 0 && c.host.mounts == nil && c.opened(dirfd).path != "" && c.pathOnly(dirfd) {
		c.fail(unix.EBADF)
		return
	}
	if addr == 0 || flags&unix.AT_EMPTY_PATH != 0 && dirfd != unix.AT_FDCWD && c.emptyPath(addr) {
		c.atFD(dirfd, func(o opened) { c.setTimesOpened(o, times) })
		return
	}
	c.setTimes(dirfd, addr, flags, times)
}

// utimes and futimesat read two struct timeval.
func (c *call) utimes() { c.oldTimes(unix.AT_FDCWD, 0) }

func (c *call) futimesat() { c.oldTimes(c.fd(0), 1) }

func (c *call) oldTimes(dirfd int32, i int) {
	if c.arg(i) == 0 {
		c.proceed() // futimesat of a descriptor
		return
	}
	times, err := c.readTimes(c.arg(i+1), 1000)
	if err != nil {
		c.fail(err)
		return
	}
	c.setTimes(dirfd, c.arg(i), 0, times)
}

// utime reads a struct utimbuf: two numbers of seconds.
func (c *call) utime() {
	times := newTimes{now: true}
	if c.arg(1) != 0 {
		var b [16]byte
		if err := c.readLongs(b[:], c.arg(1)); err != nil {
			c.fail(unix.EFAULT)
			return
		}
		times = newTimes{
			atime: &unix.StatxTimestamp{Sec: int64(binary.NativeEndian.Uint64(b[0:]))},
			mtime: &unix.StatxTimestamp{Sec: int64(binary.NativeEndian.Uint64(b[8:]))},
		}
	}
	c.setTimes(unix.AT_FDCWD, c.arg(0), 0, times)
}

// readTimes reads two times, each of seconds and of fractions of unit
// nanoseconds. Address 0 means now.
func (c *call) readTimes(addr uint64, unit int64) (newTimes, error) {
	if addr == 0 {
		return newTimes{now: true}, nil
	}
	var b [32]byte
	if err := c.readLongs(b[:], addr); err != nil {
		return newTimes{}, unix.EFAULT
	}
	var read [2]*unix.StatxTimestamp
	now := 0
	for i := range read {
		sec, fraction := int64(binary.NativeEndian.Uint64(b[16*i:])), int64(binary.NativeEndian.Uint64(b[16*i+8:]))
		switch {
		case unit == 1 && fraction == unix.UTIME_OMIT:
			continue
		case unit == 1 && fraction == unix.UTIME_NOW:
			now++
			read[i] = present()
			continue
		case fraction < 0 || fraction >= int64(time.Second)/unit:
			return newTimes{}, unix.EINVAL
		}
		read[i] = &unix.StatxTimestamp{Sec: sec, Nsec: uint32(fraction * unit)}
	}
	return newTimes{read[0], read[1], now == 2}, nil
}

func present() *unix.StatxTimestamp {
	now := time.Now()
	return &unix.StatxTimestamp{Sec: now.Unix(), Nsec: uint32(now.Nanosecond())}
}

func (c *call) setTimes(dirfd int32, addr uint64, flags int, times newTimes) {
	c.atPath(dirfd, addr, flags&unix.AT_SYMLINK_NOFOLLOW == 0,
		func(o opened) { c.setTimesOpened(o, times) },
		func(p place) { c.finish(c.changeTimes(p.Path, p.Node, times)) },
		func(path string) { c.setRealTimes(path, flags, times) })
}

// setRealTimes has the program's own thread set the times of a real file.
func (c *call) setRealTimes(path string, flags int, times newTimes) {
	var b []byte
	if !times.now {
		for _, t := range []*unix.StatxTimestamp{times.atime, times.mtime} {
			if t == nil {
				t = &unix.StatxTimestamp{Nsec: unix.UTIME_OMIT}
			}
			b = binary.NativeEndian.AppendUint64(b, uint64(t.Sec))
			b = binary.NativeEndian.AppendUint64(b, uint64(t.Nsec))
		}
	}
	c.withPath(string(b)+path, func(x *thread.Tracee, addr uint64) (int64, error) {
		args := [6]uint64{cookieCWD, addr + uint64(len(b)), 0, uint64(flags)}
		if !times.now {
			args[2] = addr
		}
		return x.Syscall(unix.SYS_UTIMENSAT, args)
	})
}

func (c *call) setTimesOpened(o opened, times newTimes) {
	path := o.path
	if o.file != nil {
		path = c.host.shownPath(o)
	}
	n, _ := c.host.tree.Load().Lookup(path)
	if n == nil || o.dmaBuf != nil {
		c.ret(0) // no path leads to it
		return
	}
	c.finish(c.changeTimes(path, n, times))
}

// changeTimes changes the times that stat reports. Only the owner may set a time
// of choice; all who may write to the file may set the present time.
func (c *call) changeTimes(path string, n *vfs.Node, times newTimes) error {
	if c.isReadOnly(path) && (times.now || times.atime != nil || times.mtime != nil) {
		return unix.EROFS
	}
	return c.host.changeTimes(c.tid(), path, n, times)
}

func (h *Host) changeTimes(tid thread.ID, path string, n *vfs.Node, times newTimes) error {
	if times.now {
		times.atime = present()
		times.mtime = times.atime
	} else if times.atime == nil && times.mtime == nil {
		return nil
	}
	return h.change(tid, path, n, func(p *perm, program *thread.Credentials) error {
		if !p.owns(program) {
			if !times.now {
				return unix.EPERM
			}
			if st := h.statOf(path, n); !mayAccess(program, &st, unix.W_OK) {
				return unix.EACCES
			}
		}
		if times.atime != nil {
			p.atime = *times.atime
		}
		if times.mtime != nil {
			p.mtime = *times.mtime
		}
		return nil
	})
}
