package host

import (
	"path"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// inotifyAddWatch serves inotify_add_watch(2). A watch on a virtual directory
// or file is one on its copy, which changes when devices come and go. The
// program cannot reach the copy, so this process adds the watch.
func (c *call) inotifyAddWatch() {
	mask := uint32(c.arg(2))
	const known = unix.IN_ALL_EVENTS | unix.IN_UNMOUNT | unix.IN_Q_OVERFLOW | unix.IN_IGNORED | unix.IN_ISDIR | unix.IN_ONLYDIR |
		unix.IN_DONT_FOLLOW | unix.IN_EXCL_UNLINK | unix.IN_MASK_ADD | unix.IN_MASK_CREATE | unix.IN_ONESHOT
	if mask&known == 0 {
		c.proceed() // EINVAL
		return
	}
	p, err := c.place(unix.AT_FDCWD, c.arg(1), mask&unix.IN_DONT_FOLLOW == 0)
	switch {
	case err == errNative, err == nil && p.native:
		c.proceed()
		return
	case err != nil:
	case p.Magic:
		err = unix.EACCES
	case p.Node == nil:
		c.withPath(p.Path, func(x *thread.Tracee, addr uint64) (int64, error) {
			return x.Syscall(unix.SYS_INOTIFY_ADD_WATCH, [6]uint64{c.arg(0), addr, c.arg(2), 5: pathCookie << 32})
		})
		return
	case mask&unix.IN_ONLYDIR != 0 && p.Node.Kind != vfs.Dir:
		err = unix.ENOTDIR
	default:
		if err = c.permit(p.Path, p.Node, unix.R_OK); err == nil {
			var wd int
			if wd, err = c.watch(p, mask); err == nil {
				c.ret(int64(wd))
				return
			}
		}
	}
	c.fail(err)
}

// watch adds a watch on the copy of a virtual directory or file.
func (c *call) watch(p place, mask uint32) (wd int, err error) {
	inotify, err := c.tid().DupFD(int(c.fd(0)), thread.Inotify)
	if err != nil {
		return -1, err
	}
	defer unix.Close(inotify)
	dir, entries, name := p.Path, []vfs.Entry(nil), ""
	if p.Node.Kind == vfs.Dir {
		entries = p.Node.Entries()
	} else {
		dir, name = path.Split(p.Path)
		dir = path.Clean(dir)
		n, _ := c.host.tree.Load().Lookup(dir)
		if n == nil {
			return -1, unix.ENOENT // removed meanwhile
		}
		entries = n.Entries()
	}
	return c.host.shadow.Watch(inotify, dir, entries, name, mask)
}
