package host

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

func (c *call) openat() { c.openPath(c.fd(0), c.arg(1), int(c.arg(2)), uint32(c.arg(3))) }

func (c *call) open() { c.openPath(unix.AT_FDCWD, c.arg(0), int(uint32(c.arg(1))), uint32(c.arg(2))) }

func (c *call) creat() {
	c.openPath(unix.AT_FDCWD, c.arg(0), unix.O_CREAT|unix.O_WRONLY|unix.O_TRUNC, uint32(c.arg(1)))
}

// openat2 reads struct open_how.
func (c *call) openat2() {
	var how [3 * 8]byte
	if c.arg(3) < uint64(len(how)) || c.readMemory(how[:], c.arg(2)) != nil || !c.zeroAfter(len(how)) {
		c.proceed()
		return
	}
	flags, mode, resolve := binary.NativeEndian.Uint64(how[0:]), binary.NativeEndian.Uint64(how[8:]), binary.NativeEndian.Uint64(how[16:])
	if !validOpenHow(flags, mode, resolve) {
		c.proceed() // EINVAL or EAGAIN
		return
	}
	c.openBy(c.fd(0), c.arg(1), int(flags), uint32(mode), resolve)
}

// zeroAfter reports whether a struct open_how, which may be longer than its n known
// bytes, is zero beyond them. The kernel answers E2BIG if not.
func (c *call) zeroAfter(n int) bool {
	size := c.arg(3)
	if size > pageSize {
		return false
	}
	rest := make([]byte, size-uint64(n))
	return len(rest) == 0 || c.readMemory(rest, c.arg(2)+uint64(n)) == nil && strings.Trim(string(rest), "\x00") == ""
}

// validOpenHow reports whether openat2 accepts a struct open_how, whatever the path
// leads to.
func validOpenHow(flags, mode, resolve uint64) bool {
	const (
		largeFile = 0o100000 // O_LARGEFILE of the kernel
		cached    = 0x20     // RESOLVE_CACHED
		makes     = unix.O_CREAT | unix.O_TMPFILE&^unix.O_DIRECTORY
		path      = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
		known     = path | makes | unix.O_ACCMODE | unix.O_EXCL | unix.O_NOCTTY | unix.O_TRUNC | unix.O_APPEND | unix.O_NONBLOCK |
			unix.O_SYNC | unix.O_ASYNC | unix.O_DIRECT | unix.O_NOATIME | largeFile
		resolves = unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_BENEATH | unix.RESOLVE_IN_ROOT | cached
		both     = unix.RESOLVE_BENEATH | unix.RESOLVE_IN_ROOT
	)
	switch {
	case flags&^known != 0, resolve&^resolves != 0, resolve&both == both, mode&^permMask != 0:
		return false
	case resolve&cached != 0 && flags&(makes|unix.O_TRUNC) != 0: // EAGAIN
		return false
	case flags&unix.O_PATH != 0:
		return flags&^path == 0 && mode == 0
	}
	return flags&makes != 0 || mode == 0
}

// refusedFlags reports whether open(2) refuses flags, whatever the path leads to.
func refusedFlags(flags int) bool {
	const unnamed = unix.O_TMPFILE &^ unix.O_DIRECTORY
	switch {
	case flags&unix.O_PATH != 0:
		return false
	case flags&unnamed != 0:
		return flags&unix.O_TMPFILE != unix.O_TMPFILE || flags&unix.O_ACCMODE == unix.O_RDONLY
	}
	return flags&(unix.O_CREAT|unix.O_DIRECTORY) == unix.O_CREAT|unix.O_DIRECTORY
}

func (c *call) openPath(dirfd int32, addr uint64, flags int, mode uint32) {
	if flags&unix.O_PATH != 0 {
		flags &= unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	}
	c.openBy(dirfd, addr, flags, mode, 0)
}

// openBy opens a path with the RESOLVE flags of openat2.
func (c *call) openBy(dirfd int32, addr uint64, flags int, mode uint32, resolve uint64) {
	switch {
	case resolve&(unix.RESOLVE_NO_MAGICLINKS|unix.RESOLVE_NO_SYMLINKS) != 0:
		c.noMagic = unix.ELOOP
	case resolve&(unix.RESOLVE_BENEATH|unix.RESOLVE_IN_ROOT) != 0:
		c.noMagic = unix.EXDEV
	}
	defer func() { c.noMagic = 0 }()
	rules := vfs.Rules{
		NoFollow:   flags&unix.O_NOFOLLOW != 0 || flags&(unix.O_CREAT|unix.O_EXCL) == unix.O_CREAT|unix.O_EXCL,
		NoSymlinks: resolve&unix.RESOLVE_NO_SYMLINKS != 0,
		Beneath:    resolve&unix.RESOLVE_BENEATH != 0,
		InRoot:     resolve&unix.RESOLVE_IN_ROOT != 0,
	}
	if resolve&unix.RESOLVE_NO_XDEV != 0 {
		rules.Crosses = c.crossesMount
	}
	p, err := c.placeBy(dirfd, addr, rules)
	if flags&unix.O_CREAT != 0 && c.host.mounts == nil && err != errNative && !(err == nil && p.native) {
		err = c.creating(dirfd, addr, err)
	}
	switch {
	case c.host.mounts != nil && c.openMounted(&p, err, flags, mode, resolve):
	case err == errNative:
		c.proceed()
	case refusedFlags(flags):
		c.fail(unix.EINVAL)
	case err != nil:
		c.fail(err)
	case p.Magic:
		c.reopen(p.Path, flags)
	case p.Node != nil:
		c.openNode(p, flags, mode)
	case p.native && isFDInfo(p.Path) && c.openFDInfo(p.Path, flags):
	case p.native && isNetlinkTable(p.Path) && c.openNetlinkTable(p.Path, flags):
	case p.native:
		c.proceed()
	case resolve != 0:
		c.openResolved(p.Path, flags, mode) // the walk has kept the rules
	default:
		c.openReal(p.Path, flags, mode)
	}
}

// creating returns the error of an open with O_CREAT whose path leads to err. Nothing
// can be made in virtual directories.
func (c *call) creating(dirfd int32, addr uint64, err error) error {
	_, newErr := c.newName(dirfd, addr)
	if newErr != nil && newErr != unix.EEXIST {
		return err
	}
	switch raw, readErr := c.readString(addr); {
	case readErr == nil && bytes.HasSuffix(raw, []byte("/")):
		return unix.EISDIR
	case err == unix.ENOENT && newErr == nil:
		return unix.EACCES // as in a file system that makes no files
	}
	return err
}

// crossesMount reports whether two files on the way of a path are in different file
// systems. One that cannot be found is in none.
func (c *call) crossesMount(from, to string) bool {
	start, ok1 := c.deviceOf(from)
	end, ok2 := c.deviceOf(to)
	return ok1 && ok2 && start != end
}

// deviceOf returns the device of a file, or that of the file system in which a
// virtual one seems to be.
func (c *call) deviceOf(path string) (dev uint64, ok bool) {
	switch {
	case inDebugfs(path):
		return debugfsDev, true
	case inConfigfs(path):
		return configfsDev, true
	}
	if n, _ := c.host.tree.Load().Lookup(path); n != nil {
		path = fileSystem(path)
	}
	var st unix.Stat_t
	err := c.tid().Identify(path, &st)
	return st.Dev, err == nil
}

// reopen opens the file behind a link of /proc again.
func (c *call) reopen(path string, flags int) {
	o, _, err := c.magic(path)
	switch {
	case err != nil:
		c.fail(err)
	case o.file != nil && flags&unix.O_PATH == 0:
		minor := o.file.Node().Minor()
		if !c.landlocked("/dev/dri/"+minor.Name(), flags) {
			c.openMinor(minor, flags)
		}
	case o.dmaBuf != nil:
		c.fail(unix.ENXIO)
	case o.file != nil:
		c.openSnapshot(c.host.shownPath(o), "", flags)
	default:
		n, _ := c.host.tree.Load().Lookup(o.path)
		if n == nil {
			c.fail(unix.ENODEV) // its device is gone
			return
		}
		c.openNode(place{Place: vfs.Place{Path: o.path, Node: n, Virtual: true}}, flags, 0)
	}
}

func (c *call) openNode(p place, flags int, mode uint32) {
	n := p.Node
	direct := flags&(unix.O_DIRECT|unix.O_PATH) == unix.O_DIRECT && fileSystem(p.Path) != "/run"
	switch {
	case n.Kind != vfs.Dir && flags&unix.O_DIRECTORY != 0:
		c.fail(unix.ENOTDIR)
	case flags&(unix.O_CREAT|unix.O_EXCL) == unix.O_CREAT|unix.O_EXCL && !p.native:
		c.fail(unix.EEXIST)
	case n.Kind == vfs.Dir && n.Own() && flags&unix.O_PATH == 0 && c.permit(p.Path, n, unix.R_OK) != nil:
		c.fail(unix.EACCES)
	case n.Kind != vfs.Link && flags&(unix.O_NOATIME|unix.O_PATH) == unix.O_NOATIME && !c.owns(p.Path, n):
		c.fail(unix.EPERM)
	case n.Kind != vfs.Link && c.landlocked(p.Path, flags):
	case n.Kind == vfs.Dir && (p.native || !direct):
		c.openDir(p, flags)
	case flags&unix.O_PATH != 0:
		c.openSnapshot(p.Path, "", flags)
	case n.Kind == vfs.Link: // and it is not to be followed
		c.fail(unix.ELOOP)
	case direct:
		c.fail(unix.EINVAL)
	case n.Kind == vfs.Char && !c.mayOpenDevices(p.Path):
		c.fail(unix.EACCES)
	case n.Kind == vfs.Char && n.Open != nil:
		c.openStream(p, flags)
	case n.Chardev != nil:
		c.openChardev(p, flags)
	case n.Terminal:
		c.openTerminal(n, flags, mode)
	case n.Kind == vfs.Char:
		minor := c.host.class.Minor(n.Minor)
		if minor == nil {
			c.fail(unix.ENOENT)
			return
		}
		c.openMinor(minor, flags)
	case n.Socket():
		c.fail(unix.ENXIO)
	default:
		c.openFile(p, flags)
	}
}

// openFile opens a file of sysfs, debugfs or the like.
func (c *call) openFile(p place, flags int) {
	n, writes := p.Node, flags&unix.O_ACCMODE != unix.O_RDONLY
	want := accessOf(flags)
	if flags&unix.O_TRUNC != 0 {
		want |= unix.W_OK
	}
	err := c.permit(p.Path, n, want)
	switch {
	case err != nil:
		c.fail(err)
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

// accessOf returns the access that the flags of open(2) ask for.
func accessOf(flags int) uint32 {
	switch flags & unix.O_ACCMODE {
	case unix.O_RDONLY:
		return unix.R_OK
	case unix.O_WRONLY:
		return unix.W_OK
	}
	return unix.R_OK | unix.W_OK
}

// openMinor opens a node.
func (c *call) openMinor(minor *drm.Minor, flags int) {
	readEnd, err := c.host.files.OpenMinor(c, minor, c.opener(), flags)
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
	theirs, err := c.host.attributes.Open(c.opener(), p.Path, flags, content, p.Node.Store)
	if err != nil {
		c.fail(err)
		return
	}
	c.retFD(theirs, flags&unix.O_CLOEXEC != 0)
}

// openDir gives the program a directory that lists the virtual entries and, if
// those only add to it, the real ones.
func (c *call) openDir(p place, flags int) {
	if flags&unix.O_ACCMODE != unix.O_RDONLY || flags&(unix.O_CREAT|unix.O_TRUNC) != 0 {
		if p.native {
			c.proceed()
			return
		}
		if flags&unix.O_TMPFILE == unix.O_TMPFILE {
			c.fail(cmp.Or(c.permit(p.Path, p.Node, unix.W_OK), error(unix.EOPNOTSUPP)))
			return
		}
		c.fail(unix.EISDIR)
		return
	}
	entries := p.Node.Entries()
	if !p.Node.Own() {
		real, err := c.tid().Entries(p.Path)
		added := len(entries)
		for _, e := range real {
			if !p.Node.Shows(e.Name()) {
				added--
				continue
			}
			entries = append(entries, c.entry(p.Path, e))
		}
		if p.native && (added == 0 || !c.sharesDir(p.Path) || err != nil || flags&unix.O_PATH != 0 || !listed(p.Path)) {
			c.proceed() // the real listing is right or not needed
			return
		}
	}
	fd, err := c.copyOf(p.Path, entries, flags)
	if err == unix.EACCES {
		c.fail(err)
		return
	}
	if err != nil {
		c.host.log.Error("host: a virtual directory could not be shown", "path", p.Path, "err", err)
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
			err = unix.ENOMEM // a directory of the kernel takes memory, and is in no file system that is full
		}
		c.fail(err)
		return
	}
	c.retFD(fd, flags&unix.O_CLOEXEC != 0)
}

// copyOf returns a descriptor of the copy of a virtual directory, opened with
// flags. EACCES when the copies lie in a directory of this process's root and the
// program has another one: by ".." it could leave its own.
func (c *call) copyOf(path string, entries []vfs.Entry, flags int) (int, error) {
	if c.host.shadow.Root() != "" && !c.tid().InOurRoot() {
		return -1, unix.EACCES
	}
	const kept = unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_APPEND | unix.O_NONBLOCK | unix.O_NOATIME | unix.O_SYNC
	open := flags & kept
	if flags&unix.O_PATH != 0 {
		open = flags&(unix.O_DIRECTORY|unix.O_NOFOLLOW) | pathOnlyMark
	}
	return c.host.shadow.OpenAs(path, entries, open)
}

// listed reports whether virtual entries are added to the listing of a real
// directory. A program that creates files below a descriptor of it would create
// them in a copy, so only directories in which programs create none.
func listed(path string) bool { return path != "/" && path != "/run" && path != "/run/udev" }

func (c *call) entry(dir string, e os.DirEntry) vfs.Entry {
	entry := vfs.Entry{Name: e.Name(), Kind: vfs.File}
	switch t := e.Type(); {
	case t.IsDir():
		entry.Kind = vfs.Dir
	case t&os.ModeSymlink != 0:
		target, err := c.readReal(dir + "/" + e.Name())
		if err == nil { // otherwise the link is gone, or the program
			entry.Kind, entry.Target = vfs.Link, target
		}
	case t&os.ModeCharDevice != 0:
		entry.Kind = vfs.Char
	}
	return entry
}

// openSnapshot gives the program a file with the present content of a virtual
// file. Without content it only stands for the path.
func (c *call) openSnapshot(path, content string, flags int) {
	fd, err := c.host.snapshots.Open(path, content, flags)
	if err != nil {
		c.fail(err)
		return
	}
	c.retFD(fd, flags&unix.O_CLOEXEC != 0)
}

// openReal makes the program's own thread open the real file at path, which the
// kernel would not find there. The open does not wait, as that of a FIFO or of a
// leased file can, because a worker waits for the thread.
func (c *call) openReal(path string, flags int, mode uint32) {
	c.withPath(path, func(x *thread.Tracee, addr uint64) (int64, error) {
		fd, err := x.Syscall(unix.SYS_OPENAT, [6]uint64{cookieCWD, addr, uint64(uint32(flags | unix.O_NONBLOCK)), uint64(mode)})
		return unsetNonblock(x, fd, err, flags)
	})
}

// openResolved is openReal for a path without links that openat2 leads to. A link
// that another thread puts on the way is not followed: ELOOP.
func (c *call) openResolved(path string, flags int, mode uint32) {
	nonblock := flags
	if flags&unix.O_PATH == 0 {
		nonblock |= unix.O_NONBLOCK
	}
	how := make([]byte, 0, unix.SizeofOpenHow)
	for _, v := range []uint64{uint64(nonblock), uint64(mode), unix.RESOLVE_NO_SYMLINKS} {
		how = binary.NativeEndian.AppendUint64(how, v)
	}
	c.withPath(string(how)+path, func(x *thread.Tracee, addr uint64) (int64, error) {
		fd, err := x.Syscall(unix.SYS_OPENAT2, [6]uint64{cookieCWD, addr + unix.SizeofOpenHow, addr, unix.SizeofOpenHow})
		return unsetNonblock(x, fd, err, flags)
	})
}

// unsetNonblock gives a descriptor that was opened with O_NONBLOCK the flags that
// the program wanted.
func unsetNonblock(x *thread.Tracee, fd int64, err error, flags int) (int64, error) {
	if err != nil || fd < 0 || flags&(unix.O_NONBLOCK|unix.O_PATH) != 0 {
		return fd, err
	}
	const settable = unix.O_APPEND | unix.O_ASYNC | unix.O_DIRECT | unix.O_NOATIME
	_, err = x.Syscall(unix.SYS_FCNTL, [6]uint64{uint64(fd), unix.F_SETFL, uint64(flags & settable)})
	return fd, err
}
