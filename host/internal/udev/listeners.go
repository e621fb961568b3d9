package udev

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A Listener is a Unix socket that accepts connections.
type Listener struct {
	Inode uint32
	UID   uint32 // of the user who has made it
}

// Numbers of linux/unix_diag.h and net/tcp_states.h.
const (
	diagSize    = 24 // struct unix_diag_req
	diagMsgSize = 16 // struct unix_diag_msg
	listens     = 10 // TCP_LISTEN
	showName    = 1  // UDIAG_SHOW_NAME
	showUID     = 1 << 6
	diagName    = 0 // UNIX_DIAG_NAME
	diagUID     = 7
)

// Listeners returns the Unix sockets of the network namespace of this process that
// accept connections at a path, in whatever root.
func Listeners(path string) ([]Listener, error) {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	request := make([]byte, unix.NLMSG_HDRLEN+diagSize)
	binary.NativeEndian.PutUint32(request[0:], uint32(len(request)))
	binary.NativeEndian.PutUint16(request[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	body := request[unix.NLMSG_HDRLEN:]
	body[0] = unix.AF_UNIX
	binary.NativeEndian.PutUint32(body[4:], 1<<listens)
	binary.NativeEndian.PutUint32(body[12:], showName|showUID)
	if err := unix.Sendto(s, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, os.NewSyscallError("sendto", err)
	}
	var found []Listener
	for buf := make([]byte, 1<<16); ; {
		n, _, err := unix.Recvfrom(s, buf, 0)
		if err != nil {
			return nil, os.NewSyscallError("recvfrom", err)
		}
		for rest := buf[:n]; len(rest) >= unix.NLMSG_HDRLEN; {
			size := int(binary.NativeEndian.Uint32(rest))
			if size < unix.NLMSG_HDRLEN || size > len(rest) {
				return nil, fmt.Errorf("udev: a message of %d bytes in %d", size, len(rest))
			}
			msg := rest[unix.NLMSG_HDRLEN:size]
			switch binary.NativeEndian.Uint16(rest[4:]) {
			case unix.NLMSG_DONE:
				return found, nil
			case unix.NLMSG_ERROR:
				if len(msg) < 4 {
					return nil, unix.EIO
				}
				return nil, unix.Errno(-int32(binary.NativeEndian.Uint32(msg)))
			case unix.SOCK_DIAG_BY_FAMILY:
				if l, name := parseListener(msg); name == path {
					found = append(found, l)
				}
			}
			rest = rest[min(align(size), len(rest)):]
		}
	}
}

// parseListener parses a struct unix_diag_msg with its attributes.
func parseListener(msg []byte) (l Listener, name string) {
	if len(msg) < diagMsgSize {
		return l, ""
	}
	l.Inode = binary.NativeEndian.Uint32(msg[4:])
	for rest := msg[diagMsgSize:]; len(rest) >= unix.SizeofRtAttr; {
		size := int(binary.NativeEndian.Uint16(rest))
		if size < unix.SizeofRtAttr || size > len(rest) {
			break
		}
		value := rest[unix.SizeofRtAttr:size]
		switch binary.NativeEndian.Uint16(rest[2:]) {
		case diagName:
			name = string(bytes.TrimRight(value, "\x00"))
		case diagUID:
			if len(value) >= 4 {
				l.UID = binary.NativeEndian.Uint32(value)
			}
		}
		rest = rest[min(align(size), len(rest)):]
	}
	return l, name
}

// align rounds a size up as netlink does.
func align(n int) int { return (n + 3) &^ 3 }
