package kms

import "github.com/udrm/udrm/drm"

// arrayChunk is how many elements of a client's array are read at once: the
// client-supplied length is not trusted.
const arrayChunk = 64

// A userArray is an array in client memory that is read from the front.
type userArray[T any] struct {
	req  *drm.Request
	addr uint64
	size uint64 // of an element
	buf  []T
}

// next returns the next element. more is how many elements are known to
// follow, this one included: at least 1.
func (a *userArray[T]) next(more uint32) (v T, err error) {
	if len(a.buf) == 0 {
		n := min(more, arrayChunk)
		if a.buf, err = drm.ReadArray[T](a.req, a.addr, n); err != nil {
			return v, err
		}
		a.addr += a.size * uint64(n)
	}
	v = a.buf[0]
	a.buf = a.buf[1:]
	return v, nil
}
