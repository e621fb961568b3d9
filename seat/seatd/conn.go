package seatd

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/seat"
	"github.com/udrm/udrm/seat/socket"
)

// A conn is the connection of a client. One goroutine reads requests and answers
// them. Events come from the seat.
type conn struct {
	*socket.Conn
	server  *Server
	session *seat.Session // nil before openSeat and after closeSeat
	used    bool          // there was a session: a connection has only one

	awaitsAnswers func() bool // what awaitsAnswers said of the client first
}

// serve serves the connection until it ends.
func (c *conn) serve() error {
	err := c.readRequests()
	if c.session != nil {
		c.session.Close()
	}
	return err
}

// readRequests answers requests until one fails. Its error is never nil.
func (c *conn) readRequests() error {
	buf := make([]byte, maxBuffered)
	for have := 0; ; {
		r, n, err := parse(buf[:have])
		if errors.Is(err, errShort) {
			n, err := c.Read(buf[have:])
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
		return c.Send(message(pong))
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
	return c.Send(message(answer))
}

func (c *conn) openSeat() (err error) {
	if c.used {
		return errors.New("OPEN_SEAT again; a connection has one session")
	}
	c.used = true
	if c.session, err = c.server.seat.NewSession(c, c.PID()); err != nil {
		return err
	}
	if err := c.Send(seatOpenedMessage(seat.Name)); err != nil {
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
	err = c.Send(deviceOpenedMessage(opened.ID), opened.FD)
	// The client has the last descriptor: its close closes the device.
	return errors.Join(err, unix.Close(opened.FD))
}

func (c *conn) refuse(err error) error {
	c.server.log.Info(fmt.Sprintf("seatd: refused to process %d: %v", c.PID(), err))
	return c.Send(failedMessage(err))
}

// Enable implements seat.Client.
func (c *conn) Enable() { _ = c.Send(message(seatEnable)) }

// Disable implements seat.Client.
func (c *conn) Disable() { _ = c.Send(message(seatDisable)) }
