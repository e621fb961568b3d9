package udev

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/thread"
)

// netlink sends events over netlink sockets of a network namespace that has
// nothing else in it. The kernel passes an event on as its own when a process
// with CAP_SYS_ADMIN sends it to the kernel's end of the socket (uevent_net_rcv
// of lib/kobject_uevent.c), and adds the sequence number. So it is the kernel
// that decides who may listen and send, that counts and that reports lost
// events (ENOBUFS).
//
// Only sockets made in the namespace belong to it. A thread or a process that
// stays there makes them.
type netlink struct {
	namespace
	control int // sends events, and hears the kernel's

	mu sync.Mutex // held while an event is sent: all listeners hear one order
}

// A namespace is a network namespace, as this process sees it.
type namespace interface {
	// newSocket returns a new socket for uevents.
	newSocket(typeAndFlags int) (int, error)

	// table returns the content of /proc/net/netlink.
	table() string

	// leave ends the thread or the process in the namespace.
	leave()
}

// A threadNamespace is one in which a thread of this process is.
type threadNamespace struct {
	open   chan openRequest
	tables chan chan<- string // asks for the table of sockets
	ended  chan struct{}
}

type openRequest struct {
	typeAndFlags int
	opened       chan<- opened
}

type opened struct {
	fd  int
	err error
}

// newThreadNetlink makes the namespace. EPERM when this process may not, or may not
// send there.
func newThreadNetlink() (*netlink, error) {
	t := &threadNamespace{open: make(chan openRequest), tables: make(chan chan<- string), ended: make(chan struct{})}
	control := make(chan opened)
	thread.Go(func() { t.live(control) })
	c := <-control
	if c.err != nil {
		return nil, c.err
	}
	n := &netlink{namespace: t, control: c.fd}
	if err := n.sendAsUdev(checkMessage); err != nil {
		n.Close()
		return nil, fmt.Errorf("sending uevents as udevd, which takes CAP_NET_ADMIN: %w", err)
	}
	return n, nil
}

// live sends the control socket of a new namespace, and makes sockets in the
// namespace until open is closed.
func (t *threadNamespace) live(control chan<- opened) {
	var c opened
	if c.err = unix.Unshare(unix.CLONE_NEWNET); c.err == nil {
		c.fd, c.err = openControl()
	}
	if c.err != nil {
		c.err = fmt.Errorf("a network namespace for uevents: %w", c.err)
	}
	control <- c
	if c.err != nil {
		return
	}
	defer close(t.ended)
	for {
		select {
		case r, ok := <-t.open:
			if !ok {
				return
			}
			fd, err := newSocket(r.typeAndFlags)
			r.opened <- opened{fd, err}
		case table := <-t.tables:
			text, _ := os.ReadFile("/proc/thread-self/net/netlink")
			table <- string(text)
		}
	}
}

// newSocket makes a socket for uevents in the network namespace of the thread.
func newSocket(typeAndFlags int) (int, error) {
	return unix.Socket(unix.AF_NETLINK, typeAndFlags|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
}

func (n *netlink) Open(_ *drm.Account, typeAndFlags int) (int, error) {
	return n.newSocket(typeAndFlags)
}

func (t *threadNamespace) newSocket(typeAndFlags int) (int, error) {
	result := make(chan opened)
	t.open <- openRequest{typeAndFlags, result}
	o := <-result
	return o.fd, o.err
}

func (t *threadNamespace) table() string {
	table := make(chan string)
	t.tables <- table
	return <-table
}

func (t *threadNamespace) leave() {
	close(t.open)
	<-t.ended
}

func (n *netlink) Table() string {
	var own unix.Stat_t
	_ = unix.Fstat(n.control, &own)
	var lines strings.Builder
	for line := range strings.Lines(n.table()) {
		// sk, protocol, port, groups, and the inode at the end. The kernel's own
		// socket has port 0.
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[1] != strconv.Itoa(unix.NETLINK_KOBJECT_UEVENT) || fields[2] == "0" ||
			fields[len(fields)-1] == strconv.FormatUint(own.Ino, 10) {
			continue
		}
		lines.WriteString(line)
	}
	return lines.String()
}

// checkMessage is an event that tells whether the kernel takes events.
var checkMessage = []byte("check@/udrm\x00ACTION=check\x00")

// openControl opens the socket that sends and hears events, and checks that
// the kernel takes them.
func openControl() (int, error) {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return -1, err
	}
	if err = unix.Bind(s, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groupKernel}); err == nil {
		_, err = sendAsKernel(s, checkMessage)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(s))
	}
	return s, nil
}

// sendAsKernel has the kernel multicast a message as its own and returns the
// sequence number that the kernel gave it.
func sendAsKernel(s int, msg []byte) (seqnum uint64, err error) {
	packet := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(msg))
	binary.NativeEndian.PutUint32(packet[0:], uint32(unix.NLMSG_HDRLEN+len(msg)))
	binary.NativeEndian.PutUint16(packet[4:], unix.NLMSG_MIN_TYPE)
	binary.NativeEndian.PutUint16(packet[6:], unix.NLM_F_REQUEST)
	packet = append(packet, msg...)
	if err := unix.Sendto(s, packet, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, fmt.Errorf("sending a uevent to the kernel: %w", err)
	}
	// The kernel answers within the send: with the event, or with an error. The
	// machine's own events are heard too, and wait here from one send to the next.
	for {
		var buf [16 << 10]byte
		n, from, err := unix.Recvfrom(s, buf[:], 0)
		switch err {
		case nil:
		case unix.EINTR, unix.ENOBUFS: // some were lost; the others are there
			continue
		case unix.EAGAIN: // so many waited that the answer was lost
			return lastSeqnum()
		default:
			return 0, fmt.Errorf("hearing a uevent from the kernel: %w", err)
		}
		if from, ok := from.(*unix.SockaddrNetlink); !ok || from.Groups != groupKernel {
			if refused := acknowledged(buf[:n]); refused != nil {
				return 0, fmt.Errorf("the kernel takes no uevents from this process: %w", refused)
			}
			continue
		}
		if seqnum, ok := seqnumOf(buf[:n]); ok && bytes.HasPrefix(buf[:n], msg) {
			return seqnum, nil
		}
	}
}

// lastSeqnum returns the number that the kernel gave the last event of the
// machine, of all namespaces.
func lastSeqnum() (uint64, error) {
	text, err := os.ReadFile("/sys/kernel/uevent_seqnum")
	if err != nil {
		return 0, fmt.Errorf("the number of a uevent: %w", err)
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}

// acknowledged returns the error in a netlink error message.
func acknowledged(msg []byte) error {
	if len(msg) < unix.NLMSG_HDRLEN+4 || binary.NativeEndian.Uint16(msg[4:]) != unix.NLMSG_ERROR {
		return nil
	}
	if errno := -int32(binary.NativeEndian.Uint32(msg[unix.NLMSG_HDRLEN:])); errno != 0 {
		return unix.Errno(errno)
	}
	return nil
}

// seqnumOf returns the number that ends a message of the kernel.
func seqnumOf(msg []byte) (seqnum uint64, ok bool) {
	_, text, ok := bytes.Cut(msg, []byte("\x00SEQNUM="))
	if !ok {
		return 0, false
	}
	seqnum, err := strconv.ParseUint(string(bytes.TrimRight(text, "\x00")), 10, 64)
	return seqnum, err == nil
}

func (n *netlink) Bind(uint64, uint32) bool { return false }

func (n *netlink) Send(e *Event) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	seqnum, err := sendAsKernel(n.control, e.kernelMessage())
	if err != nil || e.KernelOnly {
		return err
	}
	return n.sendAsUdev(e.udevMessage(seqnum))
}

// sendAsUdev multicasts a message as udevd does.
func (n *netlink) sendAsUdev(msg []byte) error {
	err := unix.Sendto(n.control, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groupUdev})
	if err == unix.ECONNREFUSED { // no listener
		err = nil
	}
	return err
}

func (n *netlink) Close() {
	n.leave()
	_ = unix.Close(n.control)
}
