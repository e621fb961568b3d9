package files

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
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

	busy atomic.Int32 // processes in releasing

	numHungUp atomic.Int32 // files in owner.hungUp

	unwatched sync.Once // warns

	mu        sync.Mutex
	closing   bool
	byInode   map[uint64]*File
	byWatch   map[int]*File
	owners    map[int]*owner // by process id
	releasing map[*owner]struct{}
	awaited   []*release // in progress: see release.done
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
		done:    make(chan struct{}),

		owners:    make(map[int]*owner),
		releasing: make(map[*owner]struct{}),
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

// OpenMinor opens a node, as Open does. What was closed by now is released
// first, see release.go.
func (t *Table) OpenMinor(c Caller, minor *drm.Minor, opener *Opener, flags int) (readEnd int, err error) {
	t.Drain(c)
	if minor.Type() == drm.Primary {
		t.AwaitMaster(c, minor.Device())
	}
	readEnd, err = t.Open(opener, flags, func(sink drm.EventSink) (drm.ClientFile, error) {
		return minor.Open(opener.Client, flags, sink)
	})
	about := []any{"node", minor.Name(), "pid", opener.PID, "comm", opener.Comm}
	if err != nil {
		about = append(about, "err", err)
	}
	t.log.Debug("host: open", about...)
	return readEnd, err
}

// Open makes a file and returns the read end of its pipe, which the caller
// passes on and closes. The file stays open until the last copy of the read
// end is closed. Until then it is charged to the account of opener.
//
// Open releases no other file: requests call it with locks held.
func (t *Table) Open(opener *Opener, flags int, open func(drm.EventSink) (drm.ClientFile, error)) (readEnd int, err error) {
	return t.open(opener, flags, 0, open)
}

// OpenPackets is Open for a file each read of which returns one delivery. The
// program may leave size bytes unread.
func (t *Table) OpenPackets(opener *Opener, flags, size int, open func(drm.EventSink) (drm.ClientFile, error)) (readEnd int, err error) {
	return t.open(opener, flags, size, open)
}

func (t *Table) open(opener *Opener, flags, packets int, open func(drm.EventSink) (drm.ClientFile, error)) (readEnd int, err error) {
	f := &File{table: t, account: opener.Account, descriptors: 1, flags: flags, noIoctl: opener.NoIoctl}
	if t.hangUp {
		f.descriptors = 2 // see KeepPath
	}
	if err := f.charge(); err != nil {
		return -1, err
	}
	pipe, readEnd, err := pollfd.NewPipe(flags|unix.O_CLOEXEC, pipeSize)
	if err != nil {
		f.refund()
		return -1, err
	}
	f.inode, f.sink = pipe.ID().Inode, &sink{Pipe: pipe}
	fail := func(err error) (int, error) {
		pipe.Close()
		f.refund()
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
	f.owner = t.ownerLocked(opener)
	f.owner.open[f] = struct{}{}
	if f.hungUp {
		t.addHungUpLocked(f)
	}
	t.mu.Unlock()
	t.count.Add(1)
	if err := pipe.Watch(t.epoll); err != nil {
		if r := t.claim(f); r != nil {
			t.run(r)
		}
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

// Has reports whether a pipe with that inode may be a file of the table.
func (t *Table) Has(inode uint64) bool { return t.byNumber(inode) != nil }

func (t *Table) byNumber(inode uint64) *File {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byInode[inode]
}

// Acquire is Lookup for a request: the file is not released until the caller
// puts it.
func (t *Table) Acquire(inode uint64, path string) *File {
	f := t.Lookup(inode, path)
	if f == nil || !f.use() {
		return nil
	}
	return f
}

// AcquireProven is Acquire for a pipe that was proven to be that of a file.
func (t *Table) AcquireProven(inode uint64) *File {
	f := t.byNumber(inode)
	if f == nil || !f.use() {
		return nil
	}
	return f
}

// Drain releases the files that are closed by now, and waits for these releases
// as release.go says. The kernel reports a close here before close(2) returns to
// the program. So a request that is served after Drain sees the closes that its
// process has made before.
func (t *Table) Drain(c Caller) {
	if !t.reap(c) {
		t.reapOwn(c)
	}
	if t.busy.Load() > 0 {
		t.await(c)
	}
}

// maxReaped bounds the closed files that one call looks at, apart from its own:
// a process that is killed may leave very many.
const maxReaped = 64

// reap begins the releases of closed files. It releases files of the calling
// process at once. It returns false if it may have missed some.
func (t *Table) reap(c Caller) (all bool) {
	t.reapHungUp(c)
	var events [16]unix.EpollEvent
	for range maxReaped / len(events) {
		n, err := unix.EpollWait(t.epoll, events[:], 0)
		if err != nil {
			return err != unix.EINTR
		}
		for _, e := range events[:max(n, 0)] {
			if int(e.Fd) == t.wake {
				continue
			}
			if f := t.byNumber(uint64(uint32(e.Pad))); f != nil {
				t.releaseFor(c, f)
			}
		}
		if n < len(events) {
			return true
		}
	}
	return false
}

func (t *Table) releaseFor(c Caller, f *File) {
	r := t.claim(f)
	switch {
	case r == nil:
	case c != nil && c.Within(f.owner.pid):
		t.run(r)
	default:
		t.later(r)
	}
}

// reapOwn releases the closed files of the calling process. It looks at each
// file of the process.
func (t *Table) reapOwn(c Caller) {
	t.mu.Lock()
	var open []*File
	if p := t.owners[c.PID()]; p != nil {
		open = slices.Collect(maps.Keys(p.open))
	}
	t.mu.Unlock()
	for _, f := range open {
		if f.sink.Abandoned() {
			t.releaseFor(c, f)
		}
	}
}

// reapAll begins the releases of all files that are closed by now.
func (t *Table) reapAll() {
	for !t.reap(nil) {
	}
}

// noteHangUp notes that the write end of f is closed and no longer reports the
// release.
func (t *Table) noteHangUp(f *File) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.released || f.hungUp {
		return
	}
	f.hungUp = true
	if f.owner != nil { // otherwise open is about to add it
		t.addHungUpLocked(f)
	}
}

func (t *Table) addHungUpLocked(f *File) {
	if f.owner.hungUp == nil {
		f.owner.hungUp = make(map[*File]struct{})
	}
	f.owner.hungUp[f] = struct{}{}
	t.numHungUp.Add(1)
	_, _ = unix.Write(t.wake, eventfdOne) // watch must poll it
}

// reapHungUp begins the releases of the files of the calling process that have
// hung up and are closed; without a caller, of all such files.
func (t *Table) reapHungUp(c Caller) {
	if t.numHungUp.Load() == 0 {
		return
	}
	var hungUp []*File
	pid := 0
	if c != nil {
		pid = c.PID()
	}
	t.mu.Lock()
	if p := t.owners[pid]; c != nil && p != nil {
		hungUp = slices.Collect(maps.Keys(p.hungUp))
	}
	if c == nil {
		for _, p := range t.owners {
			hungUp = slices.AppendSeq(hungUp, maps.Keys(p.hungUp))
		}
	}
	t.mu.Unlock()
	for _, f := range hungUp {
		if !f.use() {
			continue
		}
		closed := !f.sink.HasReader()
		if closed {
			t.releaseFor(nil, f)
		}
		f.Put()
	}
}

// hungUpInterval is how often, in milliseconds, files that have hung up are
// polled: nothing reports their release.
const hungUpInterval = 200

// watch begins the release of each file that is closed, until Close.
func (t *Table) watch() {
	defer close(t.done)
	for {
		timeout := -1
		if t.numHungUp.Load() > 0 {
			timeout = hungUpInterval
		}
		t.mu.Lock()
		closing := t.closing
		t.mu.Unlock()
		if closing {
			return
		}
		var events [1]unix.EpollEvent
		n, err := unix.EpollWait(t.epoll, events[:], timeout)
		if err != nil && err != unix.EINTR {
			t.log.Error("host: waiting for files to be closed; files are released with the next call only", "err", err)
			return
		}
		if n == 1 && int(events[0].Fd) == t.wake {
			var count [8]byte
			_, _ = unix.Read(t.wake, count[:])
		}
		t.reap(nil)
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
		t.releaseFor(nil, f)
	}
	for _, p := range t.inProgress() {
		<-p.idle
	}
	_ = unix.Close(t.epoll)
	_ = unix.Close(t.wake)
	_ = unix.Close(t.inotify)
}
