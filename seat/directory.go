package seat

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A Directory has the sockets of one seat. Only the user of this process can list
// it. Programs of other users, to which a program may change, find the sockets by
// names that are random.
type Directory struct {
	path   string
	locked *os.File // while this process lives
}

const (
	directoryParent  = "/tmp" // every user can enter it, and its name is short
	directoryPattern = "udrm-seat-"
	maxAttempts      = 10
)

// NewDirectory makes a directory, and removes those that processes of this user
// left behind when they were killed.
func NewDirectory() (*Directory, error) {
	sweep()
	for range maxAttempts {
		path, err := os.MkdirTemp(directoryParent, directoryPattern)
		if err != nil {
			return nil, fmt.Errorf("seat: %w", err)
		}
		locked, err := lock(path, unix.LOCK_EX)
		if errors.Is(err, unix.ENOENT) {
			continue // another process has swept it away
		}
		if err == nil {
			err = os.Chmod(path, 0o711)
		}
		d := &Directory{path, locked}
		if err != nil {
			return nil, fmt.Errorf("seat: %w", errors.Join(err, d.Close()))
		}
		return d, nil
	}
	return nil, errors.New("seat: other processes keep removing the directory of the sockets")
}

// lock opens and locks a directory of this user. ENOENT if it is gone.
func lock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	var opened, there unix.Stat_t
	err = unix.Fstat(int(f.Fd()), &opened)
	if err == nil && int(opened.Uid) != os.Geteuid() {
		err = unix.EPERM
	}
	if err == nil {
		err = unix.Flock(int(f.Fd()), how)
	}
	if err == nil {
		if err = unix.Lstat(path, &there); err == nil && (there.Dev != opened.Dev || there.Ino != opened.Ino) {
			err = unix.ENOENT
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// sweep removes the directories that no process has locked.
func sweep() {
	paths, _ := filepath.Glob(filepath.Join(directoryParent, directoryPattern+"*"))
	for _, path := range paths {
		f, err := lock(path, unix.LOCK_EX|unix.LOCK_NB)
		if err != nil {
			continue
		}
		_ = os.RemoveAll(path)
		f.Close()
	}
}

// Listen makes a socket that every user can connect to who knows its path.
func (d *Directory) Listen() (*net.UnixListener, error) {
	path := filepath.Join(d.path, rand.Text())
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("seat: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, fmt.Errorf("seat: %w", errors.Join(err, l.Close()))
	}
	return l, nil
}

// Path returns the path of the directory, which has a random name.
func (d *Directory) Path() string { return d.path }

// Close removes the directory.
func (d *Directory) Close() error {
	err := os.RemoveAll(d.path)
	if d.locked != nil { // nil: NewDirectory has failed
		err = errors.Join(err, d.locked.Close())
	}
	return err
}
