package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/vfs"
)

// A shadow is a private directory with the virtual directories in it, for
// programs to list: a descriptor of a directory must be one of a real one.
// Names and types in it are right; contents are not there. A program never
// reaches them: paths that start at such a descriptor are resolved by us.
type shadow struct {
	root string
	lock *os.File // of the root, flocked: says that its owner lives

	mu   sync.Mutex
	made map[string]struct{} // the virtual directories that were listed
}

const shadowPrefix = "udrm-shadow-"

func newShadow() (*shadow, error) {
	var errs []error
	for _, dir := range []string{"/dev/shm", os.TempDir()} {
		s, err := newShadowIn(dir)
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("making a private directory: %w", errors.Join(errs...))
}

func newShadowIn(dir string) (_ *shadow, err error) {
	if dir, err = filepath.Abs(dir); err == nil {
		dir, err = filepath.EvalSymlinks(dir) // as /proc shows it
	}
	if err != nil {
		return nil, err
	}
	removeStale(dir)
	root, err := os.MkdirTemp(dir, shadowPrefix)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(root)
		}
	}()
	// Programs that run as somebody else walk in it.
	if err := os.Chmod(root, 0o755); err != nil {
		return nil, err
	}
	lock, err := os.Open(root)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_SH); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &shadow{root: root, lock: lock, made: make(map[string]struct{})}, nil
}

// removeStale removes what hosts left behind that were killed: nobody holds
// the lock.
func removeStale(dir string) {
	paths, _ := filepath.Glob(filepath.Join(dir, shadowPrefix+"*"))
	for _, path := range paths {
		// Anybody may put something else there.
		f, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		st, err := f.Stat()
		// A new one is not locked at once.
		if err == nil && time.Since(st.ModTime()) > time.Minute && unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.RemoveAll(path)
		}
		_ = f.Close()
	}
}

func (s *shadow) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(os.RemoveAll(s.root), s.lock.Close())
}

// virtualPath returns the virtual path that a path below the root stands for.
// deleted says that the directory is no longer there.
func (s *shadow) virtualPath(link string) (path string, deleted, ok bool) {
	rest, ok := strings.CutPrefix(link, s.root)
	if !ok {
		return "", false, false
	}
	rest, deleted = strings.CutSuffix(rest, " (deleted)")
	switch {
	case rest == "":
		return "/", deleted, true
	case rest[0] != '/':
		return "", false, false
	}
	return rest, deleted, true
}

// open returns a descriptor of the virtual directory at path, in which
// entries show. The caller closes it.
func (s *shadow) open(path string, entries []vfs.Entry) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := filepath.Join(s.root, path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return -1, err
	}
	s.made[path] = struct{}{}
	if err := syncDir(dir, entries); err != nil {
		return -1, err
	}
	return unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// syncDir makes the names and types in dir those of entries.
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
			return fmt.Errorf("a place for %s: %w", e.Name, err)
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
		// The device 0:0 may be made by anybody, except on an overlay.
		if unix.Mknod(path, unix.S_IFCHR|0o600, 0) == nil {
			return nil
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// prune removes the directories that tree has no more, and brings the others
// up to date, for programs that have them open.
func (s *shadow) prune(tree *vfs.Tree) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for path := range s.made {
		dir := filepath.Join(s.root, path)
		n, _ := tree.Lookup(path)
		switch {
		case n == nil || n.Kind != vfs.Dir:
			_ = os.RemoveAll(dir)
			delete(s.made, path)
		case n.Own():
			_ = syncDir(dir, n.Entries())
		}
	}
}
