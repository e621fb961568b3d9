package drm

import (
	"encoding/binary"
	"fmt"
)

// Requests carry the addresses of arrays and structs in client memory. They
// are in native byte order and consist of fields of fixed size, without
// padding; the functions below panic on a T that does not.

// arrayChunk limits the elements that are read at once: the client-supplied
// length of an array is not trusted.
const arrayChunk = 1 << 12

// ReadArray reads an array of count elements in client memory. It fails with
// EFAULT if part of it cannot be read.
func ReadArray[T any](m Memory, addr uint64, count uint32) (array []T, err error) {
	for n := uint32(0); n < count; {
		part := make([]T, min(count-n, arrayChunk))
		data := bytesOf(part)
		if err := m.CopyFromUser(data, addr); err != nil {
			return nil, fmt.Errorf("reading an array of %d elements: %w", count, err)
		}
		array = append(array, part...)
		addr += uint64(len(data))
		n += uint32(len(part))
	}
	return array, nil
}

// PutArray writes all elements to an array in client memory. It fails with
// EFAULT if part of it cannot be written.
func PutArray[T any](m Memory, addr uint64, s []T) error {
	if len(s) == 0 {
		return nil
	}
	if err := m.CopyToUser(addr, bytesOf(s)); err != nil {
		return fmt.Errorf("writing an array of %d elements: %w", len(s), err)
	}
	return nil
}

// Clients ask for an array twice: once for its length, and once with room for
// it. The kernel deals with too little room in two ways.

// PutSome writes as many elements as there is room for, and sets room to the
// number of all.
func PutSome[T any](m Memory, addr uint64, room *uint32, s []T) error {
	if err := PutArray(m, addr, s[:min(*room, uint32(len(s)))]); err != nil {
		return err
	}
	*room = uint32(len(s))
	return nil
}

// PutAll writes all elements if there is room for them, or else none, and sets
// room to the number of all.
func PutAll[T any](m Memory, addr uint64, room *uint32, s []T) error {
	if *room >= uint32(len(s)) {
		if err := PutArray(m, addr, s); err != nil {
			return err
		}
	}
	*room = uint32(len(s))
	return nil
}

// Exchange reads a T in client memory, calls serve, and, if serve succeeds,
// writes the T back: for requests of a [ClientFile], whose arguments package
// drm does not copy. It does not call serve if the memory cannot be written: a
// descriptor that serve gives to the client cannot be taken back.
func Exchange[T any](m Memory, addr uint64, serve func(*T) error) error {
	var arg [1]T
	data := bytesOf(arg[:])
	if err := m.CopyFromUser(data, addr); err != nil {
		return fmt.Errorf("reading the argument: %w", err)
	}
	write := func() error {
		if err := m.CopyToUser(addr, data); err != nil {
			return fmt.Errorf("writing the argument: %w", err)
		}
		return nil
	}
	if err := write(); err != nil {
		return err
	}
	if err := serve(&arg[0]); err != nil {
		return err
	}
	return write()
}

// mustBePlain panics if values of type T have pointers or padding.
func mustBePlain[T any]() {
	if t := *new(T); binary.Size(t) != int(sizeOf[T]()) {
		panic(fmt.Sprintf("drm: a %T in client memory: its fields must have fixed sizes, without padding", t))
	}
}
