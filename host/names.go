package host

import (
	"golang.org/x/sys/unix"
)

// Nothing can be made or moved in virtual directories, except directories and
// links of configfs: EPERM, as in sysfs, and EXDEV between them and other
// directories.

func (c *call) mknod()   { c.refuseName(unix.AT_FDCWD, c.arg(0)) }
func (c *call) mknodat() { c.refuseName(c.fd(0), c.arg(1)) }

func (c *call) refuseName(dirfd int32, addr uint64) {
	c.makeName(dirfd, addr, func(newName) error { return unix.EPERM })
}

func (c *call) link() {
	c.moveName(unix.AT_FDCWD, c.arg(0), false, unix.AT_FDCWD, c.arg(1), false)
}

func (c *call) linkat() {
	flags := int(c.arg(4))
	if flags&unix.AT_EMPTY_PATH != 0 && c.emptyPath(c.arg(1)) {
		c.refuseName(c.fd(2), c.arg(3))
		return
	}
	c.moveName(c.fd(0), c.arg(1), flags&unix.AT_SYMLINK_FOLLOW != 0, c.fd(2), c.arg(3), false)
}

func (c *call) rename() {
	c.moveName(unix.AT_FDCWD, c.arg(0), false, unix.AT_FDCWD, c.arg(1), true)
}

func (c *call) renameat() { c.moveName(c.fd(0), c.arg(1), false, c.fd(2), c.arg(3), true) }

func (c *call) renameat2() {
	c.moveName(c.fd(0), c.arg(1), false, c.fd(2), c.arg(3), c.arg(4)&unix.RENAME_NOREPLACE == 0)
}

// moveName gives a file a new or another name. replace says that another file
// may have that name.
func (c *call) moveName(oldDir int32, old uint64, follow bool, newDir int32, to uint64, replace bool) {
	p, oldErr := c.place(oldDir, old, follow)
	virtual := oldErr == nil && (p.Magic || p.Node != nil && !(p.native && !p.Node.Own()))
	n, newErr := c.newName(newDir, to)
	switch {
	case oldErr == errNative && newErr == errNative, oldErr == nil && !virtual && newErr == errNative:
		c.proceed()
	case oldErr != nil && oldErr != errNative:
		c.fail(oldErr)
	case newErr == unix.EEXIST && replace && virtual && fileSystem(p.Path) != fileSystem(n.dir):
		c.fail(unix.EXDEV)
	case newErr == unix.EEXIST && replace:
		c.fail(unix.EPERM)
	case newErr != nil && newErr != errNative:
		c.fail(newErr)
	case virtual && newErr == nil && fileSystem(p.Path) == fileSystem(n.dir):
		c.fail(unix.EPERM)
	default:
		c.fail(unix.EXDEV)
	}
}
