package thread

import (
	"encoding/binary"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// FDs looks up descriptors of threads, and which of their memory is present. It
// keeps the files of /proc for recent threads and descriptors open, which saves a
// third of the time and more. There is room for a program whose threads take turns in
// using many cards. The zero value is ready and must be closed. One goroutine may use
// it.
//
// A kept directory cannot be mistaken for that of another thread with the same
// id: it belongs to the thread, and is empty once the thread has ended.
type FDs struct {
	dirs [32]struct {
		id      ID
		kept    uint64 // see Kept
		fd      int
		pageMap int // /proc/TID/pagemap; 0 before it was opened
	}
	infos [256]keptInfo // see Pipe
	count uint64
}

// keptFiles counts the files that are kept open in the process. Programs can have
// many threads, and descriptors are scarce: beyond maxKeptFiles, who keeps a further
// file closes its other ones first.
var keptFiles atomic.Int32

var maxKeptFiles = sync.OnceValue(func() int32 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int32(min(1024, limit.Cur/8))
})

// open opens a file that is kept.
func (f *FDs) open(path string, flags int) (int, error) {
	if keptFiles.Load() >= maxKeptFiles() {
		f.Close()
	}
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	if err == nil {
		keptFiles.Add(1)
	}
	return fd, err
}

func closeKept(fd int) {
	_ = unix.Close(fd)
	keptFiles.Add(-1)
}

// Kept identifies the thread that has the id t, if the last lookup by Link was
// one of its descriptors: no other thread has the number. 0: unknown.
func (f *FDs) Kept(t ID) uint64 {
	if d := &f.dirs[int(t)%len(f.dirs)]; d.id == t {
		return d.kept
	}
	return 0
}

// Link is [ID.FD], but faster for recent threads.
func (f *FDs) Link(t ID, fd int, buf []byte) ([]byte, error) {
	var name [24]byte
	p := append(strconv.AppendInt(name[:0], int64(fd), 10), 0)
	if link, ok := f.link(t, p, buf); ok {
		return link, nil
	}
	link, err := t.FD(fd, buf)
	if err == nil {
		f.keep(t)
	}
	return link, err
}

// CWD is [ID.CWD], but faster for recent threads.
func (f *FDs) CWD(t ID, buf []byte) ([]byte, error) {
	if link, ok := f.link(t, cwdName, buf); ok {
		return link, nil
	}
	link, err := t.CWD(buf)
	if err == nil {
		f.keep(t)
	}
	return link, err
}

// RootLink is [ID.RootLink], but faster for recent threads.
func (f *FDs) RootLink(t ID, buf []byte) ([]byte, error) {
	if link, ok := f.link(t, rootName, buf); ok {
		return link, nil
	}
	link, err := t.RootLink(buf)
	if err == nil {
		f.keep(t)
	}
	return link, err
}

// Links beside the directory of descriptors.
var (
	cwdName  = []byte("../cwd\x00")
	rootName = []byte("../root\x00")
)

// link reads a link at a path, which ends with a NUL, from the kept directory of
// descriptors.
func (f *FDs) link(t ID, path, buf []byte) (link []byte, ok bool) {
	d := &f.dirs[int(t)%len(f.dirs)]
	if d.id != t {
		return nil, false
	}
	n, err := readlink(d.fd, path, buf)
	return buf[:max(n, 0)], err == nil
}

func (f *FDs) keep(t ID) {
	d := &f.dirs[int(t)%len(f.dirs)]
	if d.id != 0 {
		closeKept(d.fd)
		d.id = 0
	}
	f.closePageMap(t)
	dir, err := f.open(t.path("fd"), unix.O_PATH|unix.O_DIRECTORY)
	if err == nil {
		f.count++
		d.id, d.fd, d.kept = t, dir, f.count
	}
}

// Bits of an entry of pagemap, see Documentation/admin-guide/mm/pagemap.rst.
const (
	pagePresent        = 1 << 63
	pageWriteProtected = 1 << 57 // by userfaultfd
)

// maxPages bounds the range that Present looks at.
const maxPages = 32

var pageSize = uint64(os.Getpagesize())

// Present reports whether all of n bytes at addr are in memory, so that they can
// be read, or with write written, without waiting. It is a guess: the program
// may change it at once, and the thread's id may have belonged to another one.
func (f *FDs) Present(t ID, addr, n uint64, write bool) bool {
	d := &f.dirs[int(t)%len(f.dirs)]
	if d.id != t {
		f.keep(t)
	}
	first, last := addr/pageSize, (addr+max(n, 1)-1)/pageSize
	if d.id != t || last < first || last-first >= maxPages {
		return false
	}
	var buf [8 * maxPages]byte
	entries := buf[:8*(last-first+1)]
	for range 2 {
		if d.pageMap == 0 {
			fd, err := f.open(t.path("pagemap"), unix.O_RDONLY)
			if err != nil {
				return false
			}
			d.pageMap = fd
		}
		got, err := unix.Pread(d.pageMap, entries, int64(8*first))
		if err != nil {
			return false
		}
		if got == len(entries) {
			break
		}
		f.closePageMap(t) // the process has called exec, and has other memory
	}
	if d.pageMap == 0 {
		return false
	}
	for i := 0; i < len(entries); i += 8 {
		entry := binary.NativeEndian.Uint64(entries[i:])
		if entry&pagePresent == 0 || write && entry&pageWriteProtected != 0 {
			return false
		}
	}
	return true
}

func (f *FDs) closePageMap(t ID) {
	d := &f.dirs[int(t)%len(f.dirs)]
	if d.pageMap != 0 {
		closeKept(d.pageMap)
		d.pageMap = 0
	}
}

// Close closes the kept files.
func (f *FDs) Close() {
	for i := range f.dirs {
		f.closePageMap(ID(i))
		if f.dirs[i].id != 0 {
			closeKept(f.dirs[i].fd)
			f.dirs[i].id = 0
		}
	}
	for i := range f.infos {
		f.infos[i].close()
	}
}
