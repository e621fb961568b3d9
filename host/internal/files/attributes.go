package files

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
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

	storing sync.Mutex // held while a packet is taken and stored

	mu     sync.Mutex
	open   map[uint64]*attribute // by the inode of the program's end
	opened uint64
	wg     sync.WaitGroup
}

// An attribute is one open file.
type attribute struct {
	path  string
	inode uint64
	order uint64
	store func(data string) error
	end   *os.File // ours

	ended bool // the program's end is closed; guarded by Attributes.storing
}

// maxWrite bounds the data of one write, as the page of a sysfs file does.
const maxWrite = 4096

// NewAttributes makes an empty set. Before data is stored, the closed files of
// the table are released.
func NewAttributes(log *slog.Logger, files *Table) *Attributes {
	return &Attributes{log: log, files: files, open: make(map[uint64]*attribute)}
}

// Open returns the program's end of a new file, which the caller passes on and
// closes. With O_RDWR in flags, the program reads content from it. The file
// stays open until the last copy of that end is closed.
func (t *Attributes) Open(path string, flags int, content string, store func(string) error) (theirs int, err error) {
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
	if err != nil {
		return -1, errors.Join(err, unix.Close(ours), unix.Close(theirs))
	}
	a := &attribute{path: path, inode: st.Ino, store: store, end: os.NewFile(uintptr(ours), path)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opened++
	a.order = t.opened
	t.open[a.inode] = a
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

// Drain stores what is written by now, file by file in the order of opening.
func (t *Attributes) Drain() {
	if t.count.Load() == 0 {
		return
	}
	t.storing.Lock()
	defer t.storing.Unlock()
	t.mu.Lock()
	open := slices.SortedFunc(maps.Values(t.open), func(a, b *attribute) int { return int(a.order) - int(b.order) })
	t.mu.Unlock()
	for _, a := range open {
		raw, err := a.end.SyscallConn()
		if err == nil {
			_ = raw.Control(func(fd uintptr) { t.take(a, int(fd)) })
		}
	}
}

// follow stores what is written to a, until the program's end is closed.
func (t *Attributes) follow(a *attribute) {
	raw, err := a.end.SyscallConn()
	if err == nil {
		err = raw.Read(func(fd uintptr) (done bool) {
			t.storing.Lock()
			defer t.storing.Unlock()
			t.take(a, int(fd))
			return a.ended
		})
	}
	if err != nil && !errors.Is(err, os.ErrClosed) {
		t.log.Error("host: waiting for writes to a virtual file", "path", a.path, "err", err)
	}
	_ = a.end.Close()
}

// take stores what is written to a. The caller holds storing.
func (t *Attributes) take(a *attribute, fd int) {
	var buf [maxWrite]byte
	for !a.ended {
		n, err := unix.Read(fd, buf[:])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return
		case n > 0:
			t.files.Drain() // files closed before the write are released before it
			if err := store(a.store, string(buf[:n])); err != nil {
				t.log.Warn("host: write to virtual file rejected after it was acknowledged",
					"path", a.path, "data", string(buf[:n]), "err", err)
			}
		default:
			a.ended = true
			t.mu.Lock()
			delete(t.open, a.inode)
			t.mu.Unlock()
			t.count.Add(-1)
		}
	}
}

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
}
