package host

import (
	"golang.org/x/sys/unix"
)

// Nothing can be made or moved in virtual directories, except directories and
// links of configfs: EPERM, as in sysfs, and EXDEV between them and other
// directories.

func (c *call) mknod()   { c.mknodPath(unix.AT_FDCWD, c.arg(0), uint32(c.arg(1))) }
func (c *call) mknodat() { c.mknodPath(c.fd(0), c.arg(1), uint32(c.arg(2))) }

// mknodPath makes no file. The kernel has another error for files without a type,
// which open(2) makes too.
func (c *call) mknodPath(dirfd int32, addr uint64, mode uint32) {
	refused := unix.EPERM
	switch mode & unix.S_IFMT {
	case 0, unix.S_IFREG:
		refused = unix.EACCES
	case unix.S_IFCHR, unix.S_IFBLK, unix.S_IFIFO, unix.S_IFSOCK:
	default:
		c.proceed() // EPERM for a directory, EINVAL for others
		return
	}
	c.makeName(dirfd, addr, func(newName) error { return refused })
}

func (c *call) refuseName(dirfd int32, addr uint64) {
	c.makeName(dirfd, addr, func(newName) error { return unix.EPERM })
}

func (c *call) link() {
	c.moveName(unix.AT_FDCWD, c.arg(0), false, unix.AT_FDCWD, c.arg(1), linked)
}

func (c *call) linkat() {
	flags := int(c.arg(4))
	if flags&^(unix.AT_SYMLINK_FOLLOW|unix.AT_EMPTY_PATH) != 0 {
		c.proceed() // EINVAL
		return
	}
	if flags&unix.AT_EMPTY_PATH != 0 && c.emptyPath(c.arg(1)) {
		c.refuseName(c.fd(2), c.arg(3))
		return
	}
	c.moveName(c.fd(0), c.arg(1), flags&unix.AT_SYMLINK_FOLLOW != 0, c.fd(2), c.arg(3), linked)
}

func (c *call) rename() {
	c.moveName(unix.AT_FDCWD, c.arg(0), false, unix.AT_FDCWD, c.arg(1), renamed)
}

func (c *call) renameat() { c.moveName(c.fd(0), c.arg(1), false, c.fd(2), c.arg(3), renamed) }

func (c *call) renameat2() {
	how, flags := renamed, uint32(c.arg(4))
	const known = unix.RENAME_NOREPLACE | unix.RENAME_EXCHANGE | unix.RENAME_WHITEOUT
	switch {
	case flags&^known != 0, flags&unix.RENAME_EXCHANGE != 0 && flags != unix.RENAME_EXCHANGE:
		c.proceed() // EINVAL
		return
	case flags&unix.RENAME_NOREPLACE != 0:
		how = renamedToNew
	case flags == unix.RENAME_EXCHANGE:
		how = exchanged
	}
	c.moveName(c.fd(0), c.arg(1), false, c.fd(2), c.arg(3), how)
}

// A naming is how a file gets a name: a further one, another one in place of any
// file, another one that no file has, or that of a file that gets its own.
type naming int

const (
	linked naming = iota
	renamed
	renamedToNew
	exchanged
)

// moveName gives a file a name. As in the kernel, a link looks first whether the
// name is there, and a rename whether it is in the same file system.
func (c *call) moveName(oldDir int32, old uint64, follow bool, newDir int32, to uint64, how naming) {
	p, oldErr := c.place(oldDir, old, follow)
	virtual := oldErr == nil && (p.Magic || p.Node != nil && !(p.native && !p.Node.Own()))
	n, newErr := c.newName(newDir, to)
	switch {
	case oldErr == errNative && newErr == errNative, oldErr == nil && !virtual && newErr == errNative:
		c.proceed()
	case oldErr == unix.ENOENT && how != linked && c.crosses(oldDir, old, n, newErr):
		c.fail(unix.EXDEV)
	case oldErr != nil && oldErr != errNative:
		c.fail(oldErr)
	case oldErr == errNative && how == linked && c.isMissing(oldDir, old):
		c.fail(unix.ENOENT)
	case oldErr == errNative && how != linked: // the kernel does not look whether either is there
		c.fail(unix.EXDEV)
	case newErr == unix.EEXIST && how != linked && virtual && fileSystem(p.Path) != fileSystem(n.dir):
		c.fail(unix.EXDEV)
	case newErr == unix.EEXIST && how == renamed && virtual && p.Path == n.dir+"/"+n.name:
		c.ret(0) // it has the name already
	case newErr == unix.EEXIST && how != linked && how != renamedToNew && !c.mayName(n.dir):
		c.fail(unix.EACCES)
	case newErr == unix.EEXIST && how == exchanged && inKernel(n.dir+"/"):
		c.fail(unix.EINVAL)
	case newErr == unix.EEXIST && (how == renamed || how == exchanged):
		c.fail(unix.EPERM)
	case newErr == nil && how == exchanged:
		c.fail(unix.ENOENT)
	case newErr != nil && newErr != errNative:
		c.fail(newErr)
	case virtual && newErr == nil && fileSystem(p.Path) == fileSystem(n.dir) && !c.mayName(n.dir):
		c.fail(unix.EACCES)
	case virtual && newErr == nil && fileSystem(p.Path) == fileSystem(n.dir):
		c.fail(unix.EPERM)
	default:
		c.fail(unix.EXDEV)
	}
}

// isMissing reports whether a real file is not there.
func (c *call) isMissing(dirfd int32, addr uint64) bool {
	raw, err := c.readString(addr)
	if err != nil || len(raw) == 0 {
		return err == nil
	}
	full := string(raw)
	if raw[0] != '/' {
		base, _, err := c.base(dirfd)
		if err != nil {
			return false
		}
		full = base + "/" + full
	}
	var st unix.Stat_t
	return c.tid().Identify(full, &st) == unix.ENOENT
}

// crosses reports whether a missing file is in another file system than its new
// name.
func (c *call) crosses(oldDir int32, old uint64, n newName, newErr error) bool {
	from, err := c.newName(oldDir, old)
	return err == nil && (newErr == errNative || (newErr == nil || newErr == unix.EEXIST) && fileSystem(from.dir) != fileSystem(n.dir))
}
