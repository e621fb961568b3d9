package host

import (
	"hash/fnv"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

func (c *call) stat() { c.oldStat(0) }

func (c *call) lstat() { c.oldStat(unix.AT_SYMLINK_NOFOLLOW) }

func (c *call) oldStat(flags int) {
	c.statPath(unix.AT_FDCWD, c.arg(0), flags, c.writeStat(c.arg(1)), func(path string) {
		c.needs(c.arg(1), sizeofStat, true)
		c.onReal(path, unix.SYS_NEWFSTATAT, c.arg(1), uint64(flags))
	})
}

func (c *call) fstat() { c.statFD(c.fd(0), c.writeStat(c.arg(1))) }

func (c *call) newfstatat() {
	c.statAt(c.fd(0), c.arg(1), int(c.arg(3)), c.writeStat(c.arg(2)), func(path string) {
		c.needs(c.arg(2), sizeofStat, true)
		c.onReal(path, unix.SYS_NEWFSTATAT, c.arg(2), c.arg(3))
	})
}

func (c *call) statx() {
	const reserved = 1 << 31 // STATX__RESERVED of linux/stat.h
	if c.arg(3)&reserved != 0 {
		c.proceed() // EINVAL
		return
	}
	c.statAt(c.fd(0), c.arg(1), int(c.arg(2)), c.writeStatx(c.arg(4), c.arg(3)), func(path string) {
		c.needs(c.arg(4), sizeofStatx, true)
		c.onReal(path, unix.SYS_STATX, c.arg(2), c.arg(3), c.arg(4))
	})
}

// A statWriter writes the status of a file to the program.
type statWriter func(path string, st *unix.Statx_t) error

func (c *call) statAt(dirfd int32, addr uint64, flags int, write statWriter, onReal func(path string)) {
	const known = unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT | unix.AT_EMPTY_PATH | (unix.AT_STATX_FORCE_SYNC | unix.AT_STATX_DONT_SYNC)
	if flags&^known != 0 || flags&(unix.AT_STATX_FORCE_SYNC|unix.AT_STATX_DONT_SYNC) == (unix.AT_STATX_FORCE_SYNC|unix.AT_STATX_DONT_SYNC) {
		c.proceed() // EINVAL
		return
	}
	if flags&unix.AT_EMPTY_PATH != 0 && c.emptyPath(addr) {
		if dirfd != unix.AT_FDCWD {
			c.statFD(dirfd, write)
			return
		}
		base, private, err := c.base(dirfd)
		if err != nil || !private {
			c.proceed()
			return
		}
		c.statOpened(opened{path: base}, write)
		return
	}
	c.statPath(dirfd, addr, flags, write, onReal)
}

// emptyPath reports whether the path at addr is empty, or NULL, which stands
// for it since Linux 6.11.
func (c *call) emptyPath(addr uint64) bool {
	if addr == 0 {
		return true
	}
	var b [1]byte
	return c.readMemory(b[:], addr) == nil && b[0] == 0
}

// statPath writes the status of what a path leads to; onReal does for a real
// file.
func (c *call) statPath(dirfd int32, addr uint64, flags int, write statWriter, onReal func(path string)) {
	if c.host.mounts != nil {
		c.statMagic(dirfd, addr, flags, write)
		return
	}
	follow := flags&unix.AT_SYMLINK_NOFOLLOW == 0
	p, err := c.place(dirfd, addr, follow)
	if err == nil && !follow && p.native && isMagic(p.Path) && c.statNodeLink(p.Path, write) {
		return
	}
	c.atPlace(p, err,
		func(o opened) { c.statOpened(o, write) },
		func(p place) { c.finish(c.statVirtual(p.Path, p.Node, write)) },
		onReal)
}

// statNodeLink writes the status of the link of /proc to an open node: the
// permissions say what it is open for, not what the pipe is that stands for it.
func (c *call) statNodeLink(path string, write statWriter) (answered bool) {
	o, _, err := c.magic(path)
	var st unix.Statx_t
	if err != nil || o.file == nil || c.tid().StatLink(path, &st) != nil {
		return false
	}
	st.Mode &^= 0o777
	access := accessOf(o.file.Flags())
	if access&unix.R_OK != 0 {
		st.Mode |= unix.S_IRUSR | unix.S_IXUSR
	}
	if access&unix.W_OK != 0 {
		st.Mode |= unix.S_IWUSR | unix.S_IXUSR
	}
	c.finish(write("", &st))
	return true
}

// statMagic writes the status of an open file, if a path leads to a link of /proc
// to it. All other files are mounted.
func (c *call) statMagic(dirfd int32, addr uint64, flags int, write statWriter) {
	p, err := c.place(dirfd, addr, flags&unix.AT_SYMLINK_NOFOLLOW == 0)
	if err == nil && p.Node != nil && c.compat != nil && c.compat.status == oldStatus {
		c.finish(c.statVirtual(p.Path, p.Node, write)) // its inode number is too large for the kernel
		return
	}
	if err != nil || !p.Magic {
		c.proceed()
		return
	}
	o, _, err := c.magic(p.Path)
	if err != nil {
		c.fail(err)
		return
	}
	c.statOpened(o, write)
}

func (c *call) statFD(fd int32, write statWriter) {
	c.atFD(fd, func(o opened) { c.statOpened(o, write) })
}

func (c *call) statOpened(o opened, write statWriter) {
	if o.file != nil {
		minor := o.file.Node().Minor()
		st := c.host.statNode(minor)
		c.finish(write("/dev/dri/"+minor.Name(), &st))
		return
	}
	if o.dmaBuf != nil {
		st := statOfDMABuf(o.dmaBuf)
		c.finish(write("", &st))
		return
	}
	n, _ := c.host.tree.Load().Lookup(o.path)
	if n == nil { // it was removed, with everything known about it
		n = &vfs.Node{Kind: vfs.File, Perm: 0o444}
	}
	c.finish(c.statVirtual(o.path, n, write))
}

// statNode returns the status of the node of a minor, which may be gone.
func (h *Host) statNode(m *drm.Minor) unix.Statx_t {
	return h.statOf("/dev/dri/"+m.Name(), &vfs.Node{Kind: vfs.Char, Perm: 0o660, Minor: m.Number()})
}

func (c *call) statVirtual(path string, n *vfs.Node, write statWriter) error {
	st := c.host.statOf(path, n)
	return write(path, &st)
}

// statOf returns the status of a virtual file.
func (h *Host) statOf(path string, n *vfs.Node) unix.Statx_t {
	st := makeStat(path, n)
	if h.mounts != nil {
		device := h.mounts.device(path)
		st.Dev_major, st.Dev_minor = unix.Major(device), unix.Minor(device)
	}
	h.perms.apply(path, &st)
	return st
}

// makeStat makes the status of a virtual file whose permissions no program has
// changed. Device, mount and times are those of the file system that it seems
// to lie in.
func makeStat(path string, n *vfs.Node) unix.Statx_t {
	var st unix.Statx_t
	_ = unix.Statx(unix.AT_FDCWD, fileSystem(path), 0, unix.STATX_BASIC_STATS|unix.STATX_BTIME|unix.STATX_MNT_ID, &st)
	st.Mask &^= unix.STATX_BTIME
	st.Attributes &^= unix.STATX_ATTR_MOUNT_ROOT
	if inDebugfs(path) {
		st.Dev_major, st.Dev_minor = 0, debugfsDev
	}
	if inConfigfs(path) {
		st.Dev_major, st.Dev_minor = 0, configfsDev
	}
	st.Blocks, st.Size, st.Nlink = 0, 0, 1
	st.Uid, st.Gid = 0, 0
	st.Ino = inodeOf(path)
	st.Mode = uint16(n.Perm)
	switch n.Kind {
	case vfs.Dir:
		st.Mode |= unix.S_IFDIR
		st.Nlink = 2
		for _, e := range n.Entries() {
			if e.Kind == vfs.Dir {
				st.Nlink++
			}
		}
	case vfs.Link:
		st.Mode |= unix.S_IFLNK
		if !strings.HasPrefix(path, "/sys/") {
			st.Size = uint64(len(n.Target))
		}
	case vfs.Char:
		st.Mode |= unix.S_IFCHR
		st.Gid = videoGroup()
		if n.Terminal {
			st.Gid = ttyGroup()
		}
		st.Rdev_major, st.Rdev_minor = drm.Major, uint32(n.Minor)
		if n.Major != 0 {
			st.Rdev_major = uint32(n.Major)
		}
	case vfs.File:
		st.Mode |= unix.S_IFREG
		switch {
		case n.Socket():
			st.Mode = st.Mode&^unix.S_IFMT | unix.S_IFSOCK
		case inDebugfs(path): // of no size
		case strings.HasPrefix(path, "/sys/"):
			st.Size = 4096 // of every attribute
		default:
			st.Size = uint64(len(n.Show()))
		}
	}
	return st
}

// fileSystem returns the mount point below which a virtual path lies.
func fileSystem(path string) string {
	for _, top := range []string{"/dev", "/sys", "/run"} {
		if strings.HasPrefix(path, top) {
			return top
		}
	}
	return "/"
}

// inodeOf returns the inode number of a virtual file, which depends on its path
// only. It has 32 bits: many 32-bit programs get EOVERFLOW for others.
func inodeOf(path string) uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(path))
	sum := hash.Sum64()
	return uint64(uint32(sum ^ sum>>32))
}

// writeStatx writes the status with all that is known, and the unique number of
// the mount if mask asks for it.
func (c *call) writeStatx(addr, mask uint64) statWriter {
	return func(path string, st *unix.Statx_t) error {
		if path != "" && mask&unix.STATX_MNT_ID_UNIQUE != 0 {
			if id := uniqueMount(path); id != 0 {
				st.Mask = st.Mask&^unix.STATX_MNT_ID | unix.STATX_MNT_ID_UNIQUE
				st.Mnt_id = id
			}
		}
		return c.write(addr, statxBytes(st))
	}
}

// uniqueMount returns the number that no other mount has had of that in which a
// virtual path lies, or 0 before Linux 6.8.
func uniqueMount(path string) uint64 {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, fileSystem(path), 0, unix.STATX_MNT_ID_UNIQUE, &st)
	if err != nil || st.Mask&unix.STATX_MNT_ID_UNIQUE == 0 {
		return 0
	}
	return st.Mnt_id
}

func (c *call) writeStat(addr uint64) statWriter {
	if c.compat != nil {
		return c.writeCompatStat(addr)
	}
	return func(_ string, st *unix.Statx_t) error {
		old := statFromStatx(st)
		return c.write(addr, statBytes(&old))
	}
}

// statfs and fstatfs: libudev checks that /sys is a sysfs.
func (c *call) statfs() {
	p, err := c.place(unix.AT_FDCWD, c.arg(0), true)
	mounted := c.host.mounts != nil
	switch {
	case err == nil && mounted && p.Node != nil && p.Path != "/":
		c.writeStatfs(p.Path, c.arg(1))
	case err == errNative, err == nil && p.native, mounted && !p.Magic:
		c.proceed()
	case err != nil:
		c.fail(err)
	case p.Node == nil && !p.Magic:
		c.needs(c.arg(1), sizeofStatfs, true)
		c.withPath(p.Path, func(x *thread.Tracee, addr uint64) (int64, error) {
			fd, err := x.Syscall(unix.SYS_OPENAT, [6]uint64{cookieCWD, addr, unix.O_PATH | unix.O_CLOEXEC})
			if err != nil || fd < 0 {
				return fd, err
			}
			x.Give(int(fd))
			return x.Syscall(unix.SYS_FSTATFS, [6]uint64{pathCookie<<32 | uint64(fd), c.arg(1)})
		})
	default:
		c.writeStatfs(p.Path, c.arg(1))
	}
}

func (c *call) fstatfs() {
	o := c.opened(c.fd(0))
	switch {
	case o.file != nil:
		c.writeStatfs("/dev", c.arg(1))
	case o.dmaBuf != nil:
		st := unix.Statfs_t{Type: unix.DMA_BUF_MAGIC, Bsize: int64(os.Getpagesize()), Frsize: int64(os.Getpagesize()), Namelen: 255}
		c.finish(c.putStatfs(c.arg(1), &st))
	case o.path != "":
		c.writeStatfs(o.path, c.arg(1))
	default:
		if path := c.mountedPath(c.fd(0)); path != "" {
			c.writeStatfs(path, c.arg(1))
			return
		}
		c.proceed()
	}
}

// mountedPath returns the path of a descriptor of a mounted virtual file, or "".
func (c *call) mountedPath(fd int32) string {
	if c.host.mounts == nil {
		return ""
	}
	link, err := c.tid().FD(int(fd), c.linkBuf[:])
	if err != nil {
		return ""
	}
	path, ok := c.inRoot(link)
	if n, _ := c.host.tree.Load().Lookup(string(path)); !ok || n == nil || len(path) == 0 || path[0] != '/' || len(path) == 1 {
		return ""
	}
	return string(path)
}

func (c *call) writeStatfs(path string, addr uint64) {
	var st unix.Statfs_t
	err := unix.Statfs(fileSystem(path), &st)
	if inDebugfs(path) {
		st.Type = unix.DEBUGFS_MAGIC
	}
	if inConfigfs(path) {
		st.Type = configfsMagic
	}
	if err == nil {
		err = c.putStatfs(addr, &st)
	}
	c.finish(err)
}

// putStatfs writes what statfs reports to the program.
func (c *call) putStatfs(addr uint64, st *unix.Statfs_t) error {
	if c.compat != nil {
		return c.putCompatStatfs(addr, st)
	}
	return c.write(addr, statfsBytes(st))
}

func (c *call) access() { c.accessPath(unix.AT_FDCWD, c.arg(0), uint32(c.arg(1)), 0) }

func (c *call) faccessat() { c.accessPath(c.fd(0), c.arg(1), uint32(c.arg(2)), 0) }

// wrongAccess reports whether the kernel refuses the arguments of faccessat2(2).
func wrongAccess(mode uint32, flags int) bool {
	return mode&^(unix.R_OK|unix.W_OK|unix.X_OK) != 0 ||
		flags&^(unix.AT_EACCESS|unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH) != 0
}

func (c *call) faccessat2() {
	flags := int(c.arg(3))
	if wrongAccess(uint32(c.arg(2)), flags) {
		c.proceed() // EINVAL
		return
	}
	if flags&unix.AT_EMPTY_PATH != 0 && c.emptyPath(c.arg(1)) {
		c.atFD(c.fd(0), func(o opened) { c.accessOpened(o, uint32(c.arg(2))) })
		return
	}
	c.accessPath(c.fd(0), c.arg(1), uint32(c.arg(2)), flags)
}

func (c *call) accessPath(dirfd int32, addr uint64, mode uint32, flags int) {
	if wrongAccess(mode, flags) {
		c.proceed() // EINVAL
		return
	}
	c.atPath(dirfd, addr, flags&unix.AT_SYMLINK_NOFOLLOW == 0,
		func(o opened) { c.accessOpened(o, mode) },
		func(p place) { c.finish(c.permit(p.Path, p.Node, mode)) },
		func(path string) { c.onReal(path, unix.SYS_FACCESSAT2, uint64(mode), uint64(flags)) })
}

func (c *call) accessOpened(o opened, mode uint32) {
	switch {
	case o.dmaBuf != nil:
		c.ret(0)
	case o.file != nil:
		c.finish(c.permit("", &vfs.Node{Kind: vfs.Char}, mode))
	default:
		n, _ := c.host.tree.Load().Lookup(o.path)
		c.finish(c.permit(o.path, n, mode))
	}
}
