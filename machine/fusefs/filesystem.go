package fusefs

import (
	"errors"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host"
)

// A fileSystem answers the kernel's requests. A node id stands for a path and a
// type of file for as long as the kernel knows it.
type fileSystem struct {
	fuse.RawFileSystem
	files *host.VirtualFiles

	mu      sync.Mutex
	nodes   map[uint64]*node
	byKey   map[key]*node
	handles map[uint64]*handle
	last    uint64 // the last id of a node or a handle
}

type key struct {
	path string
	kind uint16 // type bits of the mode
}

type node struct {
	key
	id      uint64
	lookups uint64
}

// A handle is an open file or directory.
type handle struct {
	host.OpenFile
	dir *host.OpenDir // nil for a file
}

func newFileSystem(files *host.VirtualFiles) *fileSystem {
	root := &node{key: key{"/", unix.S_IFDIR}, id: fuse.FUSE_ROOT_ID, lookups: 1}
	return &fileSystem{
		RawFileSystem: fuse.NewDefaultRawFileSystem(),
		files:         files,
		nodes:         map[uint64]*node{root.id: root},
		byKey:         map[key]*node{root.key: root},
		handles:       make(map[uint64]*handle),
		last:          root.id,
	}
}

// String implements fuse.RawFileSystem.
func (fs *fileSystem) String() string { return "udrm" }

// status returns the error of a request as the kernel takes it.
func status(err error) fuse.Status {
	var errno unix.Errno
	switch {
	case err == nil:
		return fuse.OK
	case errors.As(err, &errno):
		return fuse.Status(errno)
	}
	return fuse.EIO
}

// path returns the path of a node, or "".
func (fs *fileSystem) path(id uint64) string {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if n := fs.nodes[id]; n != nil {
		return n.path
	}
	return ""
}

// Lookup implements fuse.RawFileSystem.
func (fs *fileSystem) Lookup(_ <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	at := path.Join(fs.path(header.NodeId), name)
	if !path.IsAbs(at) {
		return fuse.ENOENT
	}
	st, err := fs.files.Lookup(int(header.Pid), at, fs.known(at))
	if err != nil {
		return status(err)
	}
	if fs.files.Opening(int(header.Pid), at) {
		return fuse.EINTR
	}
	fs.found(at, &st, out)
	if fs.files.Covering() && fs.files.IsReal(at) {
		out.SetEntryTimeout(coverTimeout)
	}
	return fuse.OK
}

// kinds are the types of virtual files.
var kinds = []uint16{unix.S_IFDIR, unix.S_IFREG, unix.S_IFLNK, unix.S_IFCHR, unix.S_IFSOCK}

// known reports whether the kernel knows a file of that path.
func (fs *fileSystem) known(at string) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return slices.ContainsFunc(kinds, func(kind uint16) bool { return fs.byKey[key{at, kind}] != nil })
}

// found answers with the file at a path, and counts that the kernel knows it.
func (fs *fileSystem) found(at string, st *unix.Statx_t, out *fuse.EntryOut) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	k := key{at, st.Mode & unix.S_IFMT}
	n := fs.byKey[k]
	if n == nil {
		fs.last++
		n = &node{key: k, id: fs.last}
		fs.nodes[n.id], fs.byKey[k] = n, n
	}
	n.lookups++
	out.NodeId = n.id
	fill(&out.Attr, st)
}

// Forget implements fuse.RawFileSystem.
func (fs *fileSystem) Forget(id, lookups uint64) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	n := fs.nodes[id]
	if n == nil || id == fuse.FUSE_ROOT_ID {
		return
	}
	if n.lookups -= min(n.lookups, lookups); n.lookups == 0 {
		delete(fs.nodes, id)
		if fs.byKey[n.key] == n {
			delete(fs.byKey, n.key)
		}
	}
}

func fill(a *fuse.Attr, st *unix.Statx_t) {
	a.Ino, a.Size, a.Blocks = st.Ino, st.Size, st.Blocks
	a.Atime, a.Atimensec = uint64(st.Atime.Sec), st.Atime.Nsec
	a.Mtime, a.Mtimensec = uint64(st.Mtime.Sec), st.Mtime.Nsec
	a.Ctime, a.Ctimensec = uint64(st.Ctime.Sec), st.Ctime.Nsec
	a.Mode, a.Nlink = uint32(st.Mode), st.Nlink
	a.Uid, a.Gid = st.Uid, st.Gid
	a.Rdev = uint32(unix.Mkdev(st.Rdev_major, st.Rdev_minor))
	a.Blksize = st.Blksize
}

// GetAttr implements fuse.RawFileSystem.
func (fs *fileSystem) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	return fs.attributes(&in.InHeader, out)
}

func (fs *fileSystem) attributes(header *fuse.InHeader, out *fuse.AttrOut) fuse.Status {
	st, err := fs.files.Attributes(int(header.Pid), fs.path(header.NodeId))
	if err != nil {
		return status(err)
	}
	fill(&out.Attr, &st)
	return fuse.OK
}

// SetAttr implements fuse.RawFileSystem. The size of a file does not change.
func (fs *fileSystem) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	at, tid := fs.path(in.NodeId), int(in.Pid)
	if _, ok := in.GetSize(); ok && !fs.isWritable(in) {
		if err := fs.files.Access(tid, at, unix.W_OK); err != nil {
			return status(err)
		}
	}
	if mode, ok := in.GetMode(); ok {
		if err := fs.files.Chmod(tid, at, mode); err != nil {
			return status(err)
		}
	}
	uid, setUID := in.GetUID()
	gid, setGID := in.GetGID()
	if setUID || setGID {
		if err := fs.files.Chown(tid, at, uid, gid); err != nil {
			return status(err)
		}
	}
	if err := fs.setTimes(in, at); err != nil {
		return status(err)
	}
	return fs.attributes(&in.InHeader, out)
}

// isWritable reports whether the request is for a file that is open for writing.
func (fs *fileSystem) isWritable(in *fuse.SetAttrIn) bool {
	id, ok := in.GetFh()
	if !ok {
		return false
	}
	h := fs.handle(id)
	return h != nil && h.Store != nil
}

func (fs *fileSystem) setTimes(in *fuse.SetAttrIn, at string) error {
	timestamp := func(t time.Time, ok bool) *unix.StatxTimestamp {
		if !ok {
			return nil
		}
		return &unix.StatxTimestamp{Sec: t.Unix(), Nsec: uint32(t.Nanosecond())}
	}
	const now = fuse.FATTR_ATIME_NOW | fuse.FATTR_MTIME_NOW
	return fs.files.SetTimes(int(in.Pid), at, timestamp(in.GetATime()), timestamp(in.GetMTime()), in.Valid&now == now)
}

// StatFs implements fuse.RawFileSystem. What programs see of it, a host answers.
func (fs *fileSystem) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	out.Bsize, out.Frsize, out.NameLen = 4096, 4096, 255
	return fuse.OK
}

// GetXAttr implements fuse.RawFileSystem.
func (fs *fileSystem) GetXAttr(_ <-chan struct{}, header *fuse.InHeader, name string, dest []byte) (uint32, fuse.Status) {
	value, err := fs.files.Xattr(fs.path(header.NodeId), name)
	if err != nil {
		return 0, status(err)
	}
	return fitted(dest, value)
}

// fitted answers with a text. No room asks for its size.
func fitted(dest []byte, text string) (uint32, fuse.Status) {
	if len(dest) < len(text) && len(dest) > 0 {
		return 0, fuse.ERANGE
	}
	copy(dest, text)
	return uint32(len(text)), fuse.OK
}

// ListXAttr implements fuse.RawFileSystem.
func (fs *fileSystem) ListXAttr(_ <-chan struct{}, header *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	return fitted(dest, fs.files.Xattrs(int(header.Pid), fs.path(header.NodeId)))
}

// SetXAttr implements fuse.RawFileSystem.
func (fs *fileSystem) SetXAttr(_ <-chan struct{}, in *fuse.SetXAttrIn, name string, value []byte) fuse.Status {
	return status(fs.files.SetXattr(int(in.Pid), fs.path(in.NodeId), name, string(value), in.Flags))
}

// RemoveXAttr implements fuse.RawFileSystem.
func (fs *fileSystem) RemoveXAttr(_ <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	return status(fs.files.RemoveXattr(fs.path(header.NodeId), name))
}

// Readlink implements fuse.RawFileSystem.
func (fs *fileSystem) Readlink(_ <-chan struct{}, header *fuse.InHeader) ([]byte, fuse.Status) {
	target, err := fs.files.Readlink(fs.path(header.NodeId))
	return []byte(target), status(err)
}

// Access implements fuse.RawFileSystem.
func (fs *fileSystem) Access(_ <-chan struct{}, in *fuse.AccessIn) fuse.Status {
	return status(fs.files.Access(int(in.Pid), fs.path(in.NodeId), in.Mask))
}

// Open implements fuse.RawFileSystem.
func (fs *fileSystem) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if in.Flags&unix.O_DIRECT != 0 {
		return fuse.EINVAL
	}
	f, err := fs.files.Open(int(in.Pid), fs.path(in.NodeId), int(in.Flags))
	if err != nil {
		return status(err)
	}
	out.Fh = fs.open(&handle{OpenFile: f})
	out.OpenFlags = fuse.FOPEN_DIRECT_IO | fuse.FOPEN_NOFLUSH
	return fuse.OK
}

func (fs *fileSystem) open(h *handle) uint64 {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.last++
	fs.handles[fs.last] = h
	return fs.last
}

func (fs *fileSystem) handle(id uint64) *handle {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.handles[id]
}

func (fs *fileSystem) release(id uint64) {
	fs.mu.Lock()
	h := fs.handles[id]
	delete(fs.handles, id)
	fs.mu.Unlock()
	if h != nil {
		h.Close()
	}
}

// Read implements fuse.RawFileSystem.
func (fs *fileSystem) Read(_ <-chan struct{}, in *fuse.ReadIn, _ []byte) (fuse.ReadResult, fuse.Status) {
	h := fs.handle(in.Fh)
	if h == nil {
		return nil, fuse.EBADF
	}
	size := uint64(len(h.Content))
	from := min(in.Offset, size)
	return fuse.ReadResultData([]byte(h.Content[from:min(from+uint64(in.Size), size)])), fuse.OK
}

// Write implements fuse.RawFileSystem.
func (fs *fileSystem) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	h := fs.handle(in.Fh)
	if h == nil || h.Store == nil {
		return 0, fuse.EBADF
	}
	data = data[:min(len(data), maxStored)]
	if err := h.Store(string(data)); err != nil {
		return 0, status(err)
	}
	return uint32(len(data)), fuse.OK
}

// maxStored bounds the data of one write, as the page of a sysfs file does.
const maxStored = 4096

// Writev implements fuse.RawFileSystem.
func (fs *fileSystem) Writev(<-chan struct{}, *fuse.WriteIn, [][]byte) (uint32, fuse.Status) {
	return 0, fuse.ENOSYS
}

// Release implements fuse.RawFileSystem.
func (fs *fileSystem) Release(_ <-chan struct{}, in *fuse.ReleaseIn) { fs.release(in.Fh) }

// Flush implements fuse.RawFileSystem.
func (fs *fileSystem) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.OK }

// Fsync implements fuse.RawFileSystem. Files of sysfs have nothing to write back.
func (fs *fileSystem) Fsync(<-chan struct{}, *fuse.FsyncIn) fuse.Status { return fuse.OK }

// OpenDir implements fuse.RawFileSystem.
func (fs *fileSystem) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	at := fs.path(in.NodeId)
	dir, err := fs.files.OpenDir(int(in.Pid), at)
	if err != nil {
		return status(err)
	}
	out.Fh = fs.open(&handle{OpenFile: host.OpenFile{Close: dir.Close}, dir: dir})
	return fuse.OK
}

// ReadDir implements fuse.RawFileSystem. A read from the beginning lists the
// directory as it is then.
func (fs *fileSystem) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return fs.list(in, func(_ string, _ host.VirtualEntry, e fuse.DirEntry) bool { return out.AddDirEntry(e) })
}

// ReadDirPlus implements fuse.RawFileSystem. While the host mounts what is really
// there on top, the kernel need not ask for each name.
func (fs *fileSystem) ReadDirPlus(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return fs.list(in, func(at string, v host.VirtualEntry, e fuse.DirEntry) bool {
		entry := out.AddDirLookupEntry(e)
		if entry == nil {
			return false
		}
		if v.Real && fs.files.Covering() {
			if st, err := fs.files.Stat(at); err == nil {
				fs.found(at, &st, entry)
				entry.SetEntryTimeout(coverTimeout)
			}
		}
		return true
	})
}

// coverTimeout is how long the kernel keeps a name that it got while the host
// covered directories.
const coverTimeout = time.Second

// list adds the entries of a directory, each with its path.
func (fs *fileSystem) list(in *fuse.ReadIn, add func(at string, v host.VirtualEntry, e fuse.DirEntry) bool) fuse.Status {
	h := fs.handle(in.Fh)
	if h == nil || h.dir == nil {
		return fuse.EBADF
	}
	dir := fs.path(in.NodeId)
	entries, err := h.dir.Entries(in.Offset == 0)
	if err != nil {
		return status(err)
	}
	for i := min(in.Offset, uint64(len(entries))); i < uint64(len(entries)); i++ {
		e := fuse.DirEntry{Name: entries[i].Name, Mode: entries[i].Mode, Off: i + 1}
		at := path.Join(dir, e.Name)
		if st, err := fs.files.Stat(at); err == nil {
			e.Ino = st.Ino
		}
		if !add(at, entries[i], e) {
			break
		}
	}
	return fuse.OK
}

// ReleaseDir implements fuse.RawFileSystem.
func (fs *fileSystem) ReleaseDir(in *fuse.ReleaseIn) { fs.release(in.Fh) }

// FsyncDir implements fuse.RawFileSystem.
func (fs *fileSystem) FsyncDir(<-chan struct{}, *fuse.FsyncIn) fuse.Status { return fuse.OK }
