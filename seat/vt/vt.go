package vt

import (
	"fmt"
	"log/slog"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/seat"
)

// Count is the number of terminals. They are numbered from 1.
const Count = seat.Terminals

// Terminals are the virtual terminals of a seat. All methods may be called
// concurrently.
type Terminals struct {
	seat *seat.Seat
	log  *slog.Logger

	mu      sync.Mutex
	opened  [Count + 1]*terminal // by number; nil: not opened yet
	locked  bool                 // VT_LOCKSWITCH: programs do not switch
	colours [3 * 16]byte
	closed  bool
	readers sync.WaitGroup
}

// New returns the terminals of a seat. A nil log discards what happens. The caller
// closes them.
func New(s *seat.Seat, log *slog.Logger) *Terminals {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Terminals{seat: s, log: log, colours: defaultColours}
}

// Close ends the terminals. Programs that have one open see it hang up.
func (t *Terminals) Close() error {
	t.mu.Lock()
	t.closed = true
	var owners []*owner
	for _, one := range t.opened {
		if one == nil {
			continue
		}
		if one.owner != nil {
			owners = append(owners, one.owner)
		}
		_ = one.file.Close()
	}
	t.mu.Unlock()
	for _, o := range owners {
		o.end()
	}
	t.readers.Wait()
	return nil
}

// Open opens the terminal with that number, or the one in the foreground if it is
// 0, with flags of open(2). The caller closes fd. ENXIO if there is no such
// terminal.
func (t *Terminals) Open(number, flags int) (fd int, err error) {
	if number == 0 {
		number = t.seat.Front()
	}
	if number < 0 || number > Count {
		return -1, fmt.Errorf("vt: opening terminal %d: there are %d: %w", number, Count, unix.ENXIO)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return -1, fmt.Errorf("vt: opening terminal %d: the seat has ended: %w", number, unix.ENXIO)
	}
	one := t.opened[number]
	if one != nil {
		fd, err = one.open(flags)
	} else if one, fd, err = newTerminal(number, flags); err == nil {
		t.opened[number] = one
	}
	if err != nil {
		return -1, err
	}
	if !one.reading {
		one.reading = true
		t.readers.Go(func() { t.discard(one) })
	}
	return fd, nil
}

// make makes a terminal that no program has opened.
func (t *Terminals) make(number int) error {
	t.mu.Lock()
	made := t.opened[number] != nil
	t.mu.Unlock()
	if made {
		return nil
	}
	fd, err := t.Open(number, unix.O_RDWR)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// discard reads what programs write, so that they do not wait, until no program
// has the terminal open.
func (t *Terminals) discard(one *terminal) {
	var buf [4096]byte
	for {
		if _, err := one.file.Read(buf[:]); err == nil {
			continue
		}
		t.mu.Lock()
		if t.closed || !one.inUse() {
			one.reading = false
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
	}
}

// Number returns the number of the terminal that a file with this device and inode
// is, or 0.
func (t *Terminals) Number(dev, inode uint64) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	for number, one := range t.opened {
		if one != nil && one.inode == (id{dev, inode}) {
			return number
		}
	}
	return 0
}

// NumberOfDevice returns the number of the terminal that has this device number as
// a pseudoterminal, or 0.
func (t *Terminals) NumberOfDevice(rdev uint64) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	for number, one := range t.opened {
		if one != nil && one.rdev == rdev {
			return number
		}
	}
	return 0
}

// Any reports whether a terminal was opened.
func (t *Terminals) Any() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.opened {
		if one != nil {
			return true
		}
	}
	return false
}
