// Package shadow keeps a private directory with a copy of each virtual
// directory that a program has opened: a descriptor of a directory must be one
// of a real directory. Names and types in the copies are right; contents are
// empty. Programs never reach them: the host resolves all paths that start at
// such a descriptor.
//
// Lock order: Dirs.mu, Dirs.names.
package shadow

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/vfs"
	"github.com/udrm/udrm/internal/pollfd"
)

// Dirs are the copies of virtual directories. All methods but Close may be
// called concurrently.
//
// Programs of the user of this process may change the copies: replace a
// directory by a link to one of theirs, for example. Invariant: no method looks
// at, changes or removes anything outside of the root. Why it holds: each path
// is resolved from the descriptor of the root, beneath it, and by no link.
type Dirs struct {
	root string   // its path; "" when it is detached
	dir  *os.File // the root; if it has a path, locked with flock(2) while the owner lives

	any atomic.Bool // a copy was made

	mu        sync.Mutex          // held while copies change, which takes long where directories are large
	fresh     map[string]struct{} // names of Fresh files
	nextFresh int

	// What calls on any directory look up, so it is never held during a system
	// call. It is taken after mu.
	names sync.Mutex
	made  map[string]*copied // the virtual directories that have a copy
	byID  map[pollfd.ID]string
}

// A copied is what is known of a copy. It does not change.
type copied struct {
	id      pollfd.ID
	entries []vfs.Entry   // that it lists
	changed unix.Timespec // its time of change then; zero if it may have changed since
}

func newDirs(root string, dir *os.File) *Dirs {
	return &Dirs{root: root, dir: dir, made: make(map[string]*copied), byID: make(map[pollfd.ID]string), fresh: make(map[string]struct{})}
}

// prefix begins the name of every root that has a path.
const prefix = "udrm-shadow-"

// New makes a private directory: a detached one if this process may, otherwise
// one in /dev/shm or in the directory for temporary files. It removes those of
// owners that were killed.
func New() (*Dirs, error) {
	if d, err := newDetached(); err == nil {
		return d, nil
	}
	var errs []error
	for _, dir := range []string{"/dev/shm", os.TempDir()} {
		s, err := newIn(dir)
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("making a private directory: %w", errors.Join(errs...))
}

func newIn(dir string) (*Dirs, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir) // as /proc shows it
	}
	if err != nil {
		return nil, err
	}
	removeStale(dir)
	for {
		root, err := os.MkdirTemp(dir, prefix)
		if err != nil {
			return nil, err
		}
		lock, err := lockRoot(root)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another process took it for a stale one
		}
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(root))
		}
		return newDirs(root, lock), nil
	}
}

// lockRoot locks a new root and lets the programs of other users walk in it.
//
// Invariant: a root that lockRoot returns is not removed while it is locked.
//
// Why it holds: removeStale removes a directory only while it has the exclusive
// lock. Until the root is locked here, it may do so, but then the root is gone
// when the lock is taken here, and this is checked. Other users cannot open the root
// before, so they cannot hold up this lock.
func lockRoot(root string) (*os.File, error) {
	lock, err := os.Open(root)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_SH)
	if err == nil && !isAt(lock, root) {
		err = fs.ErrNotExist
	}
	if err == nil {
		err = lock.Chmod(0o755)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// isAt reports whether f is the file at path.
func isAt(f *os.File, path string) bool {
	here, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(here, there)
}

// removeStale removes the directories of killed owners: they are not locked. It
// removes only those of the user of this process, so that no user can direct
// the rights of another one.
func removeStale(dir string) {
	paths, _ := filepath.Glob(filepath.Join(dir, prefix+"*"))
	for _, path := range paths {
		// Any user may put something else there.
		f, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		var st unix.Stat_t
		if unix.Fstat(int(f.Fd()), &st) == nil && int(st.Uid) == os.Geteuid() &&
			unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && isAt(f, path) {
			_ = os.RemoveAll(path)
		}
		_ = f.Close()
	}
}

// Close removes the directory.
func (d *Dirs) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var err error
	if d.root != "" {
		err = os.RemoveAll(d.root)
	}
	return errors.Join(err, d.dir.Close())
}

// Root returns the path of the private directory, or "" when it is detached:
// no path leads to it, and none leads out of it.
func (d *Dirs) Root() string { return d.root }

// OpenRoot returns a descriptor of the private directory. The caller closes it.
// It is a new open file: that of d is locked.
func (d *Dirs) OpenRoot() (int, error) { return openDir(int(d.dir.Fd()), ".") }

// Any reports whether a program may have a descriptor of a copy.
func (d *Dirs) Any() bool { return d.any.Load() }

// MayHave reports whether a link of /proc may be that of a copy. Path decides: a
// program can have directories whose links are like that.
func (d *Dirs) MayHave(link []byte) bool {
	if d.root != "" {
		return bytes.HasPrefix(link, []byte(d.root))
	}
	d.names.Lock()
	defer d.names.Unlock()
	return d.made[string(link)] != nil
}

// Path returns the virtual path of the directory with that identity, or "".
func (d *Dirs) Path(id pollfd.ID) string {
	d.names.Lock()
	defer d.names.Unlock()
	return d.byID[id]
}

// Open returns a descriptor of the copy of the virtual directory at path, which
// lists entries. The caller closes it.
func (d *Dirs) Open(path string, entries []vfs.Entry) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.openLocked(path, entries)
}

// OpenAs does the same, with flags of open(2).
func (d *Dirs) OpenAs(path string, entries []vfs.Entry, flags int) (int, error) {
	dir, err := d.Open(path, entries)
	if err != nil {
		return -1, err
	}
	defer unix.Close(dir)
	return unix.Openat(dir, ".", flags|unix.O_CLOEXEC, 0)
}

// Watch adds an inotify watch on the copy of the virtual directory at path, or
// of the file name in it. It returns the watch descriptor.
func (d *Dirs) Watch(inotify int, path string, entries []vfs.Entry, name string, mask uint32) (wd int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fd, err := d.openLocked(path, entries)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	watched := fmt.Sprintf("/proc/self/fd/%d", fd)
	if name != "" {
		watched, mask = watched+"/"+name, mask|unix.IN_DONT_FOLLOW
	}
	return unix.InotifyAddWatch(inotify, watched, mask)
}

func (d *Dirs) openLocked(path string, entries []vfs.Entry) (int, error) {
	fd, err := d.walk(path)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	d.names.Lock()
	old := d.made[path]
	d.names.Unlock()
	if old != nil && old.id == pollfd.IDOf(&st) && old.changed == st.Ctim && slices.Equal(old.entries, entries) {
		return fd, nil
	}
	if err := errors.Join(d.syncLocked(fd, entries), unix.Fstat(fd, &st)); err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	made := &copied{id: pollfd.IDOf(&st), entries: entries}
	if settled(st.Ctim) {
		made.changed = st.Ctim
	}
	d.names.Lock()
	defer d.names.Unlock()
	if old != nil {
		delete(d.byID, old.id) // a program may have replaced the directory
	}
	d.made[path], d.byID[made.id] = made, path
	d.any.Store(true)
	return fd, nil
}

// settled reports whether a file that changes from now on gets a later time of
// change than this one. The clock of files has steps of up to 10 ms.
func settled(changed unix.Timespec) bool {
	var now unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &now)
	return err == nil && now.Nano()-changed.Nano() > int64(20*time.Millisecond)
}

// walk returns a descriptor of a directory, which it makes if it is missing. It
// removes what is in the way.
func (d *Dirs) walk(path string) (int, error) {
	fd, err := unix.FcntlInt(d.dir.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if err != nil {
			return -1, err
		}
		if name == "" {
			continue
		}
		parent := fd
		fd, err = openDir(parent, name)
		if err == unix.ENOENT {
			if err = unix.Mkdirat(parent, name, 0o755); err == nil {
				fd, err = openDir(parent, name)
			}
		} else if err == unix.ENOTDIR || err == unix.ELOOP {
			if err = errors.Join(removeAll(parent, name), unix.Mkdirat(parent, name, 0o755)); err == nil {
				fd, err = openDir(parent, name)
			}
		}
		_ = unix.Close(parent)
	}
	if err != nil {
		return -1, fmt.Errorf("the copy of %s: %w", path, err)
	}
	return fd, nil
}

// openDir opens a directory in another one, if it is one.
func openDir(parent int, name string) (int, error) {
	return unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// removeAll removes a file, or a directory with all that is in it.
func removeAll(parent int, name string) error {
	root, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", parent))
	if err != nil {
		return err
	}
	return errors.Join(root.RemoveAll(name), root.Close())
}

// syncLocked makes dir list entries, besides fresh files.
func (d *Dirs) syncLocked(dir int, entries []vfs.Entry) error {
	have, err := os.ReadDir(fmt.Sprintf("/proc/self/fd/%d", dir))
	if err != nil {
		return err
	}
	want := make(map[string]vfs.Entry, len(entries))
	for _, e := range entries {
		want[e.Name] = e
	}
	for _, h := range have {
		if _, fresh := d.fresh[h.Name()]; fresh {
			continue
		}
		if e, ok := want[h.Name()]; ok && typeOf(e) == h.Type() {
			delete(want, e.Name)
			continue
		}
		if err := removeAll(dir, h.Name()); err != nil {
			return err
		}
	}
	for _, e := range want {
		if err := placeholder(dir, e); err != nil {
			return fmt.Errorf("placeholder for %s: %w", e.Name, err)
		}
	}
	return nil
}

func typeOf(e vfs.Entry) os.FileMode {
	switch e.Kind {
	case vfs.Dir:
		return os.ModeDir
	case vfs.Link:
		return os.ModeSymlink
	case vfs.Char:
		return os.ModeDevice | os.ModeCharDevice
	}
	return 0
}

// placeholder makes what stands for a file in a copy.
func placeholder(dir int, e vfs.Entry) error {
	switch e.Kind {
	case vfs.Dir:
		return unix.Mkdirat(dir, e.Name, 0o755)
	case vfs.Link:
		return unix.Symlinkat(e.Target, dir, e.Name)
	case vfs.Char:
		// Any user may make the device 0:0, except on an overlay.
		if unix.Mknodat(dir, e.Name, unix.S_IFCHR, 0) == nil {
			return openToAll(dir, e.Name)
		}
	}
	fd, err := unix.Openat(dir, e.Name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// openToAll lets all users open a file, whatever the umask. It follows no link.
func openToAll(dir int, name string) error {
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(os.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), 0o666), unix.Close(fd))
}

// Prune removes the copies of directories that tree no longer has and updates
// the others, for programs that have them open. No other Prune may be running. It
// looks at all copies, but changes only those of directories that have changed.
func (d *Dirs) Prune(tree *vfs.Tree) {
	d.names.Lock()
	made := maps.Clone(d.made)
	d.names.Unlock()
	gone := false
	for path, c := range made {
		if !has(tree, path) {
			gone = true
			continue
		}
		n, _ := tree.Lookup(path)
		if !n.Own() {
			continue
		}
		if entries := n.Entries(); !slices.Equal(entries, c.entries) {
			d.mu.Lock()
			if fd, err := d.openLocked(path, entries); err == nil {
				_ = unix.Close(fd)
			}
			d.mu.Unlock()
		}
	}
	if gone {
		d.removeGone(tree)
	}
}

// removeGone removes the copies of directories that tree no longer has. Their
// identities are forgotten first, as other files may get them.
func (d *Dirs) removeGone(tree *vfs.Tree) {
	d.mu.Lock()
	defer d.mu.Unlock()
	gone := make(map[string]struct{})
	d.names.Lock()
	for path, c := range d.made {
		if !has(tree, path) {
			gone[highestGone(tree, path)] = struct{}{}
			delete(d.made, path)
			delete(d.byID, c.id)
		}
	}
	d.names.Unlock()
	for path := range gone {
		parent, name := filepath.Split(path)
		if fd, err := d.walk(parent); err == nil {
			_ = removeAll(fd, name)
			_ = unix.Close(fd)
		}
	}
}

// has reports whether a tree has a directory.
func has(tree *vfs.Tree, path string) bool {
	n, _ := tree.Lookup(path)
	return n != nil && n.Kind == vfs.Dir
}

// highestGone returns the highest directory on the way to one that is gone which is
// gone too. Only the way to it may have been copied, and nothing else removes that.
func highestGone(tree *vfs.Tree, path string) string {
	for {
		parent := filepath.Dir(path)
		if has(tree, parent) {
			return path
		}
		path = parent
	}
}
