package udev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Programs hear of devices from netlink sockets of NETLINK_KOBJECT_UEVENT, to
// which the kernel (group 1) and udevd (group 2) multicast. Only the kernel
// can send as the kernel. So a program gets a datagram socket of this process
// instead, and its bind to a netlink address only notes the groups.
//
// Messages are sent from sockets whose abstract names read like the struct
// sockaddr_nl of the sender. libudev looks at the groups and the pid in it,
// not at the family. It also wants the sender to be root or the user of the
// program; this process is one or the other.

// Multicast groups of NETLINK_KOBJECT_UEVENT.
const (
	groupKernel = 1
	groupUdev   = 2
)

// Monitors are the sockets on which programs listen for events. All methods
// but Close may be called concurrently.
type Monitors struct {
	seqnum  atomic.Uint64
	closing atomic.Bool
	senders map[uint32]int // by group

	mu       sync.Mutex
	monitors map[uint64]*monitor // by inode
	wg       sync.WaitGroup
}

// A monitor is a socket of a program.
type monitor struct {
	name   unix.Sockaddr
	groups uint32 // 0 until it is bound

	queue   []message // guarded by Monitors.mu, as sending is
	sending bool
}

type message struct {
	group uint32
	bytes []byte
}

// maxQueued bounds the messages that wait for a monitor, besides those in the
// socket's buffer. Further ones are dropped, as the kernel does.
const maxQueued = 1024

// sendTimeout, in microseconds, bounds a send to a program that does not read,
// before checking whether the monitors are closing.
const sendTimeout = 100_000

// NewMonitors makes an empty set of monitors.
func NewMonitors() (*Monitors, error) {
	m := &Monitors{senders: make(map[uint32]int), monitors: make(map[uint64]*monitor)}
	m.seqnum.Store(1000)
	for _, group := range []uint32{groupKernel, groupUdev} {
		s, err := newSender(group)
		if err != nil {
			m.Close()
			return nil, fmt.Errorf("a socket for uevents: %w", err)
		}
		m.senders[group] = s
	}
	return m, nil
}

// newSender returns a socket whose address reads like a struct sockaddr_nl
// after the family: {pad u16; pid, groups u32}. A suffix makes the address
// unique.
func newSender(group uint32) (int, error) {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	var rest [10]byte // pid 0 is the kernel
	binary.NativeEndian.PutUint32(rest[6:], group)
	err = unix.SetsockoptTimeval(s, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Usec: sendTimeout})
	for n := 0; err == nil; n++ {
		// The first byte, 0, makes the name abstract; x/sys writes it as '@'.
		name := "@" + string(rest[1:]) + fmt.Sprintf("udrm-%d-%d", unix.Getpid(), n)
		if err = unix.Bind(s, &unix.SockaddrUnix{Name: name}); err == nil {
			return s, nil
		}
		if err == unix.EADDRINUSE {
			err = nil
		}
	}
	return -1, errors.Join(err, unix.Close(s))
}

// Close ends the monitors. No method may be running.
func (m *Monitors) Close() {
	m.closing.Store(true)
	m.wg.Wait()
	for _, s := range m.senders {
		_ = unix.Close(s)
	}
}

// Open returns a new monitor's socket for a program. The caller passes it on
// and closes it. Of flags, those of socket(2), it takes SOCK_NONBLOCK.
func (m *Monitors) Open(flags int) (int, error) {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|flags&unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	fail := func(err error) (int, error) { return -1, errors.Join(err, unix.Close(s)) }
	// Without a name the kernel chooses one.
	if err := unix.Bind(s, &unix.SockaddrUnix{}); err != nil {
		return fail(err)
	}
	name, err := unix.Getsockname(s)
	if err != nil {
		return fail(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(s, &st); err != nil {
		return fail(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.monitors[st.Ino] = &monitor{name: name}
	return s, nil
}

// Bind adds multicast groups to a monitor. It returns false when no monitor
// has that inode.
func (m *Monitors) Bind(inode uint64, groups uint32) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	mon := m.monitors[inode]
	if mon != nil {
		mon.groups |= groups
	}
	return mon != nil
}

// Send sends e to all monitors, first as the kernel, then as udevd.
func (m *Monitors) Send(e *Event) {
	seqnum := m.seqnum.Add(1)
	messages := []message{{groupKernel, e.kernelMessage(seqnum)}, {groupUdev, e.udevMessage(seqnum)}}
	m.mu.Lock()
	defer m.mu.Unlock()
	for inode, mon := range m.monitors {
		for _, msg := range messages {
			if mon.groups&msg.group != 0 && len(mon.queue) < maxQueued {
				mon.queue = append(mon.queue, msg)
			}
		}
		if len(mon.queue) > 0 && !mon.sending && !m.closing.Load() {
			mon.sending = true
			m.wg.Add(1)
			go m.drain(inode, mon)
		}
	}
}

// drain sends the messages of a monitor. It waits while the program does not
// read.
func (m *Monitors) drain(inode uint64, mon *monitor) {
	defer m.wg.Done()
	for {
		m.mu.Lock()
		if len(mon.queue) == 0 || m.closing.Load() {
			mon.sending = false
			m.mu.Unlock()
			return
		}
		msg := mon.queue[0]
		m.mu.Unlock()
		err := unix.Sendto(m.senders[msg.group], msg.bytes, unix.MSG_NOSIGNAL, mon.name)
		m.mu.Lock()
		switch err {
		case unix.EAGAIN, unix.EINTR: // not read yet
		case nil:
			mon.queue = mon.queue[1:]
		default: // ECONNREFUSED: closed
			mon.queue = nil
			if m.monitors[inode] == mon {
				delete(m.monitors, inode)
			}
		}
		m.mu.Unlock()
	}
}
