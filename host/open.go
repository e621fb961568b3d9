package host

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

func (c *call) openat() { c.openPath(c.fd(0), c.arg(1), int(c.arg(2)), uint32(c.arg(3))) }

func (c *call) open() { c.openPath(unix.AT_FDCWD, c.arg(0), int(c.arg(1)), uint32(c.arg(2))) }

func (c *call) creat() {
	c.openPath(unix.AT_FDCWD, c.arg(0), unix.O_CREAT|unix.O_WRONLY|unix.O_TRUNC, uint32(c.arg(1)))
}

// openat2 reads struct open_how. Its resolve flags only restrict: a path that
// they forbid is opened nevertheless if it is virtual.
func (c *call) openat2() {
	var how [3 * 8]byte
	if c.arg(3) < uint64(len(how)) || c.tid().Read(how[:], c.arg(2)) != nil {
		c.proceed()
		return
	}
	flags, mode, resolve := binary.NativeEndian.Uint64(how[0:]), binary.NativeEndian.Uint64(how[8:]), binary.NativeEndian.Uint64(how[16:])
	if resolve&unix.RESOLVE_IN_ROOT != 0 {
		c.proceed() // its paths start somewhere else
		return
	}
	c.openPath(c.fd(0), c.arg(1), int(flags), uint32(mode))
}

func (c *call) openPath(dirfd int32, addr uint64, flags int, mode uint32) {
	follow := flags&unix.O_NOFOLLOW == 0
	if flags&(unix.O_CREAT|unix.O_EXCL) == unix.O_CREAT|unix.O_EXCL {
		follow = false
	}
	p, err := c.place(dirfd, addr, follow)
	switch {
	case err == errNative:
		c.proceed()
	case err != nil:
		c.fail(err)
	case p.Magic:
		c.reopen(p.Path, flags)
	case p.Node != nil:
		c.openNode(p, flags)
	case p.native:
		c.proceed()
	default:
		c.openReal(p.Path, flags, mode)
	}
}

// reopen opens the file behind a link of /proc anew.
func (c *call) reopen(path string, flags int) {
	o, _, err := c.magic(path)
	switch {
	case err != nil:
		c.fail(err)
	case o.file != nil && flags&unix.O_PATH == 0:
		c.openMinor(o.file.Node().Minor(), flags)
	case o.dmaBuf != nil:
		c.fail(unix.ENXIO)
	case o.file != nil:
		c.openSnapshot(c.host.shownPath(o), "", flags)
	default:
		n, hidden := c.host.tree.Load().Lookup(o.path)
		if hidden {
			c.fail(unix.ENODEV) // its device is gone
			return
		}
		if n == nil {
			c.openReal(o.path, flags, 0)
			return
		}
		c.openNode(place{Place: vfs.Place{Path: o.path, Node: n, Virtual: true}}, flags)
	}
}

func (c *call) openNode(p place, flags int) {
	n := p.Node
	writes := flags&unix.O_ACCMODE != unix.O_RDONLY
	switch {
	case n.Kind != vfs.Dir && flags&unix.O_DIRECTORY != 0:
		c.fail(unix.ENOTDIR)
	case flags&(unix.O_CREAT|unix.O_EXCL) == unix.O_CREAT|unix.O_EXCL && !p.native:
		c.fail(unix.EEXIST)
	case n.Kind == vfs.Dir:
		c.openDir(p, flags)
	case flags&unix.O_PATH != 0:
		c.openSnapshot(p.Path, "", flags)
	case n.Kind == vfs.Link: // and it is not to be followed
		c.fail(unix.ELOOP)
	case n.Kind == vfs.Char:
		minor := c.host.class.Minor(n.Minor)
		if minor == nil {
			c.fail(unix.ENOENT)
			return
		}
		c.openMinor(minor, flags)
	case n.Socket():
		c.fail(unix.ENXIO)
	case n.Open != nil:
		c.openStream(p, flags)
	case writes && n.Store != nil:
		c.openAttribute(p, flags)
	case writes || n.Show == nil:
		c.fail(unix.EACCES)
	default:
		c.openSnapshot(p.Path, n.Show(), flags)
	}
}

// openMinor opens a node.
func (c *call) openMinor(minor *drm.Minor, flags int) {
	readEnd, err := c.host.files.OpenMinor(minor, c.client(), flags)
	if err != nil {
		c.fail(err)
		return
	}
	c.retFD(readEnd, flags&unix.O_CLOEXEC != 0)
}

// openAttribute opens a virtual file for writing.
func (c *call) openAttribute(p place, flags int) {
	content := ""
	if flags&unix.O_ACCMODE == unix.O_RDWR {
		if p.Node.Show == nil {
			c.fail(unix.EACCES)
			return
		}
		content = p.Node.Show()
	}
	theirs, err := c.host.attributes.Open(p.Path, flags, content, p.Node.Store)
	if err != nil {
		c.fail(err)
		return
	}
	c.retFD(theirs, flags&unix.O_CLOEXEC != 0)
}

// openDir gives the program a directory that lists what is virtual and, if
// that only adds, what is really there.
func (c *call) openDir(p place, flags int) {
	if flags&unix.O_ACCMODE != unix.O_RDONLY || flags&unix.O_CREAT != 0 {
		if p.native {
			c.proceed()
			return
		}
		c.fail(unix.EISDIR)
		return
	}
	entries := p.Node.Entries()
	if !p.Node.Own() {
		var real []os.DirEntry
		err := c.asProgram(func(thread.Credentials) (err error) {
			real, err = os.ReadDir(c.realPath(p.Path))
			return err
		})
		added := len(entries)
		for _, e := range real {
			if !p.Node.Shows(e.Name()) {
				added--
				continue
			}
			entries = append(entries, c.entry(p.Path, e))
		}
		if p.native && (added == 0 || err != nil || flags&unix.O_PATH != 0 || !listed(p.Path)) {
			c.proceed() // the real listing is right, or not asked for
			return
		}
	}
	fd, err := c.host.shadow.Open(p.Path, entries)
	if err != nil {
		c.host.log.Error("host: a virtual directory could not be shown", "path", p.Path, "err", err)
		c.fail(err)
		return
	}
	c.retFD(fd, flags&unix.O_CLOEXEC != 0)
}

// listed reports whether the listing of a real directory is completed with
// the virtual entries. A program that creates files below a descriptor of it
// would create them in our copy: so only where nobody does.
func listed(path string) bool { return path != "/" && path != "/run" && path != "/run/udev" }

func (c *call) entry(dir string, e os.DirEntry) vfs.Entry {
	entry := vfs.Entry{Name: e.Name(), Kind: vfs.File}
	switch t := e.Type(); {
	case t.IsDir():
		entry.Kind = vfs.Dir
	case t&os.ModeSymlink != 0:
		entry.Kind = vfs.Link
		entry.Target, _ = c.readReal(dir + "/" + e.Name())
	case t&os.ModeCharDevice != 0:
		entry.Kind = vfs.Char
	}
	return entry
}

// openSnapshot gives the program a file with the content that a virtual file
// has now. Without content it only stands for the path.
func (c *call) openSnapshot(path, content string, flags int) {
	fd, err := snapshot(path, content)
	if err != nil {
		c.fail(err)
		return
	}
	c.retFD(fd, flags&unix.O_CLOEXEC != 0)
}

func snapshot(path, content string) (int, error) {
	memfd, err := unix.MemfdCreate(snapshotPrefix+path, unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		memfd, err = unix.MemfdCreate(snapshotPrefix+path, unix.MFD_CLOEXEC)
	}
	if err != nil {
		return -1, err
	}
	defer unix.Close(memfd)
	if content != "" {
		if _, err := unix.Write(memfd, []byte(content)); err != nil {
			return -1, err
		}
	}
	return unix.Open(fmt.Sprintf("/proc/self/fd/%d", memfd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
}

// asProgram does on real files what the kernel would do for the program, with
// what the program may do: we may do more when it has given up privileges.
func (c *call) asProgram(f func(thread.Credentials) error) error { return c.tid().As(f) }

// openReal opens what is really at path for a program that got there by a way
// that the kernel does not know.
func (c *call) openReal(path string, flags int, mode uint32) {
	if flags&unix.O_PATH != 0 {
		// Such descriptors cannot be given away.
		var st unix.Stat_t
		err := c.asProgram(func(thread.Credentials) error { return unix.Lstat(c.realPath(path), &st) })
		switch {
		case err != nil:
			c.fail(err)
			return
		case st.Mode&unix.S_IFMT != unix.S_IFDIR && flags&unix.O_DIRECTORY != 0:
			c.fail(unix.ENOTDIR)
			return
		case st.Mode&unix.S_IFMT != unix.S_IFDIR:
			c.openSnapshot(path, "", flags)
			return
		}
		flags = unix.O_RDONLY | unix.O_DIRECTORY | flags&unix.O_CLOEXEC
	}
	const keep = unix.O_ACCMODE | unix.O_APPEND | unix.O_CREAT | unix.O_DIRECTORY | unix.O_EXCL |
		unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_TRUNC | unix.O_DSYNC | unix.O_SYNC
	var fd int
	err := c.asProgram(func(program thread.Credentials) (err error) {
		fd, err = unix.Open(c.realPath(path), flags&keep|unix.O_CLOEXEC|unix.O_NOCTTY, mode&^program.Umask)
		return err
	})
	if err != nil {
		c.fail(err)
		return
	}
	c.retFD(fd, flags&unix.O_CLOEXEC != 0)
}
