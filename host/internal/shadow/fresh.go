package shadow

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/internal/pollfd"
)

// A Fresh is a new file or directory in the copy of a virtual directory. No
// program has it open.
type Fresh struct {
	Path string // from the root of the private directory
	ID   pollfd.ID

	dirs      *Dirs
	dir, name string
}

// Fresh makes a file, or a directory, in the copy of the virtual directory dir.
// All users may open it. The caller removes it soon: listings show it.
func (d *Dirs) Fresh(dir string, directory bool) (*Fresh, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	parent, err := d.walk(dir)
	if err != nil {
		return nil, err
	}
	defer unix.Close(parent)
	d.nextFresh++
	f := &Fresh{dirs: d, dir: dir, name: fmt.Sprintf(".udrm-%d", d.nextFresh)}
	f.Path = path.Join(strings.TrimPrefix(dir, "/"), f.name)
	fd, mode := -1, uint32(0o666)
	if directory {
		mode = 0o755
		if err = unix.Mkdirat(parent, f.name, mode); err == nil {
			fd, err = openDir(parent, f.name)
		}
	} else {
		fd, err = unix.Openat(parent, f.name, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_CLOEXEC, mode)
	}
	if err != nil {
		return nil, fmt.Errorf("a file in the copy of %s: %w", dir, err)
	}
	d.fresh[f.name] = struct{}{}
	var st unix.Stat_t
	err = errors.Join(unix.Fchmod(fd, mode), unix.Fstat(fd, &st), unix.Close(fd))
	f.ID = pollfd.IDOf(&st)
	if err != nil {
		f.removeLocked()
		return nil, err
	}
	return f, nil
}

// Remove removes the file.
func (f *Fresh) Remove() {
	f.dirs.mu.Lock()
	defer f.dirs.mu.Unlock()
	f.removeLocked()
}

func (f *Fresh) removeLocked() {
	delete(f.dirs.fresh, f.name)
	if parent, err := f.dirs.walk(f.dir); err == nil {
		_ = removeAll(parent, f.name)
		_ = unix.Close(parent)
	}
}
