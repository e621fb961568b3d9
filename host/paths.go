package host

import (
	"bytes"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/host/internal/files"
	"github.com/udrm/udrm/host/internal/snapshot"
	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
	"github.com/udrm/udrm/internal/pollfd"
)

// An opened is what a descriptor of a program refers to, if the host made it.
type opened struct {
	file   *files.File // an open node
	dmaBuf *gem.DMABuf // otherwise, if not nil: a dma-buf
	path   string      // otherwise, if not "": a virtual file, directory or link
	stream *files.File // the open file at path, if it is a stream
}

// openedAs returns what an open file of a program refers to. link is its link
// in /proc, at procPath, and identify returns its identity and type. The link alone proves nothing, as
// programs choose the names of files: it only spares most files the rest.
func (h *Host) openedAs(link []byte, procPath string, identify func(*unix.Stat_t) error) (o opened) {
	if inode := files.SocketInode(link); inode != 0 {
		o.path = h.attributes.Path(inode)
		return o
	}
	if inode := files.PipeInode(link); inode != 0 {
		if f := h.files.Lookup(inode, procPath); f != nil && f.Node() != nil {
			o.file = f
		} else if f != nil {
			s, _ := f.Client().(*stream)
			o.path, o.stream = s.at(), f
		} else {
			o.path = h.attributes.Path(inode)
		}
		return o
	}
	isSnapshot := snapshot.Named(link)
	if !isSnapshot && !h.chardevs.mayHave(link) && !h.shadow.MayHave(link) && !h.mayBeTerminal(link) {
		return o
	}
	var st unix.Stat_t
	if identify(&st) != nil {
		return o
	}
	id := pollfd.IDOf(&st)
	if isSnapshot {
		o.path = h.snapshots.Path(link, &st)
	} else if f, ok := h.chardevs.find(id); ok {
		o.path = f.path
	} else if o.path = h.terminalPath(id); o.path != "" {
	} else if o.path = h.shadow.Path(id); o.path == "" {
		o.dmaBuf = gem.LookupDMABuf(&st)
	}
	return o
}

// file returns the file that a descriptor refers to, or nil. The caller puts
// it.
func (c *call) file(fd int32) *files.File {
	inode, known := c.fds.Pipe(c.tid(), int(fd))
	if !known {
		link, err := c.fds.Link(c.tid(), int(fd), c.linkBuf[:])
		if err != nil {
			return nil
		}
		inode = files.PipeInode(link)
	}
	if inode == 0 {
		return nil
	}
	kept := c.fds.Kept(c.tid())
	p := &c.proofs[(kept*32+uint64(fd))%uint64(len(c.proofs))]
	now := proof{kept, fd, inode, p.at}
	if kept != 0 && *p == now && !c.received.IsZero() && c.received.Sub(p.at) < proofTime {
		return c.host.files.AcquireProven(inode)
	}
	f := c.host.files.Acquire(inode, c.tid().FDPath(fd))
	if f != nil && c.tid().PathOnly(fd) {
		f.Put()
		return nil
	}
	if f != nil {
		now.at = c.received
		*p = now
	}
	return f
}

// A proof says that a descriptor of a thread was that of a file of this host, and
// of no other pipe with the same number (files/proof.go).
type proof struct {
	kept  uint64 // identifies the thread: see thread.FDs.Kept
	fd    int32
	inode uint64
	at    time.Time
}

// proofTime is how long a proof is relied on while the descriptor is a pipe with
// the same number. To put another one in its place, a program must have made
// 2^32 pipes, and had the file itself within that time.
const proofTime = time.Second

// opened returns what a descriptor of the program refers to.
func (c *call) opened(fd int32) opened {
	link, err := c.tid().FD(int(fd), c.linkBuf[:])
	if err != nil {
		return opened{}
	}
	return c.host.openedAs(link, c.tid().FDPath(fd), func(st *unix.Stat_t) error { return c.tid().IdentifyFD(fd, st) })
}

// mayBeTerminal reports whether a link of /proc may be that of a dma-buf or of a
// virtual terminal.
func (h *Host) mayBeTerminal(link []byte) bool {
	return (gem.DMABufs() > 0 || h.terminals != nil && h.terminals.Any()) && isTerminal(link)
}

// isTerminal reports whether a link of /proc may be that of a pseudoterminal:
// /dev/pts/3, wherever that is mounted.
func isTerminal(link []byte) bool {
	number := bytes.TrimRight(link, "0123456789")
	return len(number) > 0 && len(number) < len(link) && number[len(number)-1] == '/'
}

// A place is where a path of the program leads.
type place struct {
	vfs.Place
	// native says that the kernel finds the same, so it runs the call. It also
	// holds for a directory that has virtual entries besides real ones, except
	// that the kernel does not list them.
	native bool
}

// errNative says that a path does not lead through virtual files.
var errNative = errors.New("host: not a virtual path")

// place resolves the path at addr, from the directory dirfd if it is relative.
// errNative says that the kernel must resolve it; any other error is the
// program's.
func (c *call) place(dirfd int32, addr uint64, follow bool) (place, error) {
	rules := vfs.Rules{NoFollow: !follow}
	return c.placeBy(dirfd, addr, rules)
}

func (c *call) placeBy(dirfd int32, addr uint64, rules vfs.Rules) (place, error) {
	raw, err := c.readString(addr)
	if err != nil || len(raw) == 0 {
		c.host.deny(DenialMemory, c.n.PID, err)
		return place{}, errNative // the kernel knows the right error
	}
	return c.placeOf(dirfd, raw, rules)
}

// placeOf resolves a path.
func (c *call) placeOf(dirfd int32, raw []byte, rules vfs.Rules) (p place, err error) {
	// Earlier writes take effect before this call is answered.
	c.host.attributes.Drain(c)
	tree := c.host.tree.Load()
	base, private := "/", false
	full := raw
	if raw[0] != '/' || rules.InRoot {
		if base, private, err = c.base(dirfd); err != nil {
			return place{}, err
		}
		full = append(append([]byte(base), '/'), raw...)
	}
	if !private && !relevant(tree, full) && !c.linkedTo(tree, full, bytes.IndexByte(raw, '/') >= 0, !rules.NoFollow) {
		return place{}, errNative
	}
	onlyMagic := false
	if !private {
		sees, err := c.seesDevices()
		// The links of /proc lead to descriptors, which a program has in every root.
		if !sees && !isShortage(err) && base == "/" && bytes.HasPrefix(raw, []byte("/proc/")) {
			sees, onlyMagic = true, true
		}
		if sees && raw[0] != '/' {
			sees, err = c.isDirectory(dirfd)
		}
		if isShortage(err) {
			return place{}, err // the kernel would say that there is no such file
		}
		if !sees {
			return place{}, errNative
		}
	}
	c.fromOurs = private
	at, err := tree.Walk(base, string(raw), rules, c)
	if onlyMagic && (err != nil || !at.Magic && !isMagic(at.Path) && !isFDInfo(at.Path)) {
		return place{}, errNative
	}
	switch {
	case (err == unix.EACCES || err == unix.EPERM || err == errMoved) && !private:
		return place{}, errNative // the kernel knows better
	case err != nil:
		return place{}, err
	}
	if at.Node != nil {
		if err := c.mayTraverse(base, at.Path); err != nil {
			return place{}, err
		}
	}
	p = place{Place: at}
	p.native = !private && !at.Virtual && !at.Magic && c.real(at)
	if p.native && at.Node == nil && !isMagic(at.Path) && !isFDInfo(at.Path) && !isNetlinkTable(at.Path) {
		return place{}, errNative
	}
	return p, nil
}

// seesDevices reports whether the program has the /dev that the host has: the
// same file system, or a bind mount of it. In a container or a root without
// it there are no devices, as with a kernel.
func (c *call) seesDevices() (bool, error) {
	if c.host.everyRoot {
		return true, nil
	}
	var st unix.Stat_t
	err := c.tid().Identify("/dev", &st)
	return err == nil && pollfd.IDOf(&st) == c.host.dev, err
}

// isShortage reports whether a look at a file of a program has failed because this
// process or the machine has no descriptor or no memory left for it.
func isShortage(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM)
}

// atPath serves a call on the file that the path at addr leads to: on an open
// file, when that is a link of /proc, on a virtual file, or, by the program's
// own thread, on a real file at the end of a path that the kernel does not know.
func (c *call) atPath(dirfd int32, addr uint64, follow bool, onOpened func(opened), onVirtual func(place), onReal func(path string)) {
	p, err := c.place(dirfd, addr, follow)
	c.atPlace(p, err, onOpened, onVirtual, onReal)
}

// atPlace is atPath for a path that is resolved, with that error.
func (c *call) atPlace(p place, err error, onOpened func(opened), onVirtual func(place), onReal func(path string)) {
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
	case p.Node == nil, p.Node.Kind == vfs.Dir && c.real(p.Place):
		onReal(p.Path)
	default:
		onVirtual(p)
	}
}

// atFD serves a call on what a descriptor refers to, if the host made it.
func (c *call) atFD(fd int32, onOpened func(opened)) {
	o := c.opened(fd)
	if o == (opened{}) {
		c.proceed()
		return
	}
	onOpened(o)
}

// real reports whether a real file is at the end of a walk: no virtual one is,
// or a directory that only adds virtual entries.
func (c *call) real(at vfs.Place) bool {
	if at.Node == nil {
		return true
	}
	if at.Node.Kind != vfs.Dir || at.Node.Own() {
		return false
	}
	var st unix.Stat_t
	return c.tid().Identify(at.Path, &st) == nil
}

// base returns the directory from which relative paths start. private says
// that it is a directory of the host, in which the kernel would find nothing.
func (c *call) base(dirfd int32) (base string, private bool, err error) {
	var link []byte
	at, identify := c.tid().CWDPath(), c.tid().IdentifyCWD
	if dirfd == unix.AT_FDCWD {
		link, err = c.tid().CWD(c.linkBuf[:])
	} else {
		link, err = c.tid().FD(int(dirfd), c.linkBuf[:])
		at, identify = c.tid().FDPath(dirfd), func(st *unix.Stat_t) error { return c.tid().IdentifyFD(dirfd, st) }
	}
	if err != nil || len(link) == 0 || link[0] != '/' {
		return "", false, errNative
	}
	o := c.host.openedAs(link, at, identify)
	if o.path != "" {
		if snapshot.Named(link) {
			return "", false, unix.ENOTDIR
		}
		return o.path, true, nil
	}
	link, ok := c.inRoot(link)
	if !ok {
		return "", false, errNative
	}
	return string(link), false, nil
}

// inRoot turns a path in the root of this process, as a link of /proc has it, into
// one in the program's root. ok is false if it is outside of that.
func (c *call) inRoot(path []byte) (inside []byte, ok bool) {
	var buf [unix.PathMax]byte
	root, err := c.tid().RootLink(buf[:])
	if err != nil {
		return nil, false
	}
	if len(root) <= 1 {
		return path, true
	}
	rest, ok := bytes.CutPrefix(path, root)
	switch {
	case !ok, len(rest) > 0 && rest[0] != '/':
		return nil, false
	case len(rest) == 0:
		return []byte("/"), true
	}
	return rest, true
}

// isDirectory reports whether relative paths can start at dirfd.
func (c *call) isDirectory(dirfd int32) (bool, error) {
	if dirfd == unix.AT_FDCWD {
		return true, nil
	}
	var st unix.Stat_t
	err := c.tid().IdentifyFD(dirfd, &st)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR, err
}

// relevant reports whether a path may lead through virtual files. It is called
// for every path that a program uses, most of which have nothing in common
// with virtual ones: it must be fast.
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
	case bytes.HasPrefix(p, []byte("/run/systemd")):
	case bytes.HasPrefix(p, []byte("/proc/")):
		return bytes.Contains(p, []byte("/fd/")) || bytes.Contains(p, []byte("/fdinfo/")) || bytes.Contains(p, []byte("/cwd")) || bytes.Contains(p, []byte("/root")) ||
			bytes.HasSuffix(p, []byte("/net/netlink"))
	default:
		return false
	}
	if messy && bytes.Contains(raw, []byte("/..")) {
		return true // the part before it may be a link
	}
	if rest, ok := bytes.CutPrefix(p, []byte("/dev/")); ok && (bytes.HasPrefix(rest, []byte("fd/")) || bytes.HasPrefix(rest, []byte("std"))) {
		return true
	}
	return tree.Relevant(string(p))
}

// maxRealLinks bounds the chain of real links that leads to a virtual file.
const maxRealLinks = 4

// packaged are the directories in which only packages install files: no user
// and no udev rule puts a link to a card there. Most paths of programs lie
// there, and looking for a link would cost a sixth more.
var packaged = [...]string{"/usr/", "/lib", "/etc/", "/bin/", "/sbin/", "/opt/", "/proc/", "/sys/", "/nix/"}

func isPackaged(path []byte) bool {
	for _, prefix := range packaged {
		if bytes.HasPrefix(path, []byte(prefix)) {
			return true
		}
	}
	return false
}

// linkedTo reports whether a real link leads to virtual files, directly or
// through others: one at the end of the path if follow is set, or one on the way,
// behind which nothing real is. above says that there can be one on the way.
func (c *call) linkedTo(tree *vfs.Tree, full []byte, above, follow bool) bool {
	if isPackaged(full) {
		return false
	}
	for range maxRealLinks {
		target, err := "", unix.ENOENT
		if follow {
			target, err = c.linkHint(full)
		}
		switch {
		case err == unix.EINVAL:
			return false // in most cases: it is not a link
		case err == 0 && len(target) > 0:
			full, above = linkTarget(full, target), true
		case !above:
			return false
		default:
			if full = c.throughLink(full); full == nil {
				return false
			}
		}
		if relevant(tree, full) {
			return true
		}
	}
	return false
}

func (c *call) linkHint(path []byte) (target string, errno unix.Errno) {
	target, err := c.tid().LinkHint(string(path))
	if err != nil {
		return "", errnoOf(err)
	}
	return target, 0
}

// throughLink returns another path of the file at full, if a link is on the way,
// or nil. The program can exchange the link: this is only a hint.
func (c *call) throughLink(full []byte) []byte {
	end := bytes.LastIndexByte(full, '/')
	for range maxDepth {
		if end <= 0 {
			return nil
		}
		dir := full[:end]
		if c.plain.is(c.tid(), dir) {
			return nil
		}
		if real, err := c.tid().DirectoryHint(string(dir)); err == nil {
			inside, ok := c.inRoot([]byte(real))
			if ok && !bytes.Equal(inside, dir) {
				return slices.Concat(inside, full[end:])
			}
			c.plain.set(c.tid(), dir) // in most cases
			return nil
		}
		if target, errno := c.linkHint(dir); errno == 0 && len(target) > 0 {
			return slices.Concat(linkTarget(dir, target), full[end:])
		}
		end = bytes.LastIndexByte(dir, '/')
	}
	return nil
}

// maxDepth bounds the directories of a path that are looked at.
const maxDepth = 40

// A plainDir is a directory that a thread has used, and to which no link leads.
// Programs use the files of a directory one after another.
type plainDir struct {
	tid  thread.ID
	path []byte
	seen time.Time
}

// plainFor is how long a directory counts as plain: a program that replaces it
// by a link to a virtual one takes longer to notice.
const plainFor = 20 * time.Millisecond

func (d *plainDir) is(tid thread.ID, path []byte) bool {
	return d.tid == tid && bytes.Equal(d.path, path) && time.Since(d.seen) < plainFor
}

func (d *plainDir) set(tid thread.ID, path []byte) {
	d.tid, d.path, d.seen = tid, append(d.path[:0], path...), time.Now()
}

// linkTarget returns where the link at path leads.
func linkTarget(path []byte, target string) []byte {
	if target[0] == '/' {
		return []byte(target)
	}
	return slices.Concat(path[:bytes.LastIndexByte(path, '/')+1], []byte(target))
}

// errMoved says that the program has exchanged a directory on the way by a link
// during a walk.
var errMoved = errors.New("host: the path has changed")

// Readlink implements vfs.Real: it reads real links as the program sees them.
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
	root := isRootLink(path)
	if !root && !isMagic(path) {
		return c.readReal(path)
	}
	if c.noMagic != 0 {
		return "", c.noMagic
	}
	if root {
		same, err := c.tid().HasRoot(path)
		switch {
		case err != nil:
			return "", err
		case same:
			return "/", nil
		}
		return "", unix.EINVAL // not to a path of the program
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
		return "", unix.EINVAL // not a path: only the kernel knows the file
	}
	inside, ok := c.inRoot([]byte(text))
	if !ok || !c.leadsTo(string(inside), path) {
		return "", unix.EINVAL
	}
	return string(inside), nil
}

// leadsTo reports whether a path of the program can lead to the file of a link of
// /proc. If it does not, the mount of the file is in no root, as after pivot_root.
func (c *call) leadsTo(path, link string) bool {
	var file, open unix.Stat_t
	switch err := c.tid().Identify(path, &file); {
	case err == unix.ENOENT, err == unix.ENOTDIR:
		return false
	case err != nil: // a file that could not be looked at, in a FUSE file system for example
		return true
	}
	return c.tid().IdentifyLink(link, &open) == nil && pollfd.IDOf(&file) == pollfd.IDOf(&open)
}

// readReal reads the real link at path.
func (c *call) readReal(path string) (target string, err error) {
	target, err = c.tid().Readlink(path)
	if err == unix.ELOOP {
		err = errMoved
	}
	return target, err
}

// isMagic reports whether path, which has no links on the way, is a link of
// /proc to an open file or a working directory.
func isMagic(path string) bool {
	parts := inProcess(path)
	return len(parts) == 2 && parts[0] == "fd" || len(parts) == 1 && parts[0] == "cwd"
}

// isRootLink does the same for links to root directories.
func isRootLink(path string) bool {
	parts := inProcess(path)
	return len(parts) == 1 && parts[0] == "root"
}

// inProcess returns the parts of a path of /proc after the id of a process or
// thread.
func inProcess(path string) []string {
	rest, ok := strings.CutPrefix(path, "/proc/")
	if !ok {
		return nil
	}
	parts := strings.Split(rest, "/")
	if len(parts) >= 4 && parts[1] == "task" {
		parts = parts[2:]
	}
	return parts[1:]
}

// magic returns what a link leads to for which isMagic holds, and its text.
func (c *call) magic(path string) (o opened, text string, err error) {
	if text, err = c.tid().ProcLink(path); err != nil {
		return opened{}, "", err
	}
	o = c.host.openedAs([]byte(text), c.tid().RootPath(path), func(st *unix.Stat_t) error { return c.tid().IdentifyLink(path, st) })
	return o, text, nil
}

// ownIDs returns the process and thread id of the caller in its own /proc,
// which may be that of another pid namespace.
func (c *call) ownIDs() (pid, tid string) {
	var ours, theirs unix.Stat_t
	status := c.tid().Status()
	pids, tids := strings.Fields(status["NStgid"]), strings.Fields(status["NSpid"])
	if len(pids) == 0 || len(tids) == 0 {
		return strconv.Itoa(c.client().PID), strconv.Itoa(int(c.tid()))
	}
	if unix.Stat("/proc", &ours) == nil && c.tid().Identify("/proc", &theirs) == nil && ours.Dev == theirs.Dev {
		return pids[0], tids[0]
	}
	return pids[len(pids)-1], tids[len(tids)-1]
}

// shownPath returns the path of an open file as /proc shows it.
func (h *Host) shownPath(o opened) string {
	shown, gone := o.path, false
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
