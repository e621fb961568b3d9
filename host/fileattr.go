package host

import (
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/vfs"
)

// fileAttrSize is the size of struct file_attr of linux/fs.h.
const fileAttrSize = 24

// hasFileAttr reports whether the kernel has file_getattr and file_setattr:
// Linux 6.17 and later do.
var hasFileAttr = sync.OnceValue(func() bool {
	const unknownFlags = 1 << 30
	_, _, errno := unix.Syscall6(unix.SYS_FILE_GETATTR, 0, 0, 0, 0, unknownFlags, 0)
	return errno == unix.EINVAL
})

// fileGetattr serves file_getattr(2). Of the file systems in which virtual files
// seem to lie, only devtmpfs knows it, for directories. They have no flags.
func (c *call) fileGetattr() {
	c.fileAttr(func(path string, n *vfs.Node) error {
		if err := knowsFileAttr(path, n); err != nil {
			return err
		}
		return c.write(c.arg(2), make([]byte, c.arg(3)))
	})
}

// fileSetattr serves file_setattr(2). Flags are not kept.
func (c *call) fileSetattr() {
	c.fileAttr(func(path string, n *vfs.Node) error {
		if err := knowsFileAttr(path, n); err != nil {
			return err
		}
		attr := make([]byte, c.arg(3))
		if c.readMemory(attr, c.arg(2)) != nil {
			return unix.EFAULT
		}
		if strings.Trim(string(attr), "\x00") != "" {
			return unix.EOPNOTSUPP
		}
		program, err := c.tid().Credentials()
		if st := c.host.statOf(path, n); err != nil || uint32(program.UID) != st.Uid && !program.Has(unix.CAP_FOWNER) {
			return unix.EPERM
		}
		return nil
	})
}

func knowsFileAttr(path string, n *vfs.Node) error {
	if n.Kind != vfs.Dir || !strings.HasPrefix(path, "/dev/") {
		return unix.EOPNOTSUPP
	}
	return nil
}

func (c *call) fileAttr(check func(path string, n *vfs.Node) error) {
	flags, size := int(c.arg(4)), c.arg(3)
	answer := xattrAnswer{
		func(path string, n *vfs.Node) (int, error) { return 0, check(path, n) },
		func() { c.needs(c.arg(2), size, false) },
	}
	switch {
	case !hasFileAttr():
		c.proceed() // ENOSYS
	case flags&^(unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH) != 0, size < fileAttrSize:
		c.fail(unix.EINVAL)
	case size > uint64(unix.Getpagesize()):
		c.fail(unix.E2BIG)
	case flags&unix.AT_EMPTY_PATH != 0 && c.emptyPath(c.arg(1)):
		c.atFD(c.fd(0), func(o opened) { c.xattrOpened(o, answer) })
	default:
		c.xattrOn(c.fd(0), c.arg(1), flags, answer, func(path string) {
			c.onReal(path, int(c.n.Data.NR), c.n.Data.Args[2:]...)
		})
	}
}
