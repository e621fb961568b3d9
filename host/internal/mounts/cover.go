package mounts

import (
	"errors"
	"fmt"
	"os"
	"path"
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
}

// Cover mounts over directories, one after another, so parents come first. It
// returns the identity of /dev in the namespace.
func (n *Namespace) Cover(covers []Cover) (dev pollfd.ID, err error) {
	err = onThread(func() error {
		if err := n.Enter(); err != nil {
			return err
		}
		for _, c := range covers {
			if err := n.cover(&c); err != nil {
				return fmt.Errorf("mounting over %s: %w", c.Path, err)
			}
		}
		var st unix.Stat_t
		err := unix.Stat("/dev", &st)
		dev = pollfd.IDOf(&st)
		return err
	})
	return dev, err
}

// cover mounts over one directory. What is really there is mounted again on top,
// except links, which the new directory has.
func (n *Namespace) cover(c *Cover) error {
	if c.Whole {
		return n.show(c.Path)
	}
	real, err := os.ReadDir(c.Path)
	if err != nil {
		return err
	}
	type kept struct {
		name string
		dir  bool
		tree int
	}
	var keep []kept
	defer func() {
		for _, k := range keep {
			_ = unix.Close(k.tree)
		}
	}()
	links := make(map[string]string)
	for _, e := range real {
		name := e.Name()
		_, virtual := c.Virtual[name]
		switch {
		case virtual:
		case e.Type()&os.ModeSymlink != 0:
			if target, err := os.Readlink(path.Join(c.Path, name)); err == nil {
				links[name] = target
			}
		default:
			tree, err := unix.OpenTree(unix.AT_FDCWD, path.Join(c.Path, name),
				unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE|unix.AT_SYMLINK_NOFOLLOW)
			if err == unix.ENOENT {
				continue // removed meanwhile
			}
			if err != nil {
				return &os.PathError{Op: "open_tree", Path: name, Err: err}
			}
			keep = append(keep, kept{name, e.IsDir(), tree})
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(c.Path, &st); err != nil {
		return err
	}
	if !c.Tmpfs {
		if err := n.show(c.Path); err != nil {
			return err
		}
	} else if err := newTmpfs(c.Path, &st); err != nil {
		return err
	}
	var errs []error
	for name, target := range links {
		if c.Tmpfs {
			errs = append(errs, os.Symlink(target, path.Join(c.Path, name)))
		}
	}
	for _, k := range keep {
		at := path.Join(c.Path, k.name)
		if c.Tmpfs {
			errs = append(errs, placeholder(at, k.dir))
		}
		if err := unix.MoveMount(k.tree, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			errs = append(errs, &os.PathError{Op: "move_mount", Path: at, Err: err})
		}
	}
	if c.Tmpfs {
		for name, dir := range c.Virtual {
			at := path.Join(c.Path, name)
			errs = append(errs, placeholder(at, dir), n.show(at))
		}
	}
	return errors.Join(errs...)
}

// show mounts a file of the FUSE file system over the real one.
func (n *Namespace) show(at string) error {
	tree, err := unix.OpenTree(n.root, strings.TrimPrefix(at, "/"), unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return &os.PathError{Op: "open_tree of the virtual", Path: at, Err: err}
	}
	defer unix.Close(tree)
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return &os.PathError{Op: "move_mount", Path: at, Err: err}
	}
	return nil
}

// newTmpfs mounts a tmpfs with the permissions of the directory that it hides.
func newTmpfs(at string, st *unix.Stat_t) error {
	mount, err := newMount("tmpfs", 0, [][2]string{
		{"mode", fmt.Sprintf("%o", st.Mode&0o7777)}, {"uid", fmt.Sprint(st.Uid)}, {"gid", fmt.Sprint(st.Gid)}, {"source", "udrm"},
	})
	if err != nil {
		return err
	}
	defer unix.Close(mount)
	if err := unix.MoveMount(mount, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return &os.PathError{Op: "move_mount", Path: at, Err: err}
	}
	return nil
}

// placeholder makes a file on which another one can be mounted.
func placeholder(at string, dir bool) error {
	if dir {
		return os.Mkdir(at, 0o755)
	}
	f, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}
