package files

import (
	"encoding/binary"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/internal/pollfd"
)

// A File is an open file. The inode of its pipe says which descriptors of
// programs refer to it.
type File struct {
	table  *Table
	client drm.ClientFile
	node   *drm.File // client, if it is a node; otherwise nil
	inode  uint64
	watch  int // of Table.inotify; -1: none
	flags  int // of open(2)

	noIoctl bool
	sink    *sink

	account     *drm.Account // charged for a watch and the descriptors of this process
	descriptors int64

	// Guarded by Table.mu.
	owner  *owner // nil before it is in the table
	hungUp bool

	reading sync.Mutex // held while TakeEvents looks and takes

	mu       sync.Mutex
	users    int // requests in progress
	released bool
}

// Client returns what serves the file's requests.
func (f *File) Client() drm.ClientFile { return f.client }

// Node returns the open node, or nil when the file is not one.
func (f *File) Node() *drm.File { return f.node }

// Flags returns the flags that the file was opened with.
func (f *File) Flags() int { return f.flags }

// NoIoctl reports whether the program that opened the file may send it no
// requests, because of Landlock. That stays with the file, as in the kernel.
func (f *File) NoIoctl() bool { return f.noIoctl }

// use keeps the file from being released until Put. It returns false if the file
// is released, or will be.
func (f *File) use() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.released {
		return false
	}
	f.users++
	return true
}

// charge charges what the file takes of this process to its account.
func (f *File) charge() error {
	if err := f.account.Charge(drm.Descriptors, f.descriptors, unix.EMFILE); err != nil {
		return err
	}
	if err := f.account.Charge(drm.Watches, 1, unix.EMFILE); err != nil {
		f.account.Refund(drm.Descriptors, f.descriptors)
		return err
	}
	return nil
}

func (f *File) refund() {
	f.account.Refund(drm.Descriptors, f.descriptors)
	f.account.Refund(drm.Watches, 1)
}

// Put ends a use that Acquire began. The last use of a closed file releases it.
func (f *File) Put() {
	f.mu.Lock()
	f.users--
	last := f.released && f.users == 0
	f.mu.Unlock()
	if last {
		r := newRelease(f)
		f.table.mu.Lock()
		f.table.beginLocked(r)
		f.table.mu.Unlock()
		f.table.run(r)
	}
}

// OpenAgain returns another read end of the file's pipe. EBADF if the file is
// closed.
func (f *File) OpenAgain() (readEnd int, err error) {
	if !f.use() {
		return -1, unix.EBADF
	}
	defer f.Put()
	return f.sink.OpenReader()
}

func (f *File) end() {
	// The number of the write end may be in use again as soon as it is closed.
	// The lock of the pipe keeps events from being written to it then.
	f.sink.Close()
	_ = f.client.Close()
	f.table.count.Add(-1)
	f.refund()
	if f.node != nil {
		f.table.log.Debug("host: closed", "node", f.node.Minor().Name())
	}
}

// NextArrival returns a channel that is closed at the next event.
func (f *File) NextArrival() <-chan struct{} { return f.sink.NextArrival() }

// TakeEvents passes to give the next events that fit into size bytes, whole
// ones only, and removes them from the pipe if give succeeds. It returns 0 when
// the first event does not fit or the file has hung up. EAGAIN when no event is
// there.
func (f *File) TakeEvents(size int, give func(events []byte) error) (n int, err error) {
	f.reading.Lock()
	defer f.reading.Unlock()
	r, err := f.sink.OpenReader()
	if err != nil {
		return 0, err
	}
	defer unix.Close(r)
	buf := make([]byte, max(size, 1)) // to peek of nothing tells nothing
	there, err := peek(r, buf)
	if err != nil {
		return 0, err
	}
	if n = wholeEvents(buf[:min(there, size)]); n == 0 {
		return 0, nil
	}
	if err := give(buf[:n]); err != nil {
		return 0, err
	}
	return unix.Read(r, buf[:n])
}

// wholeEvents returns the length of the whole events at the start of p. Each
// begins with struct drm_event: type and length.
func wholeEvents(p []byte) (n int) {
	for {
		if len(p)-n < 8 {
			return n
		}
		length := int(binary.NativeEndian.Uint32(p[n+4:]))
		if length < 8 || length > len(p)-n {
			return n
		}
		n += length
	}
}

// peek copies from a pipe without removing anything. EAGAIN when the pipe is
// empty, 0 when it is empty and has hung up.
func peek(pipe int, p []byte) (n int, err error) {
	var copied [2]int
	if err := unix.Pipe2(copied[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return 0, err
	}
	defer unix.Close(copied[0])
	defer unix.Close(copied[1])
	there, err := unix.Tee(pipe, copied[1], len(p), unix.SPLICE_F_NONBLOCK)
	if err != nil || there == 0 {
		return 0, err
	}
	return unix.Read(copied[0], p)
}

// A sink is the drm.EventSink of a file. Its pipe hangs up only if the table
// says so.
type sink struct {
	*pollfd.Pipe
	onHangUp func() // nil: the pipe does not hang up
}

// HangUp implements drm.EventSink.
func (s *sink) HangUp() {
	if s.onHangUp == nil {
		return
	}
	s.Pipe.HangUp()
	s.onHangUp()
}

// PipeInode returns the inode in "pipe:[INODE]", a link of /proc/PID/fd, or 0.
func PipeInode(link []byte) uint64 { return bracketed(link, "pipe:[") }

// SocketInode returns the inode in "socket:[INODE]", or 0.
func SocketInode(link []byte) uint64 { return bracketed(link, "socket:[") }

// bracketed returns the number between prefix and a closing bracket, or 0.
func bracketed(link []byte, prefix string) uint64 {
	if len(link) <= len(prefix) || string(link[:len(prefix)]) != prefix || link[len(link)-1] != ']' {
		return 0
	}
	var inode uint64
	for _, digit := range link[len(prefix) : len(link)-1] {
		if digit < '0' || digit > '9' {
			return 0
		}
		inode = inode*10 + uint64(digit-'0')
	}
	return inode
}
