package files

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/gate"
)

// Writes to virtual files cannot be served as calls: too many writes of
// programs have nothing to do with them. So a program that opens such a file
// for writing gets a gate, whose writes are answered (package gate).
//
// When a gate had to be opened, each write stays a packet in it. What is written
// there is stored when it arrives, and the next call that is handed over waits
// for it. The program thus sees its writes done, but each write has returned
// success before it is checked.

// Attributes are the virtual files that programs have open for writing. All
// methods but Close may be called concurrently.
type Attributes struct {
	log   *slog.Logger
	files *Table
	count atomic.Int32

	closed atomic.Bool

	epoll int // those of the writers
	gates *gate.Set

	mu      sync.Mutex
	open    map[uint64]*attribute // by the inode of the program's end
	gated   map[uint64]string     // paths of gates, by the inode of the program's end
	writers map[int]*writer       // by process id
	byEpoll map[int]*writer       // by writer.epoll
	busy    map[*writer]struct{}  // those that store
	opened  uint64
	wg      sync.WaitGroup
}

// An attribute is one open file.
type attribute struct {
	path  string
	fd    int // our end
	inode uint64
	order uint64
	store func(data string) error

	stored string // a write that comes from the program's end, but was stored; "": none

	account *drm.Account // charged for our end
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
		log: log, files: files, epoll: epoll, gates: gate.NewSet(),
		open: make(map[uint64]*attribute), gated: make(map[uint64]string), writers: make(map[int]*writer),
		byEpoll: make(map[int]*writer), busy: make(map[*writer]struct{}),
	}, nil
}

// Open returns the program's end of a new file, which the caller passes on and
// closes. With O_RDWR in flags, the program reads content from it. The file
// stays open, and charged to the account of opener, until the last copy of that
// end is closed.
func (t *Attributes) Open(opener *Opener, path string, flags int, content string, store func(string) error) (theirs int, err error) {
	account := opener.Account
	if err := account.Charge(drm.Descriptors, 1, unix.EMFILE); err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			account.Refund(drm.Descriptors, 1)
		}
	}()
	return t.openGate(opener, path, flags&unix.O_ACCMODE == unix.O_RDWR, content, store)
}

func (t *Attributes) add(opener *Opener, a *attribute) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	w, err := t.writerLocked(opener)
	if err != nil {
		return err
	}
	if err := unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, a.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(a.fd)}); err != nil {
		if t.dropLocked(w) {
			go w.end.Close() // its goroutine may wait for the lock
		}
		return err
	}
	t.opened++
	a.order = t.opened
	t.open[a.inode], w.open[a.fd] = a, a
	t.count.Add(1)
	return nil
}

// openGate is Open for a file whose writes are answered.
func (t *Attributes) openGate(opener *Opener, path string, read bool, content string, store func(string) error) (theirs int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var inode uint64
	ended := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.gated, inode)
		t.count.Add(-1)
	}
	number := func() uint64 { // once openGate has ended
		t.mu.Lock()
		defer t.mu.Unlock()
		return inode
	}
	theirs, inode, err = t.gates.Open(gate.File{
		PID: opener.PID, Read: read, Content: content,
		Store: func(data string) error {
			t.files.Drain(&writer{pid: opener.PID}) // files closed before the write are released before it
			return store(data)
		},
		Refused: func(data string, err error) {
			t.log.Debug("host: write to virtual file refused", "path", path, "data", data[:min(len(data), maxLogged)], "err", err)
		},
		Opened: func(fd int, stored string) {
			a := &attribute{fd: fd, path: path, inode: number(), store: store, stored: stored, account: opener.Account}
			err := t.add(opener, a)
			ended()
			if err != nil {
				t.log.Error("host: writes to a virtual file are lost", "path", path, "err", err)
				_ = unix.Close(fd)
				opener.Account.Refund(drm.Descriptors, 1)
			}
		},
		Ended: func() {
			ended()
			opener.Account.Refund(drm.Descriptors, 1)
		},
	})
	if err == nil {
		t.gated[inode] = path
		t.count.Add(1)
	}
	return theirs, err
}

// Count returns how many files are open.
func (t *Attributes) Count() int { return int(t.count.Load()) }

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
	return t.gated[inode]
}
