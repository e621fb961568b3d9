// Package shadow keeps a private directory with a copy of each virtual
// directory that a program has opened: a descriptor of a directory must be one
// of a real directory. Names and types in the copies are right; contents are
// empty. Programs never reach them: the host resolves all paths that start at
// such a descriptor.
package shadow

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/vfs"
	"github.com/udrm/udrm/internal/pollfd"
)

// Dirs are the copies of virtual directories. All methods but Close may be
// called concurrently.
type Dirs struct {
	root string
	lock *os.File // the root, locked with flock(2) while the owner lives

	mu   sync.Mutex
	made map[string]pollfd.ID // the virtual directories that have a copy
	byID map[pollfd.ID]string
}

// prefix begins the name of every root.
const prefix = "udrm-shadow-"

// New makes a private directory in /dev/shm, or in the directory for temporary
// files. It removes those of owners that were killed.
func New() (*Dirs, error) {
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
		return &Dirs{root: root, lock: lock, made: make(map[string]pollfd.ID), byID: make(map[pollfd.ID]string)}, nil
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
	return errors.Join(os.RemoveAll(d.root), d.lock.Close())
}

// Root returns the path of the private directory.
func (d *Dirs) Root() string { return d.root }

// Path returns the virtual path of the directory with that identity, or "". A
// path below the root proves nothing: a program with a mount namespace of its
// own may have one like it.
func (d *Dirs) Path(id pollfd.ID) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.byID[id]
}

// removeLocked removes the copy of a directory, with those below it. Their
// identities are forgotten first, as other files may get them.
func (d *Dirs) removeLocked(path string) {
	for p, id := range d.made {
		if p == path || strings.HasPrefix(p, path+"/") {
			delete(d.made, p)
			delete(d.byID, id)
		}
	}
	_ = os.RemoveAll(filepath.Join(d.root, path))
}

// Open returns a descriptor of the copy of the virtual directory at path, which
// lists entries. The caller closes it.
func (d *Dirs) Open(path string, entries []vfs.Entry) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.openLocked(path, entries)
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
	return unix.InotifyAddWatch(inotify, filepath.Join(d.root, path, name), mask)
}

func (d *Dirs) openLocked(path string, entries []vfs.Entry) (int, error) {
	dir := filepath.Join(d.root, path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return -1, err
	}
	if err := syncDir(dir, entries); err != nil {
		return -1, err
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	id := pollfd.IDOf(&st)
	d.made[path], d.byID[id] = id, path
	return fd, nil
}

// syncDir makes dir list entries.
func syncDir(dir string, entries []vfs.Entry) error {
	have, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	want := make(map[string]vfs.Entry, len(entries))
	for _, e := range entries {
		want[e.Name] = e
	}
	for _, h := range have {
		if e, ok := want[h.Name()]; ok && typeOf(e) == h.Type() {
			delete(want, e.Name)
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, h.Name())); err != nil {
			return err
		}
	}
	for _, e := range want {
		if err := placeholder(filepath.Join(dir, e.Name), e); err != nil {
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

func placeholder(path string, e vfs.Entry) error {
	switch e.Kind {
	case vfs.Dir:
		return os.Mkdir(path, 0o755)
	case vfs.Link:
		return os.Symlink(e.Target, path)
	case vfs.Char:
		// Any user may make the device 0:0, except on an overlay.
		if unix.Mknod(path, unix.S_IFCHR, 0) == nil && os.Chmod(path, 0o666) == nil {
			return nil
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// Prune removes the copies of directories that tree no longer has and updates
// the others, for programs that have them open.
func (d *Dirs) Prune(tree *vfs.Tree) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for path := range d.made {
		dir := filepath.Join(d.root, path)
		n, _ := tree.Lookup(path)
		switch {
		case n == nil || n.Kind != vfs.Dir:
			d.removeLocked(path)
		case n.Own():
			_ = syncDir(dir, n.Entries())
		}
	}
}
