package files

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/internal/pollfd"
)

// A Table holds the open files of a host. All methods but Close may be called
// concurrently.
type Table struct {
	log    *slog.Logger
	hangUp bool

	epoll   int // the write ends
	inotify int // watches the pipes: see Lookup
	wake    int // an eventfd that wakes watch
	done    chan struct{}
	count   atomic.Int32 // includes files that are being released

	reaping sync.Mutex // held while closed files are looked for and released

	unwatched sync.Once // warns

	mu      sync.Mutex
	closing bool
	byInode map[uint64]*File
	byWatch map[int]*File
	hungUp  map[*File]struct{} // their write ends are closed: see sink.HangUp
}

// pipeSize holds the event budget wherever in a page the reader is.
const pipeSize = 2 * drm.EventBudget

// NewTable makes an empty table. It logs opens and closes of nodes at level
// Debug. With hangUp, files hang up when their device is unplugged.
func NewTable(log *slog.Logger, hangUp bool) (*Table, error) {
	t := &Table{
		log:     log,
		hangUp:  hangUp,
		byInode: make(map[uint64]*File),
		byWatch: make(map[int]*File),
		hungUp:  make(map[*File]struct{}),
		done:    make(chan struct{}),
	}
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
	if t.inotify, err = unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK); err != nil {
		return nil, errors.Join(fmt.Errorf("inotify: %w", err), unix.Close(t.epoll), unix.Close(t.wake))
	}
	go t.watch()
	return t, nil
}

// Count returns how many files are open or being released.
func (t *Table) Count() int { return int(t.count.Load()) }

// OpenMinor opens a node for client, as Open does. Files that are closed by
// now are released first.
func (t *Table) OpenMinor(minor *drm.Minor, client drm.Client, flags int) (readEnd int, err error) {
	t.Drain()
	readEnd, err = t.Open(client.Account, flags, func(sink drm.EventSink) (drm.ClientFile, error) {
		return minor.Open(client, flags, sink)
	})
	about := []any{"node", minor.Name(), "pid", client.PID, "comm", client.Comm}
	if err != nil {
		about = append(about, "err", err)
	}
	t.log.Debug("host: open", about...)
	return readEnd, err
}

// Open makes a file and returns the read end of its pipe, which the caller
// passes on and closes. The file stays open until the last copy of the read
// end is closed. Until then it is charged to account.
//
// Open releases no other file: requests call it with locks held.
func (t *Table) Open(account *drm.Account, flags int, open func(drm.EventSink) (drm.ClientFile, error)) (readEnd int, err error) {
	return t.open(account, flags, 0, open)
}

// OpenPackets is Open for a file each read of which returns one delivery. The
// program may leave size bytes unread.
func (t *Table) OpenPackets(account *drm.Account, flags, size int, open func(drm.EventSink) (drm.ClientFile, error)) (readEnd int, err error) {
	return t.open(account, flags, size, open)
}

func (t *Table) open(account *drm.Account, flags, packets int, open func(drm.EventSink) (drm.ClientFile, error)) (readEnd int, err error) {
	if err := account.Charge(drm.Descriptors, 1, unix.EMFILE); err != nil {
		return -1, err
	}
	pipe, readEnd, err := pollfd.NewPipe(flags|unix.O_CLOEXEC, pipeSize)
	if err != nil {
		account.Refund(drm.Descriptors, 1)
		return -1, err
	}
	f := &File{table: t, account: account, flags: flags, inode: pipe.ID().Inode, sink: &sink{Pipe: pipe}}
	fail := func(err error) (int, error) {
		pipe.Close()
		account.Refund(drm.Descriptors, 1)
		return -1, errors.Join(err, unix.Close(readEnd))
	}
	if packets > 0 {
		if err := pipe.DeliverPackets(packets); err != nil {
			return fail(err)
		}
	}
	if t.hangUp {
		f.sink.onHangUp = func() { t.noteHangUp(f) }
		if err := pipe.KeepPath(); err != nil {
			return fail(err)
		}
	}
	if f.client, err = open(f.sink); err != nil {
		return fail(err)
	}
	f.node, _ = f.client.(*drm.File)
	f.watch = t.watchPipe(readEnd)
	t.mu.Lock()
	if f.watch >= 0 {
		t.byWatch[f.watch] = f
	}
	t.byInode[f.inode] = f
	t.mu.Unlock()
	t.count.Add(1)
	if err := pipe.Watch(t.epoll); err != nil {
		t.release(f)
		return -1, errors.Join(err, unix.Close(readEnd))
	}
	return readEnd, nil
}

// Lookup returns the file whose pipe is at path, a link of /proc to an open
// file, or nil. inode is that of the pipe. The caller must not send requests to
// it: see Acquire.
func (t *Table) Lookup(inode uint64, path string) *File {
	f := t.byNumber(inode)
	if f == nil || !t.proves(f, path) {
		return nil
	}
	return f
}

func (t *Table) byNumber(inode uint64) *File {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byInode[inode]
}

// Acquire is Lookup for a request: the file is not released until the caller
// puts it.
func (t *Table) Acquire(inode uint64, path string) *File {
	f := t.Lookup(inode, path)
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

// release ends the file once its requests are done. Releasing again does
// nothing.
func (t *Table) release(f *File) {
	t.mu.Lock()
	known := t.byInode[f.inode] == f
	if known {
		delete(t.byInode, f.inode)
		delete(t.hungUp, f)
		if f.watch >= 0 {
			delete(t.byWatch, f.watch)
			t.unwatchPipe(f.watch)
		}
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

// Drain releases the files that are closed by now. The kernel reports a close
// here before close(2) returns to the program. So a request that is served
// after Drain sees the closes that the program has made before.
func (t *Table) Drain() {
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
			if f := t.byNumber(uint64(uint32(e.Pad))); f != nil {
				t.release(f)
			}
		}
		if !some {
			return
		}
	}
}

// noteHangUp notes that the write end of f is closed and no longer reports the
// release.
func (t *Table) noteHangUp(f *File) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hungUp[f] = struct{}{}
	_, _ = unix.Write(t.wake, eventfdOne) // watch must poll it
}

// drainHungUp releases the files that have hung up and are closed.
func (t *Table) drainHungUp() {
	t.mu.Lock()
	var closed []*File
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

// hungUpInterval is how often, in milliseconds, files that have hung up are
// polled: nothing reports their release.
const hungUpInterval = 200

// watch drains whenever a file is closed, until Close.
func (t *Table) watch() {
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
		t.Drain()
	}
}

var eventfdOne = []byte{1, 0, 0, 0, 0, 0, 0, 0}

// Close releases all files. No other method may be running.
func (t *Table) Close() {
	t.mu.Lock()
	t.closing = true
	t.mu.Unlock()
	_, _ = unix.Write(t.wake, eventfdOne)
	<-t.done
	t.mu.Lock()
	var files []*File
	for _, f := range t.byInode {
		files = append(files, f)
	}
	t.mu.Unlock()
	for _, f := range files {
		t.release(f)
	}
	_ = unix.Close(t.epoll)
	_ = unix.Close(t.wake)
	_ = unix.Close(t.inotify)
}
