package host

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

// What programs write to virtual files cannot be served as a call: write is
// called too often for all of them to be handed over. So a program that opens
// a virtual file to write gets the write end of a pipe, in which each write
// stays a packet of its own; if it wants to read as well, one end of a socket
// that keeps packets. We take what is written when it arrives, and in any case
// ahead of the next call that is handed over to us: by what it can see, a
// program finds done what it wrote. It has been told by then that the write
// succeeded.

// controls are the virtual files that programs have open to write.
type controls struct {
	log   *slog.Logger
	files *fileTable
	count atomic.Int32

	storing sync.Mutex // held while something is taken and stored

	mu     sync.Mutex
	open   map[uint64]*control // by the inode of the program's end
	opened uint64
	wg     sync.WaitGroup
}

// A control is one opened file.
type control struct {
	path  string
	inode uint64
	order uint64
	store func(data string) error
	end   *os.File // ours

	ended bool // nobody has it open; guarded by controls.storing
}

// maxWrite is how much one write can bring: what a page of sysfs takes.
const maxWrite = 4096

func newControls(log *slog.Logger, files *fileTable) *controls {
	return &controls{log: log, files: files, open: make(map[uint64]*control)}
}

// openControl opens a virtual file for writing.
func (c *call) openControl(p place, flags int) {
	content := ""
	if flags&unix.O_ACCMODE == unix.O_RDWR {
		if p.Node.Show == nil {
			c.fail(unix.EACCES)
			return
		}
		content = p.Node.Show()
	}
	theirs, err := c.host.controls.add(p.Path, flags, content, p.Node.Store)
	if err != nil {
		c.fail(err)
		return
	}
	c.retFD(theirs, flags&unix.O_CLOEXEC != 0)
}

// add returns the program's end of a new control, which the caller passes on
// and closes. The control lives for as long as anyone has it.
func (t *controls) add(path string, flags int, content string, store func(string) error) (theirs int, err error) {
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
	c := &control{path: path, inode: st.Ino, store: store, end: os.NewFile(uintptr(ours), path)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opened++
	c.order = t.opened
	t.open[c.inode] = c
	t.count.Add(1)
	t.wg.Go(func() { t.serve(c) })
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
// reads content and then the end; ours does not block.
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

// at returns the path of the file of which a program has that end, "" when it
// is of none.
func (t *controls) at(inode uint64) string {
	if t.count.Load() == 0 {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.open[inode]; c != nil {
		return c.path
	}
	return ""
}

// drain stores what has been written by now.
func (t *controls) drain() {
	if t.count.Load() == 0 {
		return
	}
	t.storing.Lock()
	defer t.storing.Unlock()
	t.mu.Lock()
	open := slices.SortedFunc(maps.Values(t.open), func(a, b *control) int { return int(a.order) - int(b.order) })
	t.mu.Unlock()
	for _, c := range open {
		raw, err := c.end.SyscallConn()
		if err == nil {
			_ = raw.Control(func(fd uintptr) { t.take(c, int(fd)) })
		}
	}
}

// serve stores what is written to c, until nobody has it open any more.
func (t *controls) serve(c *control) {
	raw, err := c.end.SyscallConn()
	if err == nil {
		err = raw.Read(func(fd uintptr) (done bool) {
			t.storing.Lock()
			defer t.storing.Unlock()
			t.take(c, int(fd))
			return c.ended
		})
	}
	if err != nil && !errors.Is(err, os.ErrClosed) {
		t.log.Error("host: waiting for what programs write", "path", c.path, "err", err)
	}
	_ = c.end.Close()
}

// take stores what has been written to c. The caller holds storing.
func (t *controls) take(c *control, fd int) {
	var buf [maxWrite]byte
	for !c.ended {
		n, err := unix.Read(fd, buf[:])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return
		case n > 0:
			t.files.drain() // what was closed before is closed
			if err := storeData(c.store, string(buf[:n])); err != nil {
				t.log.Warn("host: a program has written what is refused; it was told that the write succeeded",
					"path", c.path, "data", string(buf[:n]), "err", err)
			}
		default:
			c.ended = true
			t.mu.Lock()
			delete(t.open, c.inode)
			t.mu.Unlock()
			t.count.Add(-1)
		}
	}
}

func storeData(store func(string) error, data string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return store(data)
}

// close ends what is still open. No program may be running.
func (t *controls) close() {
	t.drain()
	t.mu.Lock()
	for _, c := range t.open {
		_ = c.end.Close()
	}
	t.mu.Unlock()
	t.wg.Wait()
}
