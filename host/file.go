package host

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/internal/pollfd"
)

// A file is a file of ours that a program has open: a node, or what a request
// has handed out. The program holds the read end of a pipe, in any number of
// descriptors and processes; the host holds the write end. Events are written
// to it, and when the last descriptor of the read end is closed the write end
// shows an error: that is the release.
//
// The inode of the pipe says which file a descriptor belongs to.
type file struct {
	table  *fileTable
	client drm.ClientFile
	drm    *drm.File // client, if it is an open node; else nil
	inode  uint64
	flags  int // of open(2)
	sink   *sink

	reading sync.Mutex // held while takeEvents looks and takes

	mu       sync.Mutex
	users    int // requests under way
	released bool
}

// A fileTable holds the open files of a host.
type fileTable struct {
	epoll int // the write ends
	wake  int // an eventfd that wakes watch
	done  chan struct{}
	count atomic.Int32 // those too that are being released

	reaping sync.Mutex // held while hang-ups are taken and files released

	mu      sync.Mutex
	closing bool
	byInode map[uint64]*file
	hungUp  map[*file]struct{} // their write ends are closed: see sink.HangUp
}

// pipeSize holds the event budget wherever in a page the reader is.
const pipeSize = 2 * drm.EventBudget

func newFileTable() (*fileTable, error) {
	t := &fileTable{byInode: make(map[uint64]*file), hungUp: make(map[*file]struct{}), done: make(chan struct{})}
	var err error
	if t.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if t.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err == nil {
		err = unix.EpollCtl(t.epoll, unix.EPOLL_CTL_ADD, t.wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(t.wake)})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("eventfd: %w", err), unix.Close(t.epoll))
	}
	go t.watch()
	return t, nil
}

// openMinor opens a node for client, see open.
func (t *fileTable) openMinor(minor *drm.Minor, client drm.Client, flags int, hangUp bool) (readEnd int, err error) {
	t.drain()
	return t.open(flags, hangUp, func(sink drm.EventSink) (drm.ClientFile, error) {
		return minor.Open(client, flags, sink)
	})
}

// open makes a file and returns the read end of its pipe, which the caller
// passes on and closes. The file lives for as long as anyone has the read end.
//
// It releases no other file: requests call it with locks held.
func (t *fileTable) open(flags int, hangUp bool, open func(drm.EventSink) (drm.ClientFile, error)) (readEnd int, err error) {
	pipe, readEnd, err := pollfd.NewPipe(flags|unix.O_CLOEXEC, pipeSize)
	if err != nil {
		return -1, err
	}
	f := &file{table: t, flags: flags, inode: pipe.ID().Inode, sink: &sink{Pipe: pipe}}
	fail := func(err error) (int, error) {
		pipe.Close()
		return -1, errors.Join(err, unix.Close(readEnd))
	}
	if hangUp {
		f.sink.onHangUp = func() { t.hangUp(f) }
		if err := pipe.KeepPath(); err != nil {
			return fail(err)
		}
	}
	if f.client, err = open(f.sink); err != nil {
		return fail(err)
	}
	f.drm, _ = f.client.(*drm.File)
	t.mu.Lock()
	t.byInode[f.inode] = f
	t.mu.Unlock()
	t.count.Add(1)
	if err := pipe.Watch(t.epoll); err != nil {
		t.release(f)
		return -1, errors.Join(err, unix.Close(readEnd))
	}
	return readEnd, nil
}

// lookup returns the file whose pipe has that inode, nil when there is none.
func (t *fileTable) lookup(inode uint64) *file {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byInode[inode]
}

// acquire returns the file whose pipe has that inode, nil when there is none.
// The caller puts it when the request is done; until then it is not released.
func (t *fileTable) acquire(inode uint64) *file {
	f := t.lookup(inode)
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.released {
		return nil
	}
	f.users++
	return f
}

func (f *file) put() {
	f.mu.Lock()
	f.users--
	last := f.released && f.users == 0
	f.mu.Unlock()
	if last {
		f.end()
	}
}

// release ends the file once its requests are done. Releasing again does
// nothing.
func (t *fileTable) release(f *file) {
	t.mu.Lock()
	known := t.byInode[f.inode] == f
	if known {
		delete(t.byInode, f.inode)
		delete(t.hungUp, f)
	}
	t.mu.Unlock()
	if !known {
		return
	}
	f.mu.Lock()
	f.released = true
	idle := f.users == 0
	if !idle {
		f.sink.Forget(t.epoll) // it would report its error all the time
	}
	f.mu.Unlock()
	if idle {
		f.end()
	}
}

func (f *file) end() {
	// The number of the write end can be used again as soon as it is closed;
	// that no event is written to it then is the sink's lock.
	f.sink.Close()
	_ = f.client.Close()
	f.table.count.Add(-1)
}

// drain releases the files that have been closed by now. A close is seen here
// before the call that closed the file returns to the program: who drains
// before serving a request serves it in the order that the program sees.
func (t *fileTable) drain() {
	t.reaping.Lock()
	defer t.reaping.Unlock()
	t.drainHungUp()
	var events [16]unix.EpollEvent
	for {
		n, err := unix.EpollWait(t.epoll, events[:], 0)
		if err != nil || n <= 0 {
			return
		}
		some := false
		for _, e := range events[:n] {
			if int(e.Fd) == t.wake {
				continue
			}
			some = true
			if f := t.lookup(uint64(uint32(e.Pad))); f != nil {
				t.release(f)
			}
		}
		if !some {
			return
		}
	}
}

// hangUp notes that the write end of f is closed, and tells nothing of the
// release any more.
func (t *fileTable) hangUp(f *file) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hungUp[f] = struct{}{}
	_, _ = unix.Write(t.wake, eventfdOne) // watch must look after it
}

// drainHungUp releases the hung-up files that nobody has open any more.
func (t *fileTable) drainHungUp() {
	t.mu.Lock()
	var closed []*file
	for f := range t.hungUp {
		if !f.sink.HasReader() {
			closed = append(closed, f)
		}
	}
	t.mu.Unlock()
	for _, f := range closed {
		t.release(f)
	}
}

// hungUpInterval is how often, in milliseconds, hung-up files are looked at:
// there is nothing that could wake us for them.
const hungUpInterval = 200

// watch drains whenever there is something to drain, until close.
func (t *fileTable) watch() {
	defer close(t.done)
	for {
		timeout := -1
		t.mu.Lock()
		if len(t.hungUp) > 0 {
			timeout = hungUpInterval
		}
		closing := t.closing
		t.mu.Unlock()
		if closing {
			return
		}
		var events [1]unix.EpollEvent
		n, err := unix.EpollWait(t.epoll, events[:], timeout)
		if err != nil && err != unix.EINTR {
			return
		}
		if n == 1 && int(events[0].Fd) == t.wake {
			var count [8]byte
			_, _ = unix.Read(t.wake, count[:])
		}
		t.drain()
	}
}

var eventfdOne = []byte{1, 0, 0, 0, 0, 0, 0, 0}

// close releases all files. Nobody may be using the table.
func (t *fileTable) close() {
	t.mu.Lock()
	t.closing = true
	t.mu.Unlock()
	_, _ = unix.Write(t.wake, eventfdOne)
	<-t.done
	t.mu.Lock()
	var files []*file
	for _, f := range t.byInode {
		files = append(files, f)
	}
	t.mu.Unlock()
	for _, f := range files {
		t.release(f)
	}
	_ = unix.Close(t.epoll)
	_ = unix.Close(t.wake)
}

// pipeInode returns the inode in "pipe:[INODE]", 0 for anything else.
func pipeInode(link []byte) uint64 { return bracketed(link, "pipe:[") }

// bracketed returns the number between prefix and a closing bracket.
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

// A sink is the drm.EventSink of a file. Its pipe hangs up when that was asked
// for only.
type sink struct {
	*pollfd.Pipe
	onHangUp func() // nil: hang-ups are not passed on
}

// HangUp implements drm.EventSink.
func (s *sink) HangUp() {
	if s.onHangUp == nil {
		return
	}
	s.Pipe.HangUp()
	s.onHangUp()
}
