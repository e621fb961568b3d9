package kms

import (
	"encoding/binary"

	"github.com/udrm/udrm/drm"
)

// Clients ask twice for an array: once for its length, and once with room for
// it. Both ways of the kernel to deal with too little room are below.

// putSome writes as many elements as there is room for, and answers the
// length.
func putSome[T any](req *drm.Request, addr uint64, room *uint32, s []T) error {
	n := min(*room, uint32(len(s)))
	*room = uint32(len(s))
	return put(req, addr, s[:n])
}

// putAll writes all elements when there is room, else none, and answers the
// length.
func putAll[T any](req *drm.Request, addr uint64, room *uint32, s []T) error {
	enough := *room >= uint32(len(s))
	*room = uint32(len(s))
	if !enough {
		return nil
	}
	return put(req, addr, s)
}

func put[T any](req *drm.Request, addr uint64, s []T) error {
	if len(s) == 0 {
		return nil
	}
	data, err := binary.Append(nil, binary.LittleEndian, s)
	if err != nil {
		panic(err) // T has fields of fixed size only
	}
	return req.CopyToUser(addr, data)
}

// arrayChunk is how many elements of a client's array are read at once: what
// the client says of its length is not believed.
const arrayChunk = 64

// A userArray is an array in a client's memory, read from the front.
type userArray[T any] struct {
	req  *drm.Request
	addr uint64
	buf  []T
}

// next returns the next element. more is how many elements are known to
// follow, itself included: at least 1.
func (a *userArray[T]) next(more uint32) (v T, err error) {
	if len(a.buf) == 0 {
		size := uint64(binary.Size(v))
		a.buf = make([]T, min(more, arrayChunk))
		data := make([]byte, size*uint64(len(a.buf)))
		if err := a.req.CopyFromUser(data, a.addr); err != nil {
			return v, err
		}
		if _, err := binary.Decode(data, binary.LittleEndian, a.buf); err != nil {
			panic(err) // T has fields of fixed size only
		}
		a.addr += uint64(len(data))
	}
	v = a.buf[0]
	a.buf = a.buf[1:]
	return v, nil
}
