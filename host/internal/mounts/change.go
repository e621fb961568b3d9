package mounts

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// A Change says that a virtual file comes or goes in a directory that a tmpfs
// covers.
type Change struct {
	Path string
	Dir  bool
	Gone bool
	Left bool // programs make files in a directory in its place
}

// Change makes and removes names in directories that a tmpfs covers.
func (n *Namespace) Change(changes []Change) error {
	return onThread(func() error {
		if err := n.Enter(); err != nil {
			return err
		}
		unix.Umask(0)
		var errs []error
		for _, c := range changes {
			errs = append(errs, n.change(c))
		}
		return errors.Join(errs...)
	})
}

func (n *Namespace) change(c Change) error {
	if !c.Gone {
		// A program may have made a file of that name, which is hidden then.
		if err := placeholder(unix.AT_FDCWD, c.Path, c.Dir); err != nil && err != unix.EEXIST {
			return &os.PathError{Op: "making a placeholder", Path: c.Path, Err: err}
		}
		return n.show(c.Path)
	}
	if err := unix.Unmount(c.Path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
		return &os.PathError{Op: "unmount", Path: c.Path, Err: err}
	}
	if c.Left { // what is there may be of the machine
		files, err := newTmpfs(c.Path)
		if err != nil {
			return err
		}
		defer files.close()
		return attach(files.mount, c.Path)
	}
	flags := 0
	if c.Dir {
		flags = unix.AT_REMOVEDIR
	}
	if err := unix.Unlinkat(unix.AT_FDCWD, c.Path, flags); err != nil && err != unix.ENOENT {
		return &os.PathError{Op: "unlink", Path: c.Path, Err: err}
	}
	return nil
}
