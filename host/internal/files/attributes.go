package files

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// Writes to virtual files cannot be served as calls: too many writes of
// programs have nothing to do with them. So a program that opens such a file
// for writing gets the write end of a pipe in which each write stays a packet,
// or, for reading and writing, one end of a socket that keeps packets. What is
// written is stored when it arrives, and in any case before the next call that
// is handed over. The program thus sees its writes done, but each write has
// returned success before it is checked.

// Attributes are the virtual files that programs have open for writing. All
// methods but Close may be called concurrently.
type Attributes struct {
	log   *slog.Logger
	files *Table
	count atomic.Int32

	epoll int // our ends

	storing sync.Mutex // held while a packet is taken and stored

	mu     sync.Mutex
	open   map[uint64]*attribute // by the inode of the program's end
	byFD   map[int]*attribute    // by our end
	opened uint64
	wg     sync.WaitGroup
}

// An attribute is one open file.
type attribute struct {
	path  string
	fd    int // of end
	inode uint64
	order uint64
	store func(data string) error
	end   *os.File // ours

	account *drm.Account // charged for our end

	ended bool // the program's end is closed; guarded by Attributes.storing
}

// maxWrite bounds the data of one write, as the page of a sysfs file does.
const maxWrite = 4096

// NewAttributes makes an empty set. Before data is stored, the closed files of
// the table are released.
func NewAttributes(log *slog.Logger, files *Table) (*Attributes, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &Attributes{
		log: log, files: files, epoll: epoll,
		open: make(map[uint64]*attribute), byFD: make(map[int]*attribute),
	}, nil
}

// Open returns the program's end of a new file, which the caller passes on and
// closes. With O_RDWR in flags, the program reads content from it. The file
// stays open, and charged to account, until the last copy of that end is closed.
func (t *Attributes) Open(account *drm.Account, path string, flags int, content string, store func(string) error) (theirs int, err error) {
	if err := account.Charge(drm.Descriptors, 1, unix.EMFILE); err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			account.Refund(drm.Descriptors, 1)
		}
	}()
	var ours int
	if flags&unix.O_ACCMODE == unix.O_RDWR {
		ours, theirs, err = socketEnds(content)
	} else {
		ours, theirs, err = pipeEnds()
	}
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(theirs, &st); err == nil && flags&unix.O_NONBLOCK != 0 {
		err = unix.SetNonblock(theirs, true)
	}
	if err == nil {
		err = unix.EpollCtl(t.epoll, unix.EPOLL_CTL_ADD, ours, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(ours)})
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(ours), unix.Close(theirs))
	}
	a := &attribute{fd: ours, path: path, inode: st.Ino, store: store, account: account, end: os.NewFile(uintptr(ours), path)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opened++
	a.order = t.opened
	t.open[a.inode], t.byFD[ours] = a, a
	t.count.Add(1)
	t.wg.Go(func() { t.follow(a) })
	return theirs, nil
}

// pipeEnds makes the ends of a pipe of packets; ours does not block.
func pipeEnds() (ours, theirs int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_DIRECT); err != nil {
		return -1, -1, err
	}
	if err := unix.SetNonblock(p[0], true); err != nil {
		return -1, -1, errors.Join(err, unix.Close(p[0]), unix.Close(p[1]))
	}
	return p[0], p[1], nil
}

// socketEnds makes the ends of a socket of packets, from which the program
// reads content and then the end of the file; ours does not block.
func socketEnds(content string) (ours, theirs int, err error) {
	s, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, err
	}
	if content != "" {
		_, err = unix.Write(s[0], []byte(content))
	}
	if err == nil {
		err = unix.Shutdown(s[0], unix.SHUT_WR)
	}
	if err == nil {
		err = unix.SetNonblock(s[0], true)
	}
	if err != nil {
		return -1, -1, errors.Join(err, unix.Close(s[0]), unix.Close(s[1]))
	}
	return s[0], s[1], nil
}

// Path returns the path of the file whose program's end has that inode, or "".
func (t *Attributes) Path(inode uint64) string {
	if t.count.Load() == 0 {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.open[inode]; a != nil {
		return a.path
	}
	return ""
}

// A drain stores up to this many writes: more than a program can have written
// and not yet see done, fewer than one needs to delay the calls of others.
const (
	maxDrained      = 64 // files
	maxDrainedEach  = 16 // writes; a pipe holds no more
	maxDrainedWrite = 256
)

// Drain stores what is written by now, file by file in the order of opening. It
// looks only at files that have something to store.
func (t *Attributes) Drain() {
	if t.count.Load() == 0 {
		return
	}
	t.storing.Lock()
	defer t.storing.Unlock()
	var events [maxDrained]unix.EpollEvent
	n, err := unix.EpollWait(t.epoll, events[:], 0)
	if err != nil || n <= 0 {
		return
	}
	var ready []*attribute
	t.mu.Lock()
	for _, e := range events[:n] {
		if a := t.byFD[int(e.Fd)]; a != nil {
			ready = append(ready, a)
		}
	}
	t.mu.Unlock()
	slices.SortFunc(ready, func(a, b *attribute) int { return cmp.Compare(a.order, b.order) })
	left := maxDrainedWrite
	for _, a := range ready {
		left -= t.take(a, min(left, maxDrainedEach))
	}
}

// follow stores what is written to a, until the program's end is closed.
func (t *Attributes) follow(a *attribute) {
	raw, err := a.end.SyscallConn()
	if err == nil {
		err = raw.Read(func(uintptr) (done bool) {
			for more := true; more && !done; done = t.ended(a) {
				t.storing.Lock()
				more = t.take(a, maxDrainedEach) == maxDrainedEach
				t.storing.Unlock()
			}
			return done
		})
	}
	if err != nil && !errors.Is(err, os.ErrClosed) {
		t.log.Error("host: waiting for writes to a virtual file", "path", a.path, "err", err)
	}
	_ = a.end.Close()
}

func (t *Attributes) ended(a *attribute) bool {
	t.storing.Lock()
	defer t.storing.Unlock()
	return a.ended
}

// take stores up to limit writes to a, and returns how many. The caller holds
// storing.
func (t *Attributes) take(a *attribute, limit int) (taken int) {
	var buf [maxWrite]byte
	for taken < limit && !a.ended {
		n, err := unix.Read(a.fd, buf[:])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return taken
		case n > 0:
			taken++
			t.files.Drain() // files closed before the write are released before it
			if err := store(a.store, string(buf[:n])); err != nil {
				t.log.Warn("host: write to virtual file rejected after it was acknowledged",
					"path", a.path, "data", string(buf[:min(n, maxLogged)]), "err", err)
			}
		default:
			a.ended = true
			t.mu.Lock()
			delete(t.open, a.inode)
			delete(t.byFD, a.fd)
			t.mu.Unlock()
			_ = unix.EpollCtl(t.epoll, unix.EPOLL_CTL_DEL, a.fd, nil)
			t.count.Add(-1)
			a.account.Refund(drm.Descriptors, 1)
		}
	}
	return taken
}

// maxLogged bounds how much of a write is logged.
const maxLogged = 64

func store(f func(string) error, data string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f(data)
}

// Close ends the files that are still open. No program may be running.
func (t *Attributes) Close() {
	t.Drain()
	t.mu.Lock()
	for _, a := range t.open {
		_ = a.end.Close()
	}
	t.mu.Unlock()
	t.wg.Wait()
	_ = unix.Close(t.epoll)
}
