package host

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// Virtual files have no extended attributes. The calls on them fail as on the
// file system that a file seems to lie in: devtmpfs, sysfs or debugfs. Their
// arguments are those of getxattr(2); the …at calls exist since Linux 6.13.

const (
	maxXattrName = 255      // XATTR_NAME_MAX of linux/limits.h
	maxXattrSize = 64 << 10 // XATTR_SIZE_MAX
)

func (c *call) getxattr() { c.xattrPath(0, c.xattrGet(1), 4) }

func (c *call) lgetxattr() {
	c.xattrPath(unix.AT_SYMLINK_NOFOLLOW, c.xattrGet(1), 4)
}

func (c *call) listxattr() { c.xattrPath(0, xattrList, 3) }

func (c *call) llistxattr() { c.xattrPath(unix.AT_SYMLINK_NOFOLLOW, xattrList, 3) }

func (c *call) setxattr() {
	c.xattrPath(0, c.xattrSet(1, c.arg(3), uint32(c.arg(4))), 5)
}

func (c *call) lsetxattr() {
	c.xattrPath(unix.AT_SYMLINK_NOFOLLOW, c.xattrSet(1, c.arg(3), uint32(c.arg(4))), 5)
}

func (c *call) removexattr() { c.xattrPath(0, c.xattrRemove(1), 2) }

func (c *call) lremovexattr() {
	c.xattrPath(unix.AT_SYMLINK_NOFOLLOW, c.xattrRemove(1), 2)
}

func (c *call) getxattrat() { c.xattrBy(c.xattrGet(3)) }

func (c *call) listxattrat() { c.xattrBy(xattrList) }

func (c *call) removexattrat() { c.xattrBy(c.xattrRemove(3)) }

// setxattrat reads a struct xattr_args: value u64, size u32, flags u32.
func (c *call) setxattrat() {
	var args [16]byte
	if c.arg(5) < uint64(len(args)) {
		c.fail(unix.EINVAL)
		return
	}
	if c.readMemory(args[:], c.arg(4)) != nil {
		c.fail(unix.EFAULT)
		return
	}
	size, flags := binary.NativeEndian.Uint32(args[8:]), binary.NativeEndian.Uint32(args[12:])
	c.xattrBy(c.xattrSet(3, uint64(size), flags))
}

// xattrBy serves a call with a directory, a path and flags.
func (c *call) xattrBy(answer xattrAnswer) {
	dirfd, flags := c.fd(0), int(c.arg(2))
	switch {
	case flags&^(unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH) != 0:
		c.fail(unix.EINVAL)
	case flags&unix.AT_EMPTY_PATH != 0 && c.emptyPath(c.arg(1)):
		c.atFD(dirfd, func(o opened) { c.finish(c.xattrOpened(o, answer)) })
	default:
		c.xattrOn(dirfd, c.arg(1), flags, answer, func(path string) {
			c.onReal(path, int(c.n.Data.NR), c.n.Data.Args[2:]...)
		})
	}
}

// An xattrAnswer is the result of a call for a virtual file.
type xattrAnswer func(path string, n *vfs.Node) error

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
		func(o opened) { c.finish(c.xattrOpened(o, answer)) },
		func(p place) { c.finish(answer(p.Path, p.Node)) },
		onReal)
}

func (c *call) xattrOpened(o opened, answer xattrAnswer) error {
	path := o.path
	if o.file != nil {
		path = c.host.shownPath(o)
	}
	if n, _ := c.host.tree.Load().Lookup(path); n != nil {
		return answer(path, n)
	}
	return answer("/dev", &vfs.Node{Kind: vfs.Char}) // a dma-buf, or a removed file
}

func xattrList(string, *vfs.Node) error { return nil }

// xattrName reads the name of an attribute and returns its namespace.
func (c *call) xattrName(i int) (namespace string, err error) {
	name, err := c.readString(c.arg(i))
	switch {
	case err != nil:
		return "", unix.EFAULT
	case len(name) == 0 || len(name) > maxXattrName:
		return "", unix.ERANGE
	}
	namespace, rest, _ := strings.Cut(string(name), ".")
	switch namespace {
	case "user", "trusted", "security", "system":
		if rest != "" {
			return namespace, nil
		}
	}
	return "", unix.EOPNOTSUPP
}

func (c *call) xattrGet(name int) xattrAnswer {
	return func(path string, n *vfs.Node) error {
		namespace, err := c.xattrName(name)
		switch {
		case err != nil:
			return err
		case namespace == "system", inDebugfs(path):
			return unix.EOPNOTSUPP
		}
		return unix.ENODATA
	}
}

func (c *call) xattrSet(name int, size uint64, flags uint32) xattrAnswer {
	return func(path string, n *vfs.Node) error {
		if flags&^(unix.XATTR_CREATE|unix.XATTR_REPLACE) != 0 {
			return unix.EINVAL
		}
		namespace, err := c.xattrName(name)
		switch {
		case err != nil:
			return err
		case size > maxXattrSize:
			return unix.E2BIG
		}
		if err := c.permitXattr(path, n, namespace); err != nil {
			return err
		}
		return unix.EOPNOTSUPP
	}
}

func (c *call) xattrRemove(name int) xattrAnswer {
	return func(path string, n *vfs.Node) error {
		namespace, err := c.xattrName(name)
		if err != nil {
			return err
		}
		if err := c.permitXattr(path, n, namespace); err != nil {
			return err
		}
		if strings.HasPrefix(path, "/sys/") {
			return unix.EOPNOTSUPP
		}
		return unix.ENODATA
	}
}

// permitXattr checks that the program may change the attributes of a namespace.
func (c *call) permitXattr(path string, n *vfs.Node, namespace string) error {
	switch namespace {
	case "user":
		if n.Kind == vfs.Char || n.Kind == vfs.Link {
			return unix.EPERM
		}
		if program, err := c.tid().Credentials(); err == nil && !c.host.everyUser {
			st := c.host.statOf(path, n)
			if !mayAccess(&program, &st, unix.W_OK) {
				return unix.EACCES
			}
		}
	case "trusted", "security":
		if !c.capable(unix.CAP_SYS_ADMIN) {
			return unix.EPERM
		}
	}
	return nil
}
