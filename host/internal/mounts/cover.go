package mounts

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/internal/pollfd"
)

// A Cover says what is mounted over a real directory.
type Cover struct {
	Path string

	// Tmpfs mounts a tmpfs, in which programs can make files. Otherwise the
	// directory of the FUSE file system with the same path is mounted: it has
	// the names of all that is really there.
	Tmpfs bool

	// Whole mounts the directory as it is: nothing real shows.
	Whole bool

	// Virtual are the names that the FUSE file system has, and whether they are
	// directories. They hide real ones.
	Virtual map[string]bool

	// Hidden are names of real files that are not shown.
	Hidden []string
}

// Cover mounts over directories, parents first. It returns the identity of /dev in
// the namespace.
func (n *Namespace) Cover(covers []Cover) (dev pollfd.ID, err error) {
	// Each waits for the server, so trees that do not overlap are covered side by
	// side.
	var trees [][]Cover
	for _, c := range covers {
		i := slices.IndexFunc(trees, func(t []Cover) bool { return strings.HasPrefix(c.Path, t[0].Path+"/") })
		if i < 0 {
			i, trees = len(trees), append(trees, nil)
		}
		trees[i] = append(trees[i], c)
	}
	done := make(chan error)
	for _, tree := range trees {
		go func() {
			done <- onThread(func() error { return n.coverAll(tree) })
		}()
	}
	var errs []error
	for range trees {
		errs = append(errs, <-done)
	}
	errs = append(errs, onThread(func() error {
		if err := n.Enter(); err != nil {
			return err
		}
		var st unix.Stat_t
		err := unix.Stat("/dev", &st)
		dev = pollfd.IDOf(&st)
		return err
	}))
	return dev, errors.Join(errs...)
}

// coverAll mounts over directories, one after another.
func (n *Namespace) coverAll(covers []Cover) error {
	if err := n.Enter(); err != nil {
		return err
	}
	unix.Umask(0) // of this thread: Enter has unshared it
	for _, c := range covers {
		if err := n.cover(&c); err != nil {
			return fmt.Errorf("mounting over %s: %w", c.Path, err)
		}
	}
	return nil
}

// cover mounts over one directory. What is really there is mounted again on top,
// except links, which the new directory has. A tmpfs has devices, too.
func (n *Namespace) cover(c *Cover) error {
	if c.Whole {
		return n.show(c.Path)
	}
	real, err := os.ReadDir(c.Path)
	if err != nil {
		return err
	}
	var files *tmpfs
	if c.Tmpfs {
		if files, err = newTmpfs(c.Path); err != nil {
			return err
		}
		defer files.close()
	}
	keep := make(map[string]int) // copies of their mounts
	defer func() {
		for _, tree := range keep {
			_ = unix.Close(tree)
		}
	}()
	for _, e := range real {
		name := e.Name()
		_, virtual := c.Virtual[name]
		switch {
		case virtual, slices.Contains(c.Hidden, name), files != nil && files.copied(name):
			continue
		case e.Type()&os.ModeSymlink != 0:
			continue // the server has it; a tmpfs lacks it if it was removed meanwhile
		}
		tree, err := unix.OpenTree(unix.AT_FDCWD, path.Join(c.Path, name),
			unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE|unix.AT_SYMLINK_NOFOLLOW)
		if err == unix.ENOENT {
			continue // removed meanwhile
		}
		if err != nil {
			return &os.PathError{Op: "open_tree", Path: name, Err: err}
		}
		keep[name] = tree
		if files != nil {
			if err := files.placeholder(name, e.IsDir()); err != nil {
				return err
			}
		}
	}
	var errs []error
	if files != nil {
		for name, dir := range c.Virtual {
			errs = append(errs, files.placeholder(name, dir))
		}
		errs = append(errs, attach(files.mount, c.Path))
		for name := range c.Virtual {
			errs = append(errs, n.show(path.Join(c.Path, name)))
		}
	} else {
		// The server gives all names at once, so that the mounts need not ask for each.
		errs = append(errs, n.show(c.Path))
		_, err := os.ReadDir(c.Path)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for name, tree := range keep {
		err := attach(tree, path.Join(c.Path, name))
		if files == nil && errors.Is(err, unix.ENOENT) {
			continue // removed meanwhile: the server has no such name
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// attach mounts a tree at a path.
func attach(tree int, at string) error {
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return &os.PathError{Op: "move_mount", Path: at, Err: err}
	}
	return nil
}

// show mounts a file of a FUSE file system over the real one.
func (n *Namespace) show(at string) error {
	tree, err := unix.OpenTree(n.roots.Of(at), strings.TrimPrefix(at, "/"), unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return &os.PathError{Op: "open_tree of the virtual", Path: at, Err: err}
	}
	defer unix.Close(tree)
	return attach(tree, at)
}

// A tmpfs is one that is to be mounted over a directory.
type tmpfs struct {
	mount int
	over  string
	st    unix.Stat_t // of the directory
	tty   uint64      // the terminal of this process, or 0
}

// newTmpfs makes a tmpfs with the permissions of the directory that it will hide.
func newTmpfs(over string) (*tmpfs, error) {
	t := &tmpfs{over: over, tty: terminal()}
	if err := unix.Stat(over, &t.st); err != nil {
		return nil, &os.PathError{Op: "stat", Path: over, Err: err}
	}
	mount, err := newMount("tmpfs", 0, [][2]string{
		{"mode", fmt.Sprintf("%o", t.st.Mode&0o7777)}, {"uid", fmt.Sprint(t.st.Uid)}, {"gid", fmt.Sprint(t.st.Gid)}, {"source", "udrm"},
	})
	t.mount = mount
	return t, err
}

func (t *tmpfs) close() { _ = unix.Close(t.mount) }

// copied makes a file that is a link or a device as the directory has it. It
// returns false for others, and where no device can be made.
func (t *tmpfs) copied(name string) bool {
	at := path.Join(t.over, name)
	var st unix.Stat_t
	if unix.Lstat(at, &st) != nil || st.Dev != t.st.Dev {
		return false
	}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		var target string
		if target, err = os.Readlink(at); err == nil {
			err = unix.Symlinkat(target, t.mount, name)
		}
	case unix.S_IFCHR, unix.S_IFBLK:
		if st.Rdev == t.tty {
			return false // ttyname(3) looks for the file that programs have open
		}
		err = unix.Mknodat(t.mount, name, st.Mode, int(st.Rdev))
	default:
		return false
	}
	if err == nil && st.Uid|st.Gid != 0 {
		err = unix.Fchownat(t.mount, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW)
	}
	return err == nil
}

// terminal returns the number of the controlling terminal of this process, or 0.
func terminal() uint64 {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	_, fields, _ := strings.Cut(string(text), ") ")
	var state string
	var parent, group, session int
	var number uint32
	if _, err := fmt.Sscan(fields, &state, &parent, &group, &session, &number); err != nil {
		return 0
	}
	return unix.Mkdev(number>>8&0xfff, number&0xff|number>>12&0xfff00)
}

// placeholder makes a file on which another one can be mounted.
func (t *tmpfs) placeholder(name string, dir bool) error {
	if err := placeholder(t.mount, name, dir); err != nil {
		return &os.PathError{Op: "making a placeholder", Path: path.Join(t.over, name), Err: err}
	}
	return nil
}

func placeholder(at int, name string, dir bool) error {
	if dir {
		return unix.Mkdirat(at, name, 0o755)
	}
	return unix.Mknodat(at, name, unix.S_IFREG|0o644, 0)
}
