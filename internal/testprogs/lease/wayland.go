package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A conn is a connection to a Wayland compositor. Messages are in the byte order
// of the machine: the object, the length and the opcode, then arguments of 32 bits.
type conn struct {
	socket  *net.UnixConn
	last    uint32 // the newest of our object ids
	pending []byte // received, not read yet
	fds     []int
}

// display is the object that every connection has.
const display = 1

func dial() (*conn, error) {
	path := os.Getenv("WAYLAND_DISPLAY")
	if !filepath.IsAbs(path) {
		path = filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), path)
	}
	socket, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path})
	if err != nil {
		return nil, err
	}
	return &conn{socket: socket, last: display}, nil
}

// newID returns the id of a new object.
func (c *conn) newID() uint32 {
	c.last++
	return c.last
}

// send sends a request. Arguments are uint32 or string.
func (c *conn) send(object, opcode uint32, args ...any) error {
	var body []byte
	word := func(v uint32) { body = binary.NativeEndian.AppendUint32(body, v) }
	for _, arg := range args {
		switch arg := arg.(type) {
		case uint32:
			word(arg)
		case string:
			word(uint32(len(arg) + 1))
			body = append(body, arg...)
			body = append(body, make([]byte, 4-len(arg)%4)...)
		}
	}
	message := binary.NativeEndian.AppendUint32(nil, object)
	message = binary.NativeEndian.AppendUint32(message, uint32(8+len(body))<<16|opcode)
	_, err := c.socket.Write(append(message, body...))
	return err
}

// An event is a message of the compositor.
type event struct {
	object, opcode uint32
	body           []byte
}

// number takes a number from the event.
func (e *event) number() uint32 {
	v := binary.NativeEndian.Uint32(e.body)
	e.body = e.body[4:]
	return v
}

// text takes a string from the event.
func (e *event) text() string {
	n := e.number()
	s := string(e.body[:n-1])
	e.body = e.body[(n+3)&^3:]
	return s
}

// read waits for the next event.
func (c *conn) read() (*event, error) {
	for {
		if len(c.pending) >= 8 {
			head := binary.NativeEndian.Uint32(c.pending[4:])
			if size := int(head >> 16); len(c.pending) >= size {
				e := &event{binary.NativeEndian.Uint32(c.pending), head & 0xffff, c.pending[8:size]}
				c.pending = c.pending[size:]
				if e.object == display && e.opcode == 0 {
					object, code := e.number(), e.number()
					return nil, fmt.Errorf("error %d of object %d: %s", code, object, e.text())
				}
				return e, nil
			}
		}
		var data, control [4096]byte
		n, controls, _, _, err := c.socket.ReadMsgUnix(data[:], control[:])
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, errors.New("the compositor has hung up")
		}
		c.pending = append(c.pending, data[:n]...)
		messages, err := unix.ParseSocketControlMessage(control[:controls])
		if err != nil {
			return nil, err
		}
		for i := range messages {
			fds, err := unix.ParseUnixRights(&messages[i])
			if err != nil {
				return nil, err
			}
			c.fds = append(c.fds, fds...)
		}
	}
}

// fd takes the next descriptor that has come with an event.
func (c *conn) fd() int {
	fd := c.fds[0]
	c.fds = c.fds[1:]
	return fd
}
