package login1

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/seat/socket"
)

// Limits of messages.
const (
	fixedSize  = 16 // of the start of a message: up to the length of the fields
	maxMessage = 64 << 10
)

// Names of the bus.
const (
	busName     = "org.freedesktop.DBus"
	serviceName = "org.freedesktop.login1"
	ownerName   = ":1.0" // the unique name of the service
)

// A conn is the connection of a client. One goroutine reads calls and answers
// them.
type conn struct {
	*socket.Conn
	server *Server
	name   string // the unique name

	passesFDs bool // the client takes descriptors

	mu      sync.Mutex // held while a message is sent
	serial  uint32
	hello   bool // the client has its name
	matches int  // the number of its rules
}

// serve serves the connection until it ends.
func (c *conn) serve() error {
	err := c.readAll()
	c.server.release(c)
	return err
}

// readAll answers what the client sends until that fails. Its error is never nil.
func (c *conn) readAll() error {
	a := &auth{uid: int(c.UID()), guid: c.server.guid}
	var buf []byte
	chunk := make([]byte, 4096)
	for begun := false; ; {
		n, err := c.Read(chunk)
		if err != nil {
			return err
		}
		buf = append(buf, chunk[:n]...)
		if !begun {
			taken, reply, done, err := a.feed(buf)
			if reply != "" {
				err = errors.Join(err, c.Conn.Send([]byte(reply)))
			}
			if err != nil {
				return err
			}
			buf, begun = buf[taken:], done
			c.passesFDs = a.passesFDs
		}
		for begun {
			size, err := messageSize(buf)
			if err != nil {
				return err
			}
			if size == 0 || len(buf) < size {
				break
			}
			if err := c.receive(buf[:size]); err != nil {
				return err
			}
			buf = buf[size:]
		}
		buf = append([]byte(nil), buf...) // what was served can go
	}
}

// messageSize returns the length of the message at the start of p, 0 if more
// bytes are needed to tell.
func messageSize(p []byte) (int, error) {
	if len(p) < fixedSize {
		return 0, nil
	}
	var order binary.ByteOrder
	switch p[0] {
	case 'l':
		order = binary.LittleEndian
	case 'B':
		order = binary.BigEndian
	default:
		return 0, fmt.Errorf("a message begins with %q", p[0])
	}
	body, fields := uint64(order.Uint32(p[4:])), uint64(order.Uint32(p[12:]))
	size := fixedSize + (fields+7)&^7 + body
	if size > maxMessage {
		return 0, fmt.Errorf("a message of %d bytes; at most %d", size, maxMessage)
	}
	return int(size), nil
}

// decode decodes a message.
func decode(p []byte) (m *dbus.Message, err error) {
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("a message that is none: %v", r)
		}
	}()
	return dbus.DecodeMessage(bytes.NewReader(p))
}

// receive serves a message. Its error ends the connection.
func (c *conn) receive(p []byte) error {
	m, err := decode(p)
	if err != nil {
		return err
	}
	if m.Type != dbus.TypeMethodCall {
		return nil
	}
	in := newCall(c, m)
	if !c.greeted(in) {
		return errors.New("the first message is not Hello")
	}
	results, err := in.serve()
	defer func() {
		for _, fd := range in.fds {
			_ = unix.Close(fd)
		}
	}()
	if m.Flags&dbus.FlagNoReplyExpected == 0 {
		if err := c.reply(in, results, err); err != nil {
			return err
		}
	}
	for _, f := range in.after {
		f()
	}
	return nil
}

// greeted reports whether the client may make the call: its first one is Hello.
func (c *conn) greeted(in *call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.hello {
		c.hello = in.destination == busName && in.member == "Hello"
		return c.hello
	}
	return true
}

// reply answers a call.
func (c *conn) reply(in *call, results []any, err error) error {
	headers := map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(in.serial),
		dbus.FieldDestination: dbus.MakeVariant(c.name),
		dbus.FieldSender:      dbus.MakeVariant(in.sender()),
	}
	if err == nil && !c.passesFDs && slices.ContainsFunc(results, isFD) {
		err = refuse(notSupported, "%s returns a descriptor; ask for NEGOTIATE_UNIX_FD", in.member)
	}
	m := &dbus.Message{Type: dbus.TypeMethodReply, Headers: headers, Body: results}
	if err != nil {
		c.server.log.Info(fmt.Sprintf("login1: refused to process %d: %s.%s: %v", c.PID(), in.iface, in.member, err))
		m.Type, m.Body = dbus.TypeError, []any{err.Error()}
		headers[dbus.FieldErrorName] = dbus.MakeVariant(errorName(err))
	}
	return c.send(m)
}

func isFD(result any) bool { _, ok := result.(dbus.UnixFD); return ok }

// signal sends a signal of the session.
func (c *conn) signal(iface, member string, body ...any) {
	_ = c.send(&dbus.Message{Type: dbus.TypeSignal, Flags: dbus.FlagNoReplyExpected, Body: body, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldPath:        dbus.MakeVariant(dbus.ObjectPath(sessionPath)),
		dbus.FieldInterface:   dbus.MakeVariant(iface),
		dbus.FieldMember:      dbus.MakeVariant(member),
		dbus.FieldSender:      dbus.MakeVariant(ownerName),
		dbus.FieldDestination: dbus.MakeVariant(c.name),
	}})
}

// send sends a message. It does not wait: see write.
func (c *conn) send(m *dbus.Message) error {
	if len(m.Body) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(m.Body...))
	}
	count, err := m.CountFds()
	if err != nil {
		return fmt.Errorf("encoding a message: %w", err)
	}
	if count > 0 {
		m.Headers[dbus.FieldUnixFDs] = dbus.MakeVariant(uint32(count))
	}
	var encoded bytes.Buffer
	fds, err := m.EncodeToWithFDs(&encoded, binary.LittleEndian)
	if err != nil {
		return fmt.Errorf("encoding a message: %w", err)
	}
	p := encoded.Bytes()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serial++
	binary.LittleEndian.PutUint32(p[8:], c.serial) // package dbus leaves it 0
	return c.Conn.Send(p, fds...)
}
