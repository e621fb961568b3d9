package host

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// A file is a file of ours that a program has open: a node, or what a request
// has handed out. The program holds the read end of a pipe, in any number of
// descriptors and processes; the host holds the write end. Events are written to it, and when the last descriptor of the
// read end is closed the write end shows an error: that is the release.
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

// pipeSize is enough for the event budget wherever in a page the reader is.
const pipeSize = 2 * drm.EventBudget

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
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return -1, err
	}
	f := &file{table: t, flags: flags, sink: &sink{w: p[1], path: -1}}
	if hangUp {
		f.sink.onHangUp = func() { t.hangUp(f) }
	}
	fail := func(err error) (int, error) {
		f.sink.close()
		return -1, errors.Join(err, unix.Close(p[0]))
	}
	if flags&unix.O_NONBLOCK == 0 {
		if _, err := unix.FcntlInt(uintptr(p[0]), unix.F_SETFL, 0); err != nil {
			return fail(err)
		}
	}
	if hangUp {
		if f.sink.path, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", p[1]), unix.O_PATH|unix.O_CLOEXEC, 0); err != nil {
			return fail(err)
		}
	}
	// Best effort: a pipe of the default size does as well.
	_, _ = unix.FcntlInt(uintptr(p[1]), unix.F_SETPIPE_SZ, pipeSize)
	var st unix.Stat_t
	if err := unix.Fstat(p[1], &st); err != nil {
		return fail(err)
	}
	f.inode = st.Ino
	if f.client, err = open(f.sink); err != nil {
		return fail(err)
	}
	f.drm, _ = f.client.(*drm.File)
	t.mu.Lock()
	t.byInode[f.inode] = f
	t.mu.Unlock()
	t.count.Add(1)
	// No event is asked for: errors are always reported.
	if err := unix.EpollCtl(t.epoll, unix.EPOLL_CTL_ADD, p[1], &unix.EpollEvent{Fd: int32(p[1]), Pad: int32(f.inode)}); err != nil {
		t.release(f)
		return -1, errors.Join(err, unix.Close(p[0]))
	}
	return p[0], nil
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
		f.sink.forget(t.epoll)
	}
	f.mu.Unlock()
	if idle {
		f.end()
	}
}

func (f *file) end() {
	// The number of the write end can be used again as soon as it is closed;
	// that no event is written to it then is the sink's lock.
	f.sink.close()
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
		if !f.sink.hasReader() {
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

// A sink is the drm.EventSink of a file: the write end of its pipe.
type sink struct {
	onHangUp func() // nil: hang-ups are not passed on
	path     int    // with onHangUp, the pipe as an O_PATH descriptor

	mu      sync.Mutex
	w       int           // -1 when closed
	arrival chan struct{} // nil: nobody waits for an event
}

func (s *sink) Deliver(ev []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w < 0 {
		return nil
	}
	_, err := unix.Write(s.w, ev) // no more than PIPE_BUF: all or nothing
	s.arrivedLocked()
	if err == unix.EPIPE {
		return nil // closed by the program, and not noticed yet
	}
	return err
}

func (s *sink) Unread() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w < 0 {
		return 0
	}
	n, err := unix.IoctlGetInt(s.w, unix.TIOCINQ) // FIONREAD
	if err != nil {
		return 0
	}
	return n
}

// HangUp closes the write end when that was asked for: readers get what is
// left and then the end, sleepers in poll a POLLHUP.
func (s *sink) HangUp() {
	if s.onHangUp == nil {
		return
	}
	s.closeWriteEnd()
	s.onHangUp()
}

// hasReader reports whether anybody has the read end, of a pipe whose write
// end is closed: a new writer would see an error otherwise.
func (s *sink) hasReader() bool {
	w, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", s.path), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(w)
	fds := []unix.PollFd{{Fd: int32(w)}}
	n, err := unix.Poll(fds, 0)
	return err != nil || n == 0 || fds[0].Revents&unix.POLLERR == 0
}

// forget takes the write end out of epoll, which would report its error until
// the requests that are under way are done.
func (s *sink) forget(epoll int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w >= 0 {
		_ = unix.EpollCtl(epoll, unix.EPOLL_CTL_DEL, s.w, nil)
	}
}

func (s *sink) closeWriteEnd() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w >= 0 {
		_ = unix.Close(s.w)
		s.w = -1
	}
	s.arrivedLocked()
}

// close ends the sink. It is called once.
func (s *sink) close() {
	s.closeWriteEnd()
	if s.path >= 0 {
		_ = unix.Close(s.path)
	}
}
