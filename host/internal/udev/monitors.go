package udev

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// Multicast groups of NETLINK_KOBJECT_UEVENT.
const (
	groupKernel = 1
	groupUdev   = 2
)

// Monitors are the sockets on which programs listen for events. All methods
// but Close may be called concurrently.
//
// Where a network namespace can be made, by this process or for a process in a
// user namespace, they are netlink sockets of a namespace of their own, and the
// kernel of the machine delivers the events (netlink.go). Elsewhere they are
// sockets that read like netlink's (substitute.go).
type Monitors struct{ transport }

// A transport carries events to programs.
type transport interface {
	// Open returns a new socket for a program, of the given type and flags of
	// socket(2). The caller passes it on and closes it. What this process has open
	// for it is charged to the account of the program.
	Open(account *drm.Account, typeAndFlags int) (int, error)

	// Bind adds multicast groups to the socket with that inode. It returns
	// false when the program's own bind does that.
	Bind(inode uint64, groups uint32) bool

	// Send sends e to all sockets, first as the kernel, then as udevd. Every
	// socket receives all events in the same order.
	Send(e *Event) error

	// Table returns the lines of /proc/net/netlink for the sockets that are bound,
	// if they are netlink sockets.
	Table() string

	// Close ends the transport. No method may be running.
	Close()
}

// NewMonitors makes an empty set of monitors. start starts a process in a network
// namespace and a user namespace of its own, whose end of the socket
// [ServeNamespace] serves. nil: none can be started.
func NewMonitors(log *slog.Logger, start func() (socket int, err error)) (*Monitors, error) {
	netlink, err := newThreadNetlink()
	switch {
	case err == nil:
		return &Monitors{netlink}, nil
	case !errors.Is(err, unix.EPERM):
		log.Warn("host: no netlink sockets for uevents; using a substitute", "err", err)
	case start != nil:
		return &Monitors{&late{start: start, log: log}}, nil
	}
	return &Monitors{newSubstitute()}, nil
}

// A late transport is made with the first socket: it takes a process, and few
// programs listen to events.
type late struct {
	start func() (socket int, err error)
	log   *slog.Logger

	once sync.Once
	made atomic.Pointer[transport] // nil: no socket is open
}

func (l *late) Open(account *drm.Account, typeAndFlags int) (int, error) {
	l.once.Do(func() {
		var made transport
		socket, err := l.start()
		if err == nil {
			made, err = newProcessNetlink(socket)
		}
		if err != nil {
			l.log.Info("host: no netlink sockets for uevents; using a substitute", "err", err)
			made = newSubstitute()
		}
		l.made.Store(&made)
	})
	return (*l.made.Load()).Open(account, typeAndFlags)
}

func (l *late) Bind(inode uint64, groups uint32) bool {
	made := l.made.Load()
	return made != nil && (*made).Bind(inode, groups)
}

func (l *late) Send(e *Event) error {
	made := l.made.Load()
	if made == nil {
		return nil
	}
	return (*made).Send(e)
}

func (l *late) Table() string {
	made := l.made.Load()
	if made == nil {
		return ""
	}
	return (*made).Table()
}

func (l *late) Close() {
	if made := l.made.Load(); made != nil {
		(*made).Close()
	}
}
