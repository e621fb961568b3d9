package socket

import (
	"errors"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// A Conn is the connection of a program. Its methods may be called concurrently.
type Conn struct {
	socket *net.UnixConn
	peer   *unix.Ucred
}

// PID returns the process that has connected, 0 if it has no number here.
func (c *Conn) PID() int { return int(c.peer.Pid) }

// UID and GID return the user and the group of the process that has connected.
func (c *Conn) UID() uint32 { return c.peer.Uid }
func (c *Conn) GID() uint32 { return c.peer.Gid }

// Read reads what the program sends. It fails after HangUp.
func (c *Conn) Read(p []byte) (int, error) { return c.socket.Read(p) }

// Send sends p with descriptors, which stay the caller's. It does not wait: a
// program that does not read what it is sent loses the connection. Calls must not
// overlap if the order of their bytes matters.
func (c *Conn) Send(p []byte, fds ...int) (err error) {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	raw, err := c.socket.SyscallConn()
	if err != nil {
		return err
	}
	var n int
	writeErr := raw.Write(func(fd uintptr) bool {
		n, err = unix.SendmsgN(int(fd), p, rights, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		return true
	})
	if err = errors.Join(writeErr, err); err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		c.HangUp()
	}
	return err
}

// HangUp ends the connection: a read ends.
func (c *Conn) HangUp() { _ = c.socket.CloseRead() }

// peer returns the process at the other end of a socket.
func peer(c *net.UnixConn) (cred *unix.Ucred, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	controlErr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return cred, errors.Join(controlErr, err)
}
