package host

import (
	"bytes"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/host/internal/files"
	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// An opened is what a descriptor of a program refers to, if it is one that we
// gave it.
type opened struct {
	file    *files.File // an open node
	dmaBuf  *gem.DMABuf // else, if not nil: a dma-buf
	path    string      // else, if not "": a virtual file, directory or link
	deleted bool        // a directory that is there no more
}

// snapshotPrefix begins the names of the memfds that stand for virtual files
// that are not directories; the path follows. /proc shows it with "/memfd:"
// before it and " (deleted)" behind.
const snapshotPrefix = "udrm:"

// openedBy says what a link of /proc/PID/fd means, unless it is that of a
// dma-buf. The file is not acquired.
func (h *Host) openedBy(link []byte) (o opened) {
	if inode := files.SocketInode(link); inode != 0 {
		o.path = h.attributes.Path(inode)
		return o
	}
	if inode := files.PipeInode(link); inode != 0 {
		if f := h.files.Lookup(inode); f != nil && f.Node() != nil {
			o.file = f
		} else if f != nil {
			s, _ := f.Client().(*stream)
			o.path = s.at()
		} else {
			o.path = h.attributes.Path(inode)
		}
		return o
	}
	if rest, ok := bytes.CutPrefix(link, []byte("/memfd:"+snapshotPrefix)); ok {
		o.path = string(bytes.TrimSuffix(rest, []byte(" (deleted)")))
		return o
	}
	if bytes.HasPrefix(link, []byte(h.shadow.Root())) {
		o.path, o.deleted, _ = h.shadow.VirtualPath(string(link))
	}
	return o
}

// file returns the file of ours that a descriptor refers to, nil when it is
// something else. The caller puts it.
func (c *call) file(fd int32) *files.File {
	link, err := c.fds.Link(c.tid(), int(fd), c.linkBuf[:])
	if err != nil {
		return nil
	}
	inode := files.PipeInode(link)
	if inode == 0 {
		return nil
	}
	return c.host.files.Acquire(inode)
}

// opened says what a descriptor of the program refers to.
func (c *call) opened(fd int32) opened {
	link, err := c.tid().FD(int(fd), c.linkBuf[:])
	if err != nil {
		return opened{}
	}
	return c.orDMABuf(c.host.openedBy(link), link, c.tid().FDPath(fd))
}

// orDMABuf finds out that a descriptor, which is at path in /proc, is one of a
// dma-buf. Its link alone does not say so.
func (c *call) orDMABuf(o opened, link []byte, path string) opened {
	var st unix.Stat_t
	if o == (opened{}) && gem.DMABufs() > 0 && isTerminal(link) && unix.Stat(path, &st) == nil {
		o.dmaBuf = gem.LookupDMABuf(&st)
	}
	return o
}

// isTerminal reports whether a link of /proc may be that of a pseudoterminal,
// /dev/pts/3, wherever that is mounted.
func isTerminal(link []byte) bool {
	number := bytes.TrimRight(link, "0123456789")
	return len(number) > 0 && len(number) < len(link) && number[len(number)-1] == '/'
}

// A place is where a path of the program leads.
type place struct {
	vfs.Place
	// native says that the kernel finds the same: the call is its. It holds
	// also for a directory to which virtual nodes are only added, except that
	// its listing lacks them.
	native bool
}

var errNative = errors.New("host: the path is none of ours")

// place resolves the path at addr, from the directory dirfd if it is relative.
// errNative says that it has nothing to do with virtual files; any other error
// is the program's.
func (c *call) place(dirfd int32, addr uint64, follow bool) (place, error) {
	raw, err := c.tid().ReadString(c.pathBuf[:], addr)
	if err != nil || len(raw) == 0 {
		c.host.deny(DenialMemory, c.n.PID, err)
		return place{}, errNative // the kernel knows the right error
	}
	// What was written ahead of this call is done ahead of its answer.
	c.host.attributes.Drain()
	tree := c.host.tree.Load()
	base, private := "/", false
	full := raw
	if raw[0] != '/' {
		if base, private, err = c.base(dirfd); err != nil {
			return place{}, err
		}
		full = append(append([]byte(base), '/'), raw...)
	}
	if !private && !relevant(tree, full) && !(follow && c.linkedTo(tree, full)) {
		return place{}, errNative
	}
	at, err := tree.Walk(base, string(raw), follow, c)
	switch {
	case (err == unix.EACCES || err == unix.EPERM) && !private:
		return place{}, errNative // the kernel knows better than we
	case err != nil:
		return place{}, err
	}
	p := place{Place: at}
	p.native = !private && !at.Virtual && !at.Magic && c.host.real(c, at)
	if p.native && at.Node == nil && !c.isMagic(at.Path) {
		return place{}, errNative
	}
	return p, nil
}

// atPath serves a call on what the path at addr leads to: on an open file, when
// that is a link of /proc, or at a place. A call that has nothing to do with
// virtual files is the kernel's.
func (c *call) atPath(dirfd int32, addr uint64, follow bool, onOpened func(opened), onPlace func(place)) {
	p, err := c.place(dirfd, addr, follow)
	switch {
	case err == errNative, err == nil && p.native:
		c.proceed()
	case err != nil:
		c.fail(err)
	case p.Magic:
		o, _, err := c.magic(p.Path)
		if err != nil {
			c.fail(err)
			return
		}
		onOpened(o)
	default:
		onPlace(p)
	}
}

// atFD serves a call on what a descriptor refers to. One that is not ours is
// the kernel's.
func (c *call) atFD(fd int32, onOpened func(opened)) {
	o := c.opened(fd)
	if o == (opened{}) {
		c.proceed()
		return
	}
	onOpened(o)
}

// real reports whether there is something real at the end of a walk: nothing
// virtual, or a directory to which virtual nodes are only added.
func (h *Host) real(c *call, at vfs.Place) bool {
	if at.Node == nil {
		return true
	}
	if at.Node.Kind != vfs.Dir || at.Node.Own() {
		return false
	}
	var st unix.Stat_t
	return unix.Lstat(c.realPath(at.Path), &st) == nil
}

// base is the directory that relative paths start from. private says that it
// is a directory of our making, in which the kernel would find nothing.
func (c *call) base(dirfd int32) (base string, private bool, err error) {
	var link []byte
	if dirfd == unix.AT_FDCWD {
		link, err = c.tid().CWD(c.linkBuf[:])
	} else {
		link, err = c.tid().FD(int(dirfd), c.linkBuf[:])
	}
	if err != nil || len(link) == 0 || link[0] != '/' {
		return "", false, errNative
	}
	o := c.host.openedBy(link)
	switch {
	case o.deleted:
		return "", false, unix.ENOENT
	case o.path != "":
		return o.path, true, nil
	}
	return string(link), false, nil
}

// relevant reports whether a path may have to do with virtual files. It is
// asked for every path that any program uses, and most have nothing in common
// with ours: it must be quick.
func relevant(tree *vfs.Tree, raw []byte) bool {
	messy := bytes.Contains(raw, []byte("//")) || bytes.Contains(raw, []byte("/."))
	p := raw
	if messy {
		p = []byte(path.Clean(string(raw)))
	}
	if i := bytes.Index(raw, []byte("/..")); i > 0 && relevant(tree, raw[:i]) {
		return true // through virtual files, wherever it ends
	}
	switch {
	case bytes.HasPrefix(p, []byte("/sys")):
	case bytes.HasPrefix(p, []byte("/dev")):
	case bytes.HasPrefix(p, []byte("/run/udev")), bytes.HasPrefix(p, []byte("/var/run/udev")), bytes.HasPrefix(p, []byte("/run/modprobe.d")):
		return true
	case bytes.HasPrefix(p, []byte("/proc/")):
		return bytes.Contains(p, []byte("/fd/")) || bytes.Contains(p, []byte("/cwd"))
	default:
		return false
	}
	if messy && bytes.Contains(raw, []byte("/..")) {
		return true // what is before it may be a link
	}
	if rest, ok := bytes.CutPrefix(p, []byte("/dev/")); ok && (bytes.HasPrefix(rest, []byte("fd/")) || bytes.HasPrefix(rest, []byte("std"))) {
		return true
	}
	return tree.Relevant(string(p))
}

// maxRealLinks is how many real links may lead to another before one leads to a
// virtual file.
const maxRealLinks = 4

// packaged are where only packages put files: no link of a user or of udev to a
// card. Most paths that programs use lie there, and to look for a link would
// cost a sixth more.
var packaged = [...]string{"/usr/", "/lib", "/etc/", "/bin/", "/sbin/", "/opt/", "/proc/", "/sys/", "/nix/"}

// linkedTo reports whether a real link is at the end of a path, and leads to
// virtual files, itself or by others.
func (c *call) linkedTo(tree *vfs.Tree, full []byte) bool {
	for _, prefix := range packaged {
		if bytes.HasPrefix(full, []byte(prefix)) {
			return false
		}
	}
	var buf [unix.PathMax]byte
	for range maxRealLinks {
		target, err := c.tid().Readlink(full, buf[:])
		if err != nil || len(target) == 0 {
			return false // mostly: it is no link
		}
		if target[0] == '/' {
			full = slices.Clone(target)
		} else {
			full = slices.Concat(full[:bytes.LastIndexByte(full, '/')+1], target)
		}
		if relevant(tree, full) {
			return true
		}
	}
	return false
}

// realPath is the path by which we reach what the program has at path.
func (c *call) realPath(path string) string { return c.tid().Root() + path }

// Readlink implements vfs.Real: the links that are really there, as the
// program sees them.
func (c *call) Readlink(path string) (string, error) {
	if !strings.HasPrefix(path, "/proc/") {
		return c.readReal(path)
	}
	switch path {
	case "/proc/self":
		pid, _ := c.ownIDs()
		return pid, nil
	case "/proc/thread-self":
		pid, tid := c.ownIDs()
		return pid + "/task/" + tid, nil
	}
	if !c.isMagic(path) {
		return c.readReal(path)
	}
	o, text, err := c.magic(path)
	switch {
	case err != nil:
		return "", err
	case o.file != nil, o.dmaBuf != nil:
		return "", vfs.ErrMagic
	case o.path != "":
		if n, _ := c.host.tree.Load().Lookup(o.path); n == nil || n.Kind != vfs.Dir {
			return "", vfs.ErrMagic
		}
		return o.path, nil
	case !strings.HasPrefix(text, "/"), strings.HasSuffix(text, " (deleted)"):
		return "", unix.EINVAL // not a path: the kernel knows where it leads
	}
	return text, nil
}

// readReal reads the link that is really at path.
func (c *call) readReal(path string) (target string, err error) {
	err = c.asProgram(func(thread.Credentials) (err error) {
		target, err = readlink(c.realPath(path))
		return err
	})
	return target, err
}

func readlink(path string) (string, error) {
	var buf [unix.PathMax]byte
	n, err := unix.Readlink(path, buf[:])
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// isMagic reports whether path, without links on the way, is a link of /proc
// to an open file or a working directory.
func (c *call) isMagic(path string) bool {
	rest, ok := strings.CutPrefix(path, "/proc/")
	if !ok {
		return false
	}
	parts := strings.Split(rest, "/")
	if len(parts) >= 4 && parts[1] == "task" {
		parts = parts[2:]
	}
	return len(parts) == 3 && parts[1] == "fd" || len(parts) == 2 && parts[1] == "cwd"
}

// magic says where a link leads for which isMagic holds.
func (c *call) magic(path string) (o opened, text string, err error) {
	if text, err = readlink(c.realPath(path)); err != nil {
		return opened{}, "", err
	}
	return c.orDMABuf(c.host.openedBy([]byte(text)), []byte(text), c.realPath(path)), text, nil
}

// ownIDs returns the process and thread id of the caller as its /proc has
// them. That may be the one of a pid namespace of its own.
func (c *call) ownIDs() (pid, tid string) {
	var ours, theirs unix.Stat_t
	status := c.tid().Status()
	pids, tids := strings.Fields(status["NStgid"]), strings.Fields(status["NSpid"])
	if len(pids) == 0 || len(tids) == 0 {
		return strconv.Itoa(c.client().PID), strconv.Itoa(int(c.tid()))
	}
	if unix.Stat("/proc", &ours) == nil && unix.Stat(c.realPath("/proc"), &theirs) == nil && ours.Dev == theirs.Dev {
		return pids[0], tids[0]
	}
	return pids[len(pids)-1], tids[len(tids)-1]
}

// shownPath is the path of an open file as /proc shows it.
func (h *Host) shownPath(o opened) string {
	shown := o.path
	gone := o.deleted
	if o.file != nil {
		m := o.file.Node().Minor()
		shown, gone = "/dev/dri/"+m.Name(), h.class.Minor(m.Number()) != m
	} else if o.dmaBuf != nil {
		shown = "/dmabuf:" + o.dmaBuf.Name()
	} else if _, hidden := h.tree.Load().Lookup(o.path); hidden {
		gone = true
	}
	if gone {
		shown += " (deleted)"
	}
	return shown
}
