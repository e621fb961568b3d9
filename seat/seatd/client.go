package seatd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// A Client is a session on a seat, as libseat has it. Its methods must not be
// called concurrently. The errors of a server wrap an errno.
type Client struct {
	socket  *net.UnixConn
	events  chan bool
	answers chan answer
}

// An answer is a message that is no event.
type answer struct {
	opcode opcode
	body   []byte
	fds    []int
}

// maxEvents is how many events a client leaves unread before it reads no more.
const maxEvents = 64

// Dial connects to the socket of a server, $SEATD_SOCK, and opens a session.
func Dial(path string) (*Client, error) {
	socket, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("seatd: %w", err)
	}
	c := &Client{socket: socket, events: make(chan bool, maxEvents), answers: make(chan answer)}
	go c.read()
	if _, err := c.ask(openSeat, seatOpened, nil); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return c, nil
}

// Events returns a channel that receives true when the session becomes active,
// and false when it becomes inactive, which the client answers by
// [Client.Disabled]. It is closed with the connection.
func (c *Client) Events() <-chan bool { return c.events }

// OpenDevice opens the node of a card. The caller closes the descriptor, after
// CloseDevice.
func (c *Client) OpenDevice(path string) (fd int, id int32, err error) {
	body := binary.NativeEndian.AppendUint16(nil, uint16(len(path)+1))
	a, err := c.ask(openDevice, deviceOpened, append(append(body, path...), 0))
	if err != nil {
		return -1, 0, err
	}
	if len(a.body) != 4 || len(a.fds) != 1 {
		return -1, 0, fmt.Errorf("seatd: the answer for %s has %d bytes and %d descriptors", path, len(a.body), len(a.fds))
	}
	return a.fds[0], int32(binary.NativeEndian.Uint32(a.body)), nil
}

// CloseDevice gives a device back.
func (c *Client) CloseDevice(id int32) error { return c.askNumber(closeDevice, deviceClosed, id) }

// Disabled says that the client uses its devices no more.
func (c *Client) Disabled() error {
	_, err := c.ask(disableSeat, seatDisabled, nil)
	return err
}

// Switch asks for another session.
func (c *Client) Switch(session int) error {
	return c.askNumber(switchSession, sessionSwitched, int32(session))
}

// Close ends the session.
func (c *Client) Close() error {
	_, err := c.ask(closeSeat, seatClosed, nil)
	return errors.Join(err, c.socket.Close())
}

func (c *Client) askNumber(code, want opcode, number int32) error {
	_, err := c.ask(code, want, binary.NativeEndian.AppendUint32(nil, uint32(number)))
	return err
}

// ask sends a request and returns its answer.
func (c *Client) ask(code, want opcode, body []byte) (answer, error) {
	if _, err := c.socket.Write(message(code, body...)); err != nil {
		return answer{}, fmt.Errorf("seatd: %w", err)
	}
	a, ok := <-c.answers
	switch {
	case !ok:
		return answer{}, fmt.Errorf("seatd: the server has ended the connection: %w", io.ErrUnexpectedEOF)
	case a.opcode == failed && len(a.body) == 4:
		return answer{}, fmt.Errorf("seatd: request %d: %w", code, unix.Errno(binary.NativeEndian.Uint32(a.body)))
	case a.opcode != want:
		return answer{}, fmt.Errorf("seatd: the answer to request %d is %d, not %d", code, a.opcode, want)
	}
	return a, nil
}

// read reads messages until the connection ends.
func (c *Client) read() {
	defer close(c.events)
	defer close(c.answers)
	for {
		var head [headerSize]byte
		rights := make([]byte, unix.CmsgSpace(4))
		n, oobn, _, _, err := c.socket.ReadMsgUnix(head[:], rights)
		if err != nil || n == 0 {
			return
		}
		if _, err := io.ReadFull(c.socket, head[n:]); err != nil {
			return
		}
		a := answer{opcode: opcode(binary.NativeEndian.Uint16(head[:])), fds: descriptors(rights[:oobn])}
		a.body = make([]byte, binary.NativeEndian.Uint16(head[2:]))
		if _, err := io.ReadFull(c.socket, a.body); err != nil {
			return
		}
		switch a.opcode {
		case seatEnable, seatDisable:
			c.events <- a.opcode == seatEnable
		default:
			c.answers <- a
		}
	}
}

// descriptors returns the descriptors of a control message.
func descriptors(rights []byte) (fds []int) {
	messages, _ := unix.ParseSocketControlMessage(rights)
	for i := range messages {
		more, _ := unix.ParseUnixRights(&messages[i])
		fds = append(fds, more...)
	}
	return fds
}
