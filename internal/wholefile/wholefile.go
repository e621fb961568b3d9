// Package wholefile writes files that have either their old content or the whole
// new one at any time.
//
// Start reading at [Write].
package wholefile

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Write creates or replaces a file with what write writes. If write fails, the
// file keeps its old content. A symbolic link is followed.
//
// There are two exceptions, which are written in place: a name that is not a
// regular file, such as /dev/stdout, and a file in a directory that does not
// take new ones.
func Write(name string, write func(io.Writer) error) error {
	mode := fs.FileMode(0o666) // less the umask
	switch info, err := os.Stat(name); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return inPlace(name, 0, write)
	default:
		mode = info.Mode().Perm()
		if err := unix.Access(name, unix.W_OK); err != nil {
			return &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
	target := name
	if resolved, err := filepath.EvalSymlinks(name); err == nil {
		target = resolved
	}
	temporary := filepath.Join(filepath.Dir(target), ".udrm-"+rand.Text())
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		return inPlace(name, os.O_CREATE|os.O_TRUNC, write)
	}
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			path.Path = name
		}
		return err
	}
	if err = errors.Join(write(f), f.Close()); err == nil {
		err = os.Rename(temporary, target)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}

// WriteData creates or replaces a file as [Write] does.
func WriteData(name string, data []byte) error {
	return Write(name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func inPlace(name string, flags int, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|flags, 0o666)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
