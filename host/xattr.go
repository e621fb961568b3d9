package host

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// The calls on extended attributes of virtual files answer as the file system that
// a file seems to lie in: devtmpfs, sysfs or debugfs. xattrs keeps what programs set
// (xattrs.go). The arguments of the calls are those of getxattr(2); the …at calls
// exist since Linux 6.13.

const (
	maxXattrName = 255      // XATTR_NAME_MAX of linux/limits.h
	maxXattrSize = 64 << 10 // XATTR_SIZE_MAX
)

func (c *call) getxattr() { c.xattrPath(0, c.xattrGet(1, c.arg(2), c.arg(3)), 4) }

func (c *call) lgetxattr() {
	c.xattrPath(unix.AT_SYMLINK_NOFOLLOW, c.xattrGet(1, c.arg(2), c.arg(3)), 4)
}

func (c *call) listxattr() { c.xattrPath(0, c.xattrList(1), 3) }

func (c *call) llistxattr() { c.xattrPath(unix.AT_SYMLINK_NOFOLLOW, c.xattrList(1), 3) }

func (c *call) setxattr() {
	c.xattrPath(0, c.xattrSet(1, c.arg(2), c.arg(3), uint32(c.arg(4))), 5)
}

func (c *call) lsetxattr() {
	c.xattrPath(unix.AT_SYMLINK_NOFOLLOW, c.xattrSet(1, c.arg(2), c.arg(3), uint32(c.arg(4))), 5)
}

func (c *call) removexattr() { c.xattrPath(0, c.xattrRemove(1), 2) }

func (c *call) lremovexattr() {
	c.xattrPath(unix.AT_SYMLINK_NOFOLLOW, c.xattrRemove(1), 2)
}

func (c *call) listxattrat() { c.xattrBy(c.xattrList(3)) }

func (c *call) removexattrat() { c.xattrBy(c.xattrRemove(3)) }

func (c *call) getxattrat() {
	if value, size, flags, ok := c.xattrArgs(); ok {
		if flags != 0 {
			c.fail(unix.EINVAL)
			return
		}
		c.xattrBy(c.xattrGet(3, value, uint64(size)))
	}
}

func (c *call) setxattrat() {
	if value, size, flags, ok := c.xattrArgs(); ok {
		c.xattrBy(c.xattrSet(3, value, uint64(size), flags))
	}
}

// xattrArgs reads a struct xattr_args: value u64, size u32, flags u32. It answers the
// call if it cannot.
func (c *call) xattrArgs() (value uint64, size, flags uint32, ok bool) {
	var args [16]byte
	switch {
	case c.arg(5) < uint64(len(args)):
		c.fail(unix.EINVAL)
	case c.readMemory(args[:], c.arg(4)) != nil:
		c.fail(unix.EFAULT)
	default:
		return binary.NativeEndian.Uint64(args[0:]), binary.NativeEndian.Uint32(args[8:]), binary.NativeEndian.Uint32(args[12:]), true
	}
	return 0, 0, 0, false
}

// xattrBy serves a call with a directory, a path and flags.
func (c *call) xattrBy(answer xattrAnswer) {
	dirfd, flags := c.fd(0), int(c.arg(2))
	switch {
	case flags&^(unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH) != 0:
		c.fail(unix.EINVAL)
	case flags&unix.AT_EMPTY_PATH != 0 && c.emptyPath(c.arg(1)):
		c.atFD(dirfd, func(o opened) { c.xattrOpened(o, answer) })
	default:
		c.xattrOn(dirfd, c.arg(1), flags, answer, func(path string) {
			c.onReal(path, int(c.n.Data.NR), c.n.Data.Args[2:]...)
		})
	}
}

// An xattrAnswer makes the result of a call for a virtual file. For a real one, needs
// gives the handler up unless the memory that the call uses comes at once.
type xattrAnswer struct {
	of    func(path string, n *vfs.Node) (result int, err error)
	needs func()
}

// xattrPath serves a call that begins with a path and has count arguments.
// If the path leads to a real file, the program's own thread makes the call.
func (c *call) xattrPath(flags int, answer xattrAnswer, count int) {
	c.xattrOn(unix.AT_FDCWD, c.arg(0), flags, answer, func(path string) {
		c.withPath(path, func(x *thread.Tracee, addr uint64) (int64, error) {
			var args [6]uint64
			copy(args[:], c.n.Data.Args[:count])
			args[0], args[5] = addr, pathCookie<<32
			return x.Syscall(int(c.n.Data.NR), args)
		})
	})
}

func (c *call) xattrOn(dirfd int32, addr uint64, flags int, answer xattrAnswer, onReal func(path string)) {
	c.atPath(dirfd, addr, flags&unix.AT_SYMLINK_NOFOLLOW == 0,
		func(o opened) { c.xattrOpened(o, answer) },
		func(p place) { c.xattrFinish(answer.of(p.Path, p.Node)) },
		func(path string) {
			answer.needs()
			onReal(path)
		})
}

func (c *call) xattrOpened(o opened, answer xattrAnswer) {
	path := o.path
	if o.file != nil {
		path = c.host.shownPath(o)
	}
	n, _ := c.host.tree.Load().Lookup(path)
	if n == nil { // a dma-buf, or a removed file
		path, n = "", &vfs.Node{Kind: vfs.Char}
	}
	c.xattrFinish(answer.of(path, n))
}

func (c *call) xattrFinish(result int, err error) {
	if err != nil {
		c.fail(err)
		return
	}
	c.ret(int64(result))
}

// xattrList lists the names, each with a zero byte at its end. Argument i is where.
func (c *call) xattrList(i int) xattrAnswer {
	return xattrAnswer{func(path string, n *vfs.Node) (int, error) {
		return c.writeXattr(c.host.xattrs.list(c.tid(), path), c.arg(i), c.arg(i+1))
	}, func() { c.needs(c.arg(i), min(c.arg(i+1), maxXattrSize), true) }}
}

// writeXattr writes what is asked for. A size of 0 asks for the length.
func (c *call) writeXattr(text string, addr, size uint64) (int, error) {
	switch {
	case size == 0:
		return len(text), nil
	case uint64(len(text)) > size:
		return 0, unix.ERANGE
	}
	return len(text), c.write(addr, []byte(text))
}

// xattrName reads the name of an attribute.
func (c *call) xattrName(i int) (string, error) {
	name, err := c.readString(c.arg(i))
	switch {
	case err != nil:
		return "", unix.EFAULT
	case len(name) == 0 || len(name) > maxXattrName:
		return "", unix.ERANGE
	}
	return string(name), nil
}

func (c *call) xattrGet(name int, addr, size uint64) xattrAnswer {
	return xattrAnswer{func(path string, n *vfs.Node) (int, error) {
		name, err := c.xattrName(name)
		if err != nil {
			return 0, err
		}
		if err := c.host.permitXattr(c.tid(), path, n, name, false); err != nil {
			return 0, err
		}
		value, err := c.host.getXattr(path, name)
		if err != nil {
			return 0, err
		}
		return c.writeXattr(value, addr, size)
	}, func() {
		_, _ = c.xattrName(name)
		c.needs(addr, min(size, maxXattrSize), true)
	}}
}

func (c *call) xattrSet(name int, addr, size uint64, flags uint32) xattrAnswer {
	return xattrAnswer{func(path string, n *vfs.Node) (int, error) {
		if flags&^(unix.XATTR_CREATE|unix.XATTR_REPLACE) != 0 {
			return 0, unix.EINVAL
		}
		name, err := c.xattrName(name)
		switch {
		case err != nil:
			return 0, err
		case size > maxXattrSize:
			return 0, unix.E2BIG
		}
		value := make([]byte, size)
		if c.readMemory(value, addr) != nil {
			return 0, unix.EFAULT
		}
		if c.isReadOnly(path) {
			return 0, unix.EROFS
		}
		if err := c.host.permitXattr(c.tid(), path, n, name, true); err != nil {
			return 0, err
		}
		return 0, c.host.setXattr(c.account, path, name, string(value), flags)
	}, func() {
		_, _ = c.xattrName(name)
		c.needs(addr, min(size, maxXattrSize), false)
	}}
}

func (c *call) xattrRemove(name int) xattrAnswer {
	return xattrAnswer{func(path string, n *vfs.Node) (int, error) {
		name, err := c.xattrName(name)
		if err != nil {
			return 0, err
		}
		if c.isReadOnly(path) {
			return 0, unix.EROFS
		}
		if err := c.host.permitXattr(c.tid(), path, n, name, true); err != nil {
			return 0, err
		}
		if slices.Contains(accessLists, name) && hasAccessLists(path) && !c.owns(path, n) {
			return 0, unix.EPERM
		}
		return 0, c.host.removeXattr(path, name)
	}, func() { _, _ = c.xattrName(name) }}
}
