package udev

import (
	"errors"
	"log/slog"

	"golang.org/x/sys/unix"
)

// Multicast groups of NETLINK_KOBJECT_UEVENT.
const (
	groupKernel = 1
	groupUdev   = 2
)

// Monitors are the sockets on which programs listen for events. All methods
// but Close may be called concurrently.
//
// Where this process may make a network namespace, they are netlink sockets of
// a namespace of their own, and the kernel of the machine delivers the events
// (netlink.go). Elsewhere they are sockets that read like netlink's
// (substitute.go).
type Monitors struct{ transport }

// A transport carries events to programs.
type transport interface {
	// Open returns a new socket for a program, of the given type and flags of
	// socket(2). The caller passes it on and closes it.
	Open(typeAndFlags int) (int, error)

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

// NewMonitors makes an empty set of monitors.
func NewMonitors(log *slog.Logger) (*Monitors, error) {
	netlink, err := newNetlink()
	if err == nil {
		return &Monitors{netlink}, nil
	}
	if !errors.Is(err, unix.EPERM) {
		log.Warn("host: no netlink sockets for uevents; using a substitute", "err", err)
	}
	return &Monitors{newSubstitute(log)}, nil
}
