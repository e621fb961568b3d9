package host

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/files"
	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// mmap maps a buffer, of a node or a dma-buf. Neither can be mapped as what it
// is in the program, and an answer cannot change the arguments of a call: the
// thread is made to call mmap again, with a descriptor of the buffer that it is
// given for that moment.
func (c *call) mmap() {
	c.host.attributes.Drain(c) // what was written before is done before
	length, offset := c.arg(1), c.arg(5)
	var m drm.Mapping
	var openFlags int
	var err error
	if d := c.dmaBuf(c.fd(4)); d != nil {
		openFlags = d.Flags()
		if err = c.permitMapping(openFlags); err == nil {
			m, err = d.Mmap(offset, length)
		}
	} else {
		f := c.file(c.fd(4))
		if f == nil {
			c.chardevMmap()
			return
		}
		if f.Node() == nil {
			f.Put()
			c.proceed() // there is nothing to map: ENODEV
			return
		}
		openFlags = f.Flags()
		if err = c.permitMapping(openFlags); err == nil {
			m, err = f.Node().Mmap(offset, length)
		}
		f.Put() // before the answer, as in ioctl
	}
	if err != nil {
		c.fail(err)
		return
	}
	release := sync.OnceFunc(m.Release)
	defer release()
	fd := m.FD
	if openFlags&unix.O_ACCMODE == unix.O_RDONLY {
		// So that no mprotect makes the mapping writable. A program can have a
		// lease of the memfd (fcntl(2)), which the open must not wait for.
		if fd, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", m.FD), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err != nil {
			c.fail(err)
			return
		}
		defer unix.Close(fd)
	}
	c.inject(fd, func(x *thread.Tracee, fd int) (int64, error) {
		defer release() // once the thread goes on, we are no user any more
		args := c.n.Data.Args
		args[4], args[5] = uint64(fd)|mmapCookie<<32, uint64(m.Offset)
		return x.Syscall(unix.SYS_MMAP, args)
	})
}

// permitMapping is whether a file that was opened with flags may be mapped as
// the program asks: EACCES when not.
func (c *call) permitMapping(openFlags int) error {
	prot, flags, mode := int(c.arg(2)), int(c.arg(3)), openFlags&unix.O_ACCMODE
	shared := flags&unix.MAP_TYPE == unix.MAP_SHARED || flags&unix.MAP_TYPE == unix.MAP_SHARED_VALIDATE
	if mode == unix.O_WRONLY || mode == unix.O_RDONLY && shared && prot&unix.PROT_WRITE != 0 {
		return unix.EACCES
	}
	return nil
}

// chdir changes to a virtual directory, or to a real one by a path that leads
// through virtual ones.
func (c *call) chdir() {
	p, err := c.place(unix.AT_FDCWD, c.arg(0), true)
	var fd int
	switch {
	case err == errNative, err == nil && p.native:
		c.proceed()
		return
	case err != nil:
	case p.Magic, p.Node != nil && p.Node.Kind != vfs.Dir:
		err = unix.ENOTDIR
	case p.Node == nil:
		c.withPath(p.Path, func(x *thread.Tracee, path uint64) (int64, error) {
			fd, err := x.Syscall(unix.SYS_OPENAT, [6]uint64{cookieCWD, path, unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC})
			if err != nil || fd < 0 {
				return fd, err
			}
			x.Give(int(fd))
			return x.Syscall(unix.SYS_FCHDIR, [6]uint64{uint64(fd)})
		})
		return
	default:
		fd, err = c.copyOf(p.Path, p.Node.Entries(), unix.O_DIRECTORY)
	}
	if err != nil {
		c.fail(err)
		return
	}
	defer unix.Close(fd)
	c.inject(fd, func(x *thread.Tracee, fd int) (int64, error) {
		return x.Syscall(unix.SYS_FCHDIR, [6]uint64{uint64(fd)})
	})
}

// inject gives the thread a descriptor of the file behind fd for as long as
// run, which has the thread make system calls; the result of run becomes that
// of the call that the thread waits in. It answers the call.
//
// A fork by another thread of the program can inherit the descriptor, which
// is closed by its next exec.
func (c *call) inject(fd int, run func(x *thread.Tracee, fd int) (int64, error)) {
	x := c.trace()
	if x == nil {
		return
	}
	given, err := c.give(x, fd)
	if err != nil {
		c.injected(x.Refuse(c.madeNR(), c.n.Data.IP, errnoOf(err), c.release))
		return
	}
	if err := x.Stop(c.madeNR(), c.n.Data.IP, c.release); err != nil {
		c.injected(err)
		return
	}
	result, err := run(x, given)
	if err == nil {
		err = x.Return(result)
	}
	c.injected(err)
}

// give gives the thread a descriptor of the file behind fd until it is released.
func (c *call) give(x *thread.Tracee, fd int) (given int, err error) {
	given, err = c.listener.AddFD(c.n.ID, fd, true)
	if err == nil {
		x.Give(given)
	}
	return given, err
}

// trace begins to trace the thread, which answers the call itself from then on.
// If it cannot, it answers the call with the error and returns nil.
func (c *call) trace() *thread.Tracee {
	c.worker.mayWait()
	if !c.waits() { // its id may be that of another thread
		c.fail(unix.EINTR)
		return nil
	}
	x, err := c.tid().Trace()
	if errors.Is(err, unix.EPERM) {
		x, err = c.tid().TraceRelayed()
	}
	if err != nil && c.listener.Valid(c.n.ID) { // otherwise the thread is about to end
		c.host.deny(DenialTrace, c.n.PID, err)
	}
	if err != nil {
		c.fail(err)
		return nil
	}
	c.answered = true
	c.makesCompatCalls(x)
	return x
}

// cookieCWD is AT_FDCWD for the …at calls that this process makes a thread run:
// it has pathCookie in the upper half, which the kernel ignores.
const cookieCWD = pathCookie<<32 | uint64(uint32(unix.AT_FDCWD&0xffffffff))

// onReal makes the program's own thread run an …at call on the real file at
// path, which has no links on the way. So the program gets what its own root,
// credentials, Landlock rules and filters allow, also if it exchanges a
// directory meanwhile. rest are the arguments after the path.
func (c *call) onReal(path string, nr int, rest ...uint64) {
	c.withPath(path, func(x *thread.Tracee, addr uint64) (int64, error) {
		args := [6]uint64{cookieCWD, addr}
		copy(args[2:], rest)
		return x.Syscall(nr, args)
	})
}

// callAgain as a result makes the thread make its call again.
const callAgain = math.MinInt64

// withPath makes the thread run system calls while path stands in its memory,
// in pages mapped for that. Other threads of the program can change it. The
// result of run becomes that of the call that the thread waits in. It answers
// the call.
func (c *call) withPath(path string, run func(x *thread.Tracee, path uint64) (int64, error)) {
	const size = 2 * unix.PathMax
	if len(path) >= size {
		c.fail(unix.ENAMETOOLONG)
		return
	}
	x := c.trace()
	if x == nil {
		return
	}
	if err := x.Stop(c.madeNR(), c.n.Data.IP, c.release); err != nil {
		c.injected(err)
		return
	}
	c.injected(c.runWithText(x, append([]byte(path), 0), func(path uint64) (int64, error) { return run(x, path) }))
}

// runWithText runs run while text stands in the memory of a stopped thread, and
// releases the thread with the result.
func (c *call) runWithText(x *thread.Tracee, text []byte, run func(text uint64) (int64, error)) error {
	size := uint64(len(text)+os.Getpagesize()-1) &^ uint64(os.Getpagesize()-1)
	addr, err := x.Syscall(unix.SYS_MMAP, [6]uint64{0, size,
		unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS, ^uint64(0), 0})
	if err != nil {
		return err
	}
	result := addr // if it is an error
	if addr >= 0 {
		if c.tid().Write(uint64(addr), text) != nil {
			result = -int64(unix.EFAULT) // another thread has unmapped it
		} else {
			result, err = run(uint64(addr))
		}
		if err == nil {
			_, err = x.Syscall(unix.SYS_MUNMAP, [6]uint64{uint64(addr), size})
		}
		if err != nil {
			return err
		}
	}
	return c.resume(x, result)
}

// resume releases a stopped thread with the result of its call.
func (c *call) resume(x *thread.Tracee, result int64) error {
	if result == callAgain {
		return x.Restart(c.madeNR())
	}
	return x.Return(result)
}

func (c *call) release(errno unix.Errno) error { return c.listener.Fail(c.n.ID, errno) }

func (c *call) injected(err error) {
	if err != nil {
		_ = c.release(unix.EINTR) // if it was not released: its debugger could not be used
	}
	switch {
	case err == nil, errors.Is(err, unix.ESRCH): // it was killed
	case errors.Is(err, thread.ErrNotRun): // a program can stop its own threads
		c.host.log.Info("host: a thread did not run a system call in time", "call", c.name, "tid", c.n.PID, "err", err)
	default:
		c.host.log.Error("host: a thread could not be made to run a system call", "call", c.name, "tid", c.n.PID, "err", err)
	}
}

func (c *call) fcntl() {
	if c.arg(1) == unix.F_SETFL {
		c.setfl()
	} else {
		c.getfl()
	}
}

// setfl keeps O_NONBLOCK from the files whose writes are answered: in sysfs it
// has no effect on them. Go's os.OpenFile sets it.
func (c *call) setfl() {
	if o := c.opened(c.fd(0)); o.path != "" && o.stream == nil && c.pathOnly(c.fd(0)) {
		c.fail(unix.EBADF)
		return
	}
	link, err := c.tid().FD(int(c.fd(0)), c.linkBuf[:])
	inode := cmp.Or(files.PipeInode(link), files.SocketInode(link))
	if err == nil && inode != 0 && c.host.attributes.Path(inode) != "" {
		c.ret(0)
		return
	}
	c.proceed()
}

// getfl says how a node or a stream was opened, or a dma-buf exported, not how what
// stands for it was.
func (c *call) getfl() {
	o := c.opened(c.fd(0))
	if o.path != "" && o.stream == nil && c.pathOnly(c.fd(0)) {
		flags, err := c.tid().FDFlags(int(c.fd(0)))
		if err != nil {
			c.fail(err)
			return
		}
		c.ret(int64(unix.O_PATH | flags&(unix.O_DIRECTORY|unix.O_NOFOLLOW)))
		return
	}
	if o.file == nil && o.dmaBuf == nil && o.stream == nil {
		c.proceed()
		return
	}
	flags, err := c.tid().FDFlags(int(c.fd(0)))
	if err != nil {
		c.fail(err)
		return
	}
	c.ret(int64(o.flags(flags &^ unix.O_CLOEXEC)))
}

// flags returns the flags of a node, a stream or a dma-buf, from those of the file
// that stands for it.
func (o opened) flags(substitute int) int {
	const kept = unix.O_APPEND | unix.O_NONBLOCK | unix.O_ASYNC | unix.O_DIRECT | unix.O_NOATIME | unix.O_CLOEXEC // what changes later
	if o.dmaBuf != nil {
		return substitute&kept | o.dmaBuf.Flags()
	}
	const (
		largeFile = 0o100000 // O_LARGEFILE, which every open of a 64-bit program sets
		stays     = unix.O_ACCMODE | unix.O_NOFOLLOW | unix.O_SYNC
	)
	return substitute&kept | cmp.Or(o.file, o.stream).Flags()&stays | largeFile
}
