package seatd

import (
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/seat"
)

// A conn is the connection of a client. One goroutine reads requests and answers
// them. Events come from the seat.
type conn struct {
	server  *Server
	socket  *net.UnixConn
	pid     int
	session *seat.Session // nil before openSeat and after closeSeat
	used    bool          // there was a session: a connection has only one

	awaitsAnswers func() bool // what awaitsAnswers said of the client first
}

// serve serves the connection until it ends.
func (c *conn) serve() {
	err := c.readRequests()
	if c.session != nil {
		c.session.Close()
	}
	_ = c.socket.Close()
	if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
		c.server.log.Warn(fmt.Sprintf("seatd: the connection of process %d ends: %v", c.pid, err))
	}
}

// readRequests answers requests until one fails. Its error is never nil.
func (c *conn) readRequests() error {
	buf := make([]byte, maxBuffered)
	for have := 0; ; {
		r, n, err := parse(buf[:have])
		if errors.Is(err, errShort) {
			n, err := c.socket.Read(buf[have:])
			if err != nil {
				return err
			}
			have += n
			continue
		}
		if err == nil {
			err = c.answer(r)
		}
		if err != nil {
			return err
		}
		have = copy(buf, buf[n:have])
	}
}

// answer answers a request. Its error ends the connection.
func (c *conn) answer(r request) error {
	switch {
	case r.opcode == ping:
		return c.send(message(pong))
	case r.opcode == openSeat:
		return c.openSeat()
	case c.session == nil:
		return fmt.Errorf("request %d without a session; OPEN_SEAT comes first", r.opcode)
	}
	var err error
	answer := opcode(0)
	switch r.opcode {
	case closeSeat:
		c.session.Close()
		c.session, answer = nil, seatClosed
	case openDevice:
		return c.openDevice(r.path)
	case closeDevice:
		answer, err = deviceClosed, c.session.CloseDevice(r.number)
	case disableSeat:
		answer, err = seatDisabled, c.session.Disabled()
	case switchSession:
		answer, err = sessionSwitched, c.session.Switch(int(r.number))
	}
	if (answer == seatDisabled || answer == sessionSwitched) && !c.awaitsAnswers() {
		return nil
	}
	if err != nil {
		return c.refuse(err)
	}
	return c.send(message(answer))
}

func (c *conn) openSeat() (err error) {
	if c.used {
		return errors.New("OPEN_SEAT again; a connection has one session")
	}
	c.used = true
	if c.session, err = c.server.seat.NewSession(c, c.pid); err != nil {
		return err
	}
	if err := c.send(seatOpenedMessage(seat.Name)); err != nil {
		return err
	}
	c.session.Start()
	return nil
}

func (c *conn) openDevice(path string) error {
	opened, err := c.session.OpenDevice(path)
	if err != nil {
		return c.refuse(err)
	}
	err = c.send(deviceOpenedMessage(opened.ID), opened.FD)
	// The client has the last descriptor: its close closes the device.
	return errors.Join(err, unix.Close(opened.FD))
}

func (c *conn) refuse(err error) error {
	c.server.log.Info(fmt.Sprintf("seatd: refused to process %d: %v", c.pid, err))
	return c.send(failedMessage(err))
}

// Enable implements seat.Client.
func (c *conn) Enable() { _ = c.send(message(seatEnable)) }

// Disable implements seat.Client.
func (c *conn) Disable() { _ = c.send(message(seatDisable)) }

// send sends a message with descriptors. It does not wait: a client that does not
// read what it is sent loses the connection.
func (c *conn) send(p []byte, fds ...int) (err error) {
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
		c.hangUp()
	}
	return err
}

// hangUp ends the connection: a read ends, and serve does the rest.
func (c *conn) hangUp() { _ = c.socket.CloseRead() }
