package host

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/mounts"
	"github.com/udrm/udrm/host/internal/seccomp"
	"github.com/udrm/udrm/host/internal/vfs"
	"github.com/udrm/udrm/internal/pollfd"
)

// With a [FileServer], the virtual files are mounts in a namespace of the
// programs, and the kernel serves calls on their paths. What still is handed
// over: opens that may be of a card's node, and calls on descriptors, because
// that of a card is a pipe.
//
// Most programs open a node for writing, which the filter sees. An open for
// reading only looks like all others. It is recognized when the kernel asks the
// file server for the node or, where it has found it without, for its permissions
// (handover.go).
//
// No thread of this process that serves a program walks into the mounts: it
// would wait for the file server, and so for this process. They look at files
// with RESOLVE_CACHED (internal/thread/root.go).

// A FileServer begins to serve the virtual files at a FUSE connection, which it
// takes over. It serves until the file system is gone, which is after Close. A host
// has two file systems: one for files below /dev, and one for all others.
type FileServer func(connection *os.File, files *VirtualFiles) error

// mounted is what a host needs to show its files in mounts.
type mounted struct {
	namespace namespace
	files     *VirtualFiles

	mu      sync.Mutex // held while directories are covered
	covered map[string]bool
	unions  []string        // the covered directories that have real files, too
	names   map[string]bool // virtual files in a tmpfs, and whether they are directories
	started bool            // programs are in the namespace

	// The devices of the file systems, as of unix.Mkdev: that of files below /dev,
	// and of all others.
	ofDevices, ofFiles uint64
}

// device returns the device on which programs see a virtual file.
func (m *mounted) device(path string) uint64 {
	if mounts.InDevices(path) {
		return m.ofDevices
	}
	return m.ofFiles
}

// A namespace is the mount namespace of the programs: one that this process made,
// or the launcher.
type namespace interface {
	Cover(covers []mounts.Cover) (dev pollfd.ID, err error)
	Change(changes []mounts.Change) error
	Enter() error
	Roots() mounts.Roots
	Close() error
}

// inLauncher is a namespace that the launcher made. Only the launcher enters it.
type inLauncher struct {
	*Launcher
	roots mounts.Roots
}

func (l inLauncher) Enter() error        { return nil }
func (l inLauncher) Roots() mounts.Roots { return l.roots }
func (l inLauncher) Close() error {
	return errors.Join(unix.Close(l.roots.Files), unix.Close(l.roots.Devices))
}

// tryMounts starts the mounts, if there is a file server.
func (h *Host) tryMounts(opts Options) error {
	if opts.FileServer == nil {
		return nil
	}
	h.isMounted = true
	err := h.startMounts(opts.FileServer)
	if err != nil && opts.MountsOptional {
		h.isMounted = false
		h.log.Info("host: calls on paths are answered, because the virtual files cannot be mounted", "err", err)
		return nil
	}
	return err
}

// startMounts makes the namespace and starts the file servers.
func (h *Host) startMounts(serve FileServer) (err error) {
	m := &mounted{covered: make(map[string]bool)}
	var connections [2]int
	if h.launcher != nil {
		var roots mounts.Roots
		connections, roots, err = h.launcher.NewNamespace()
		m.namespace = inLauncher{h.launcher, roots}
	} else {
		m.namespace, connections, err = mounts.New()
	}
	if err != nil {
		return err
	}
	roots := m.namespace.Roots()
	m.ofFiles, err = deviceOfRoot(roots.Files)
	if err == nil {
		m.ofDevices, err = deviceOfRoot(roots.Devices)
	}
	m.files = &VirtualFiles{host: h, announcer: newAnnouncer(roots)}
	m.files.openings.traced = make(chan struct{}, maxTraced)
	h.tree.Store(h.makeTree(h.class.Kobjects()))
	for _, connection := range connections {
		file := os.NewFile(uintptr(connection), "/dev/fuse")
		if err != nil {
			_ = file.Close()
			continue
		}
		err = serve(file, m.files)
	}
	if err != nil {
		return errors.Join(err, m.namespace.Close())
	}
	m.files.announcer.start(h)
	h.mounts = m
	h.log.Info("host: the virtual files are mounted in a namespace of the programs")
	return nil
}

// deviceOfRoot returns the device of a file system, without a request to its server.
func deviceOfRoot(root int) (uint64, error) {
	var st unix.Statx_t
	err := unix.Statx(root, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, 0, &st)
	return unix.Mkdev(st.Dev_major, st.Dev_minor), os.NewSyscallError("statx", err)
}

// CheckMounts reports why the virtual files cannot be mounted, or nil.
func CheckMounts() error {
	n, connections, err := mounts.New()
	if err != nil {
		return err
	}
	return errors.Join(n.Close(), unix.Close(connections[0]), unix.Close(connections[1]))
}

func (m *mounted) close() error {
	m.files.announcer.stop()
	return m.namespace.Close()
}

// filter returns the filter of programs.
func (h *Host) filter() *seccomp.Filter {
	if h.mounts != nil {
		return filterMounts()
	}
	return filterCalls()
}

// cover mounts the virtual files before the first program starts.
func (h *Host) cover() error {
	if h.mounts == nil {
		return nil
	}
	h.treeMu.Lock()
	defer h.treeMu.Unlock()
	h.mounts.started = true
	h.mounts.files.covering.Store(true)
	defer h.mounts.files.covering.Store(false)
	if err := h.mounts.cover(h, h.tree.Load()); err != nil {
		// It names a file, which is not the program that cannot be started.
		return fmt.Errorf("mounting the virtual files: %v", err)
	}
	return nil
}

// remount shows a new tree to the programs that run: it covers the real
// directories that get virtual files now, and announces what has changed. The
// caller holds treeMu.
func (h *Host) remount(old, tree *vfs.Tree) {
	if h.mounts == nil || !h.mounts.started {
		return
	}
	if err := h.mounts.cover(h, tree); err != nil {
		h.log.Error("host: programs do not see some virtual files", "err", err)
	}
	h.mounts.files.announcer.changed(old)
	if err := h.mounts.removeNames(tree); err != nil {
		h.log.Error("host: programs see a virtual file that is gone", "err", err)
	}
}

func (m *mounted) cover(h *Host, tree *vfs.Tree) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := coversOf(tree)
	names := namesOf(all)
	if m.names == nil {
		m.names = names // they come with the tmpfs
	}
	var changes []mounts.Change
	for _, path := range slices.Sorted(maps.Keys(names)) {
		if _, known := m.names[path]; !known {
			changes = append(changes, mounts.Change{Path: path, Dir: names[path]})
			m.names[path] = names[path]
		}
	}
	if len(changes) > 0 {
		if err := m.namespace.Change(changes); err != nil {
			return err
		}
	}
	covers := slices.DeleteFunc(all, func(c mounts.Cover) bool { return m.covered[c.Path] })
	if len(covers) == 0 {
		return nil
	}
	dev, err := m.namespace.Cover(covers)
	if err != nil {
		return err
	}
	if len(m.covered) == 0 { // no program runs yet, so no worker reads it
		h.dev = dev
	}
	for _, c := range covers {
		m.covered[c.Path] = true
		if !c.Whole {
			m.unions = append(m.unions, c.Path)
		}
	}
	return nil
}

// removeNames removes the names in a tmpfs that a tree lacks.
func (m *mounted) removeNames(tree *vfs.Tree) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := namesOf(coversOf(tree))
	var changes []mounts.Change
	for path, dir := range m.names {
		if _, stays := names[path]; !stays {
			changes = append(changes, mounts.Change{Path: path, Dir: dir, Gone: true, Left: path == udevDir})
			delete(m.names, path)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return m.namespace.Change(changes)
}

// namesOf returns the virtual files in directories that a tmpfs covers, and
// whether they are directories.
func namesOf(covers []mounts.Cover) map[string]bool {
	names := make(map[string]bool)
	for _, c := range covers {
		if !c.Tmpfs {
			continue
		}
		for name, dir := range c.Virtual {
			names[path.Join(c.Path, name)] = dir
		}
	}
	return names
}

// keepUnions keeps the covered directories in a tree that has no virtual file in
// them any more: programs still see what is really there through the mount.
func (m *mounted) keepUnions(t *vfs.Tree) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, path := range m.unions {
		t.AddUnion(path)
	}
}

// dri is a directory as long as there is a card. One of the machine does not show.
const dri = "/dev/dri"

// writableTops are the directories in which programs make files of their own.
var writableTops = []string{"/dev", "/run"}

// coversOf returns what to mount so that the files of the tree show, parents
// first.
func coversOf(t *vfs.Tree) (covers []mounts.Cover) {
	isDir := func(path string) bool {
		st, err := os.Lstat(path)
		return err == nil && st.IsDir()
	}
	var walk func(dir string)
	walk = func(dir string) {
		n, _ := t.Lookup(dir)
		c := mounts.Cover{Path: dir, Tmpfs: slices.Contains(writableTops, dir), Virtual: make(map[string]bool)}
		needed := n.Hides()
		var whole []mounts.Cover
		var unions []string
		for _, e := range n.Entries() {
			at := path.Join(dir, e.Name)
			child, _ := t.Lookup(at)
			switch {
			case child.Kind == vfs.Dir && !child.Own() && isDir(at):
				unions = append(unions, at)
				continue
			case child.Kind == vfs.Dir && isDir(at):
				whole = append(whole, mounts.Cover{Path: at, Whole: true})
			default:
				needed = true
			}
			c.Virtual[e.Name] = child.Kind == vfs.Dir
		}
		if c.Tmpfs {
			needed = true
		}
		if dir == "/dev" {
			c.Hidden = []string{"dri"}
		}
		switch {
		case needed && dir != "/":
			covers = append(covers, c)
		default:
			covers = append(covers, whole...)
		}
		for _, at := range unions {
			walk(at)
		}
	}
	walk("/")
	return covers
}

// openMounted serves an open that was handed over although the files are mounted.
// It returns false for one of a node: the rest of the open is as ever.
func (c *call) openMounted(p *place, err error, flags int, mode uint32, resolve uint64) (answered bool) {
	noted, isNoted := c.host.mounts.files.openings.take(c.tid())
	if err == nil && (p.Magic || p.Node != nil && isNode(p.Node)) {
		return false
	}
	if err == nil && (p.Node != nil || p.Virtual) && resolve&unix.RESOLVE_NO_XDEV != 0 {
		c.openResolved(p.Path, flags, mode) // the walk has crossed no mount but ours
		return true
	}
	if isShortage(err) {
		c.fail(err)
		return true
	}
	// A path of which only the kernel knows that it leads to a node? Other errors
	// are also the kernel's, as that of a path below a node.
	n, _ := c.host.tree.Load().Lookup(noted)
	if !isNoted || flags&unix.O_PATH != 0 || err != nil && err != errNative || !isOpening(int(c.n.Data.NR), c.n.Data.Args) || n == nil || !isNode(n) {
		c.proceed()
		return true
	}
	*p = place{Place: vfs.Place{Path: noted, Node: n, Virtual: true}}
	c.openNode(*p, flags, 0)
	return true
}

// isNode reports whether an open of the file is handed over.
func isNode(n *vfs.Node) bool { return n.Kind == vfs.Char || n.Open != nil }
