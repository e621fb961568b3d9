package udev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A processNamespace is one in which another process is, which runs
// [ServeNamespace]. A process without CAP_SYS_ADMIN can make a network namespace
// only for a process in a new user namespace. It has all rights over both, as the
// user that made them, but may not enter them.
//
// A program of that user can send as the kernel, as root can on a machine.
//
// The process answers a request with an error number and a descriptor.
type processNamespace struct {
	mu     sync.Mutex // held while a request is answered
	socket int
}

// Requests to the process, each followed by a number.
const (
	requestControl = iota // the control socket
	requestOpen           // a socket of this type and with these flags
	requestTable          // the open file /proc/net/netlink
)

const sizeofRequest = 8

// answerTimeout ends the wait for a process that is stopped.
const answerTimeout = 2 * time.Second

// newProcessNetlink connects to the process at the other end of a socket. It
// closes the socket if it fails.
func newProcessNetlink(socket int) (*netlink, error) {
	p := &processNamespace{socket: socket}
	limit := unix.NsecToTimeval(answerTimeout.Nanoseconds())
	err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
	control := -1
	if err == nil {
		control, err = p.ask(requestControl, 0)
	}
	if err == nil {
		if _, err = sendAsKernel(control, checkMessage); err != nil { // this process must have the right, too
			_ = unix.Close(control)
		}
	}
	if err != nil {
		p.leave()
		return nil, fmt.Errorf("a network namespace for uevents, in a user namespace: %w", err)
	}
	return &netlink{namespace: p, control: control}, nil
}

// ask sends a request and returns the descriptor of the answer.
func (p *processNamespace) ask(kind, number uint32) (int, error) {
	var request [sizeofRequest]byte
	binary.NativeEndian.PutUint32(request[0:], kind)
	binary.NativeEndian.PutUint32(request[4:], number)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.socket < 0 {
		return -1, unix.ENOBUFS
	}
	fd, err := p.exchange(request[:])
	var refused unix.Errno
	if err != nil && !errors.As(err, &refused) {
		// A late answer would be taken for that of the next request.
		_ = unix.Close(p.socket)
		p.socket = -1
		err = fmt.Errorf("%w: %w", unix.ENOBUFS, err)
	}
	return fd, err
}

// exchange sends a request and receives the answer. An error that is not the
// answer has no Errno.
func (p *processNamespace) exchange(request []byte) (int, error) {
	if err := unix.Send(p.socket, request, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT); err != nil {
		return -1, fmt.Errorf("asking the process in the namespace: %v", err)
	}
	var answer [4]byte
	rights := make([]byte, unix.CmsgSpace(4))
	var n, nrights int
	for {
		var err error
		n, nrights, _, _, err = unix.Recvmsg(p.socket, answer[:], rights, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return -1, fmt.Errorf("hearing the process in the namespace: %v", err)
		}
		break
	}
	fds := parseRights(rights[:nrights])
	errno := unix.Errno(binary.NativeEndian.Uint32(answer[:]))
	switch {
	case n == len(answer) && len(fds) == 1 && errno == 0:
		return fds[0], nil
	case n == len(answer) && len(fds) == 0 && errno != 0:
		return -1, errno
	}
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
	return -1, errors.New("the process in the namespace has ended, or answers nonsense")
}

func parseRights(data []byte) (fds []int) {
	controls, err := unix.ParseSocketControlMessage(data)
	if err != nil || len(controls) != 1 {
		return nil
	}
	fds, _ = unix.ParseUnixRights(&controls[0])
	return fds
}

func (p *processNamespace) newSocket(typeAndFlags int) (int, error) {
	fd, err := p.ask(requestOpen, uint32(typeAndFlags))
	if err != nil {
		return -1, err
	}
	// A program of the same user may have changed the process.
	if protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil || protocol != unix.NETLINK_KOBJECT_UEVENT {
		return -1, errors.Join(unix.ENOBUFS, unix.Close(fd))
	}
	return fd, nil
}

func (p *processNamespace) table() string {
	fd, err := p.ask(requestTable, 0)
	if err != nil {
		return ""
	}
	file := os.NewFile(uintptr(fd), "netlink")
	defer file.Close()
	text, _ := io.ReadAll(io.LimitReader(file, maxTable))
	return string(text)
}

// maxTable bounds what is read of a table: some thousand sockets.
const maxTable = 1 << 20

func (p *processNamespace) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.socket >= 0 {
		_ = unix.Close(p.socket)
		p.socket = -1
	}
}

// ServeNamespace serves a processNamespace, in a process that is in the namespace.
// It returns when the other end of the socket is closed.
func ServeNamespace(socket int) error {
	control, err := openControl()
	for {
		var request [sizeofRequest]byte
		n, _, receiveErr := unix.Recvfrom(socket, request[:], 0)
		if receiveErr == unix.EINTR {
			continue
		}
		if receiveErr != nil || n == 0 {
			return receiveErr
		}
		fd, answerErr := -1, err
		number := int(binary.NativeEndian.Uint32(request[4:]))
		if err == nil {
			switch binary.NativeEndian.Uint32(request[0:]) {
			case requestControl:
				fd = control
			case requestOpen:
				fd, answerErr = newSocket(number)
			case requestTable:
				fd, answerErr = unix.Open("/proc/self/net/netlink", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			default:
				answerErr = unix.EINVAL
			}
		}
		if err := answer(socket, fd, answerErr); err != nil {
			return err
		}
		if fd >= 0 && fd != control {
			_ = unix.Close(fd)
		}
	}
}

// answer sends the answer to a request.
func answer(socket, fd int, err error) error {
	var data [4]byte
	var rights []byte
	if err == nil {
		rights = unix.UnixRights(fd)
	} else {
		errno := unix.EINVAL
		errors.As(err, &errno)
		binary.NativeEndian.PutUint32(data[:], uint32(errno))
	}
	for {
		if err := unix.Sendmsg(socket, data[:], rights, nil, unix.MSG_NOSIGNAL); err != unix.EINTR {
			return err
		}
	}
}
