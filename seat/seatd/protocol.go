package seatd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// An opcode says what a message is.
type opcode uint16

// Requests of clients.
const (
	openSeat opcode = iota + 1
	closeSeat
	openDevice
	closeDevice
	disableSeat
	switchSession
	ping
)

// Answers and events of the server.
const (
	seatOpened opcode = 1<<15 + iota + 1
	seatClosed
	deviceOpened
	deviceClosed
	seatDisable // an event
	seatEnable  // an event
	pong
	sessionSwitched
	seatDisabled
	failed opcode = 1<<16 - 1
)

const (
	headerSize  = 4
	maxPath     = 256         // with the zero byte at the end
	maxRequest  = 2 + maxPath // of the bytes behind the header
	maxBuffered = headerSize + maxRequest
)

// A request is a message of a client.
type request struct {
	opcode opcode
	path   string // of openDevice
	number int32  // the device of closeDevice, the session of switchSession
}

// errShort says that the bytes of a request are not complete.
var errShort = errors.New("seatd: the request is not complete")

// parse parses the request at the start of p, and returns its length. Its error
// is errShort if more bytes are needed, or says what is wrong.
func parse(p []byte) (r request, n int, err error) {
	if len(p) < headerSize {
		return request{}, 0, errShort
	}
	r.opcode = opcode(binary.NativeEndian.Uint16(p))
	size := int(binary.NativeEndian.Uint16(p[2:]))
	wrong := func(why string) (request, int, error) {
		return request{}, 0, fmt.Errorf("seatd: request %d of %d bytes: %s", r.opcode, size, why)
	}
	least, most := 0, 0
	switch r.opcode {
	case openSeat, closeSeat, disableSeat, ping:
	case openDevice:
		least, most = 2+1, maxRequest
	case closeDevice, switchSession:
		least, most = 4, 4
	default:
		return wrong("there is no such request")
	}
	if size < least || size > most {
		return wrong(fmt.Sprintf("it has from %d to %d bytes", least, most))
	}
	if len(p) < headerSize+size {
		return request{}, 0, errShort
	}
	n = headerSize + size
	switch body := p[headerSize:n]; r.opcode {
	case openDevice:
		path := body[2:]
		if length := int(binary.NativeEndian.Uint16(body)); length != len(path) {
			return wrong(fmt.Sprintf("its path has %d bytes, not %d", len(path), length))
		}
		if bytes.IndexByte(path, 0) != len(path)-1 {
			return wrong("its path does not end with its only zero byte")
		}
		r.path = string(path[:len(path)-1])
	case closeDevice, switchSession:
		r.number = int32(binary.NativeEndian.Uint32(body))
	}
	return r, n, nil
}

// message returns a message of the server. Its content are numbers.
func message(code opcode, body ...byte) []byte {
	p := binary.NativeEndian.AppendUint16(nil, uint16(code))
	p = binary.NativeEndian.AppendUint16(p, uint16(len(body)))
	return append(p, body...)
}

// seatOpenedMessage returns the answer to openSeat.
func seatOpenedMessage(name string) []byte {
	body := binary.NativeEndian.AppendUint16(nil, uint16(len(name)+1))
	return message(seatOpened, append(append(body, name...), 0)...)
}

// deviceOpenedMessage returns the answer to openDevice.
func deviceOpenedMessage(id int32) []byte {
	return message(deviceOpened, binary.NativeEndian.AppendUint32(nil, uint32(id))...)
}

// failedMessage returns the answer to a request that was refused.
func failedMessage(err error) []byte {
	errno := unix.EIO
	_ = errors.As(err, &errno)
	return message(failed, binary.NativeEndian.AppendUint32(nil, uint32(errno))...)
}
