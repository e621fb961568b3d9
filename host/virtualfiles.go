package host

import (
	"os"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/files"
	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// VirtualFiles are the virtual files of a host, as a [FileServer] shows them.
// Paths are absolute and clean. Directories that hold real files too, such as
// /sys/class, have the names of both. All methods may be called concurrently.
// Errors are errno values. tid is the thread that asks.
type VirtualFiles struct {
	host     *Host
	openings openings
	covering atomic.Bool
	fresh    freshFiles

	announcer *announcer
}

// Lookup returns the status of the file at path, for which the thread tid looks.
// known says that the kernel knows a file of that path.
func (v *VirtualFiles) Lookup(tid int, path string, known bool) (unix.Statx_t, error) {
	if v.Announces(tid) {
		return v.announcer.lookup(v, path, known)
	}
	return v.Stat(path)
}

// Stat returns the status of a file.
func (v *VirtualFiles) Stat(path string) (unix.Statx_t, error) {
	n, hidden := v.host.tree.Load().Lookup(path)
	if n != nil && (n.Kind != vfs.Dir || n.Own()) {
		return v.host.statOf(path, n), nil
	}
	if n == nil && v.fresh.is(path) {
		return v.host.statOf(path, freshNode), nil
	}
	if n == nil && path == dri { // its name goes a moment after the last node
		return v.host.statOf(path, &vfs.Node{Kind: vfs.Dir, Perm: 0o755}), nil
	}
	if !hidden && (n != nil || v.isUnion(path)) {
		var st unix.Statx_t
		if unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS, &st) == nil {
			return st, nil
		}
	}
	if n == nil {
		return unix.Statx_t{}, unix.ENOENT
	}
	return v.host.statOf(path, n), nil
}

// isUnion reports whether the directory of a file has real files too, or is a real
// one in such a directory: it has come since the host mounted what was there.
func (v *VirtualFiles) isUnion(file string) bool {
	dir := path.Dir(file)
	n, hidden := v.host.tree.Load().Lookup(dir)
	if n == nil {
		return !hidden && v.isNewDir(dir)
	}
	return n.Kind == vfs.Dir && !n.Own() && n.Shows(path.Base(file))
}

// isNewDir reports whether a directory is a real one that has come since the host
// mounted what was there, and that everybody may list.
func (v *VirtualFiles) isNewDir(dir string) bool {
	var st unix.Stat_t
	const listed = 0o005
	return v.isUnion(dir) && unix.Lstat(dir, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Mode&listed == listed
}

// Covering reports whether the host mounts the files, and what is really there on
// top of them, before the first program starts.
func (v *VirtualFiles) Covering() bool { return v.covering.Load() }

// IsReal reports whether the file at path is one of the machine, perhaps with
// virtual files in it.
func (v *VirtualFiles) IsReal(path string) bool {
	n, hidden := v.host.tree.Load().Lookup(path)
	return !hidden && (n == nil || n.Kind == vfs.Dir && !n.Own())
}

// A VirtualEntry is a name in a directory, with the type bits of its mode.
type VirtualEntry struct {
	Name string
	Mode uint32
	Real bool // the file is one of the machine
}

var kindModes = map[vfs.Kind]uint32{
	vfs.Dir: unix.S_IFDIR, vfs.File: unix.S_IFREG, vfs.Link: unix.S_IFLNK, vfs.Char: unix.S_IFCHR,
}

// An OpenDir is a directory that a program has open. Close must be called once.
type OpenDir struct {
	files   *VirtualFiles
	path    string
	account *drm.Account

	mu      sync.Mutex
	entries []VirtualEntry // that were listed last
	size    int64          // of the entries
}

// OpenDir opens a directory for a thread that may list it. What it takes is charged to
// the account of the program until it is closed.
func (v *VirtualFiles) OpenDir(tid int, path string) (*OpenDir, error) {
	if n, _ := v.host.tree.Load().Lookup(path); n == nil && path == dri {
		return nil, unix.ENOENT // its name goes a moment later
	}
	if err := v.Access(tid, path, unix.R_OK); err != nil {
		return nil, err
	}
	account := v.host.accounts.of(tid)
	if err := account.Charge(drm.Descriptors, 1, unix.EMFILE); err != nil {
		return nil, errnoOf(err)
	}
	return &OpenDir{files: v, path: path, account: account}, nil
}

// Entries returns the names in the directory, with "." and "..": those that it had at
// the last call, or with afresh set the present ones.
func (d *OpenDir) Entries(afresh bool) ([]VirtualEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.entries != nil && !afresh {
		return d.entries, nil
	}
	entries := slices.Concat([]VirtualEntry{{Name: ".", Mode: unix.S_IFDIR}, {Name: "..", Mode: unix.S_IFDIR}}, d.files.Entries(d.path))
	size := int64(0)
	for _, e := range entries {
		size += entryBytes + int64(len(e.Name))
	}
	if err := d.account.Charge(drm.HeldBytes, size, unix.ENOMEM); err != nil {
		return nil, errnoOf(err)
	}
	d.account.Refund(drm.HeldBytes, d.size)
	d.entries, d.size = entries, size
	return entries, nil
}

// entryBytes is the memory that an entry takes apart from its name.
const entryBytes = 32

// Close ends the use of the directory.
func (d *OpenDir) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.account.Refund(drm.HeldBytes, d.size)
	d.account.Refund(drm.Descriptors, 1)
}

// Entries lists a directory.
func (v *VirtualFiles) Entries(dir string) []VirtualEntry {
	n, hidden := v.host.tree.Load().Lookup(dir)
	isNew := n == nil && !hidden && v.isNewDir(dir)
	if !isNew && (n == nil || n.Kind != vfs.Dir) {
		return nil // removed
	}
	var entries []VirtualEntry
	if !isNew {
		for _, e := range n.Entries() {
			entries = append(entries, VirtualEntry{Name: e.Name, Mode: kindModes[e.Kind]})
		}
		if n.Own() {
			return entries
		}
	}
	real, _ := os.ReadDir(dir)
	for _, e := range real {
		if !isNew && !n.Shows(e.Name()) {
			continue
		}
		mode := uint32(unix.S_IFREG)
		switch t := e.Type(); {
		case t.IsDir():
			mode = unix.S_IFDIR
		case t&os.ModeSymlink != 0:
			mode = unix.S_IFLNK
		}
		entries = append(entries, VirtualEntry{Name: e.Name(), Mode: mode, Real: true})
	}
	return entries
}

// Readlink returns what a link says.
func (v *VirtualFiles) Readlink(path string) (string, error) {
	if n, _ := v.host.tree.Load().Lookup(path); n != nil {
		if n.Kind != vfs.Link {
			return "", unix.EINVAL
		}
		return n.Target, nil
	}
	if !v.isUnion(path) {
		return "", unix.ENOENT
	}
	target, err := os.Readlink(path)
	if err != nil {
		return "", errnoOf(err)
	}
	return target, nil
}

// Access checks an access by a thread: want is made of R_OK, W_OK and X_OK. The
// kernel asks nobody who may search a directory on the way, so this also checks that
// of debugfs.
func (v *VirtualFiles) Access(tid int, path string, want uint32) error {
	n, _ := v.host.tree.Load().Lookup(path)
	if err := v.host.permit(thread.ID(tid), path, n, want); err != nil {
		return err
	}
	if n == nil || path == debugfsRoot || !inDebugfs(path) {
		return nil
	}
	return v.host.mayEnterDebugfs(thread.ID(tid))
}

// An OpenFile is a virtual file that a program has opened: its content at that
// moment, and what stores a write, or nil. Close must be called once.
type OpenFile struct {
	Content string
	Store   func(data string) error
	Close   func()
}

// maxRealFile bounds what is read of a real file.
const maxRealFile = 1 << 16

// Open opens a file that is no node. It stays charged to the account of the
// program until it is closed.
func (v *VirtualFiles) Open(tid int, path string, flags int) (f OpenFile, err error) {
	account := v.host.accounts.of(tid)
	if err := account.Charge(drm.Descriptors, 1, unix.EMFILE); err != nil {
		return OpenFile{}, errnoOf(err)
	}
	f, err = v.open(tid, path, flags)
	held := int64(len(f.Content))
	if err == nil {
		if err = account.Charge(drm.HeldBytes, held, unix.ENOMEM); err != nil {
			err = errnoOf(err)
		}
	}
	if err != nil {
		account.Refund(drm.Descriptors, 1)
		return OpenFile{}, err
	}
	f.Close = func() {
		account.Refund(drm.HeldBytes, held)
		account.Refund(drm.Descriptors, 1)
	}
	return f, nil
}

func (v *VirtualFiles) open(tid int, path string, flags int) (OpenFile, error) {
	t, want := thread.ID(tid), accessOf(flags)
	n, _ := v.host.tree.Load().Lookup(path)
	switch {
	case n == nil && v.fresh.is(path):
		return OpenFile{}, nil
	case n == nil:
		return v.openReal(path, want)
	}
	if err := v.Access(tid, path, want); err != nil {
		return OpenFile{}, err
	}
	if n.Kind != vfs.File || n.Open != nil || n.Socket() {
		return OpenFile{}, unix.ENXIO
	}
	var f OpenFile
	if want&unix.R_OK != 0 {
		if n.Show == nil {
			return OpenFile{}, unix.EACCES
		}
		f.Content = n.Show()
	}
	if want&unix.W_OK != 0 {
		if n.Store == nil {
			return OpenFile{}, unix.EACCES
		}
		f.Store = func(data string) error {
			v.host.files.Drain(fileCaller{v.host, t}) // files closed before the write are released before it
			if err := n.Store(data); err != nil {
				v.host.log.Debug("host: write to virtual file refused", "path", path, "err", err)
				return errnoOf(err)
			}
			return nil
		}
	}
	return f, nil
}

// openReal opens a record of udev's real database. Real files elsewhere are
// mounted.
func (v *VirtualFiles) openReal(path string, want uint32) (OpenFile, error) {
	if want != unix.R_OK || !v.isUnion(path) {
		return OpenFile{}, unix.EACCES
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return OpenFile{}, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o004 == 0 {
		return OpenFile{}, unix.EACCES
	}
	content := make([]byte, min(st.Size, maxRealFile))
	k, err := unix.Pread(fd, content, 0)
	return OpenFile{Content: string(content[:max(k, 0)])}, err
}

// Chmod changes the permissions that Stat reports.
func (v *VirtualFiles) Chmod(tid int, path string, mode uint32) error {
	return v.change(tid, path, changeBits(uint64(mode)))
}

// Chown changes the owner that Stat reports. ^0 changes nothing.
func (v *VirtualFiles) Chown(tid int, path string, uid, gid uint32) error {
	return v.change(tid, path, changeOwner(uint64(uid), uint64(gid)))
}

// SetTimes changes the times that Stat reports. nil keeps a time; now says that
// both are the present time.
func (v *VirtualFiles) SetTimes(tid int, path string, atime, mtime *unix.StatxTimestamp, now bool) error {
	n, _ := v.host.tree.Load().Lookup(path)
	if n == nil {
		return unix.EPERM
	}
	return v.host.changeTimes(thread.ID(tid), path, n, newTimes{atime, mtime, now})
}

func (v *VirtualFiles) change(tid int, path string, change permChange) error {
	n, _ := v.host.tree.Load().Lookup(path)
	if n == nil {
		return unix.EPERM
	}
	return v.host.change(thread.ID(tid), path, n, change)
}

// fileCaller is a thread that waits for the file server, as a files.Caller.
type fileCaller struct {
	host *Host
	tid  thread.ID
}

// Within implements files.Caller.
func (c fileCaller) Within(pid int) bool { return isThreadOf(c.tid, pid) }

// PID implements files.Caller.
func (c fileCaller) PID() int { return clientOf(c.tid).PID }

// Account implements files.Caller.
func (c fileCaller) Account() *drm.Account { return c.host.accounts.of(int(c.tid)) }

// Wait implements files.Caller.
func (c fileCaller) Wait(done <-chan struct{}, limit time.Duration) { files.Wait(done, limit, nil) }
