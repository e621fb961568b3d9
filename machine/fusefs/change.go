package fusefs

import (
	"path"
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Programs make and remove directories and links in configfs only. The host makes
// and removes the names of files that have come and gone, so that the kernel
// tells the programs that watch a directory.

// Mknod implements fuse.RawFileSystem.
func (fs *fileSystem) Mknod(_ <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	refused := unix.EPERM
	if in.Mode&unix.S_IFMT == unix.S_IFREG {
		refused = unix.EACCES // as open(2) with O_CREAT
	}
	return fs.made(&in.InHeader, name, out, func(int, string) error { return refused })
}

// Mkdir implements fuse.RawFileSystem.
func (fs *fileSystem) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return fs.made(&in.InHeader, name, out, fs.files.Mkdir)
}

// Symlink implements fuse.RawFileSystem.
func (fs *fileSystem) Symlink(_ <-chan struct{}, header *fuse.InHeader, target, name string, out *fuse.EntryOut) fuse.Status {
	return fs.made(header, name, out, func(tid int, at string) error { return fs.files.Symlink(tid, target, at) })
}

func (fs *fileSystem) made(header *fuse.InHeader, name string, out *fuse.EntryOut, make func(tid int, at string) error) fuse.Status {
	at, tid := path.Join(fs.path(header.NodeId), name), int(header.Pid)
	if !fs.files.Announces(tid) {
		if err := make(tid, at); err != nil {
			return status(err)
		}
	}
	st, err := fs.files.Stat(at)
	if err != nil {
		return status(err)
	}
	fs.found(at, &st, out)
	return fuse.OK
}

// Rmdir implements fuse.RawFileSystem.
func (fs *fileSystem) Rmdir(_ <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	return fs.removed(header, name, fs.files.Rmdir)
}

// Unlink implements fuse.RawFileSystem.
func (fs *fileSystem) Unlink(_ <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	return fs.removed(header, name, fs.files.Unlink)
}

func (fs *fileSystem) removed(header *fuse.InHeader, name string, remove func(tid int, at string) error) fuse.Status {
	at, tid := path.Join(fs.path(header.NodeId), name), int(header.Pid)
	if !fs.files.Announces(tid) {
		if err := remove(tid, at); err != nil {
			return status(err)
		}
	}
	// A file that comes there later is another one.
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, kind := range kinds {
		delete(fs.byKey, key{at, kind})
	}
	return fuse.OK
}

// Rename implements fuse.RawFileSystem.
func (fs *fileSystem) Rename(_ <-chan struct{}, in *fuse.RenameIn, _, _ string) fuse.Status {
	if in.Flags&unix.RENAME_EXCHANGE != 0 && strings.HasPrefix(fs.path(in.NodeId), "/sys/") {
		return fuse.EINVAL
	}
	return fuse.EPERM
}

// Link implements fuse.RawFileSystem.
func (fs *fileSystem) Link(<-chan struct{}, *fuse.LinkIn, string, *fuse.EntryOut) fuse.Status {
	return fuse.EPERM
}

// Create implements fuse.RawFileSystem.
func (fs *fileSystem) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	return fuse.EACCES
}
