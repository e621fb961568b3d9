package trace

import (
	"encoding/binary"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// Client memory is hostile: what is read of it is bounded, whatever the lengths
// in it say.
const (
	maxElements = 1024 // of an array
	maxBytes    = 4096 // of a text or blob
)

// An argument is a copy of the argument of a request and of the arrays that it
// points to, to be decoded later.
type argument struct {
	layout  *layout
	in, out []byte // nil: not known
	arrays  []capture
	spare   []byte // memory for copies
}

// keep returns a copy of b.
func (a *argument) keep(b []byte) []byte {
	if free := cap(a.spare) - len(a.spare); len(b) > free {
		return append([]byte{}, b...)
	}
	n := len(a.spare)
	a.spare = append(a.spare, b...)
	return a.spare[n:len(a.spare):len(a.spare)]
}

// A capture is a copy of an array.
type capture struct {
	data  []byte
	total uint64 // elements that the array has, of which data may hold fewer
	taken bool
}

// Arrays of MODE_ATOMIC.
const (
	atomicObjects = iota // ids
	atomicCounts         // of each object's properties
	atomicProperties
	atomicValues
	atomicArrays // number of arrays
)

// captureIn copies the argument that the client sent.
func (a *argument) captureIn(m drm.Memory, arg []byte) {
	a.in = a.keep(arg)
	l := a.layout
	if l == nil {
		return
	}
	if l.atomic {
		a.captureAtomic(m)
		return
	}
	if len(l.arrays) == 0 {
		return
	}
	a.arrays = make([]capture, len(l.arrays))
	for i := range l.arrays {
		if l.arrays[i].direction == fromClient {
			a.arrays[i] = l.arrays[i].read(m, a.in, l.arrays[i].countOf(a.in))
		}
	}
}

// captureOut copies the argument that the client gets back.
func (a *argument) captureOut(m drm.Memory, arg []byte, failed bool) {
	a.out = a.keep(arg)
	if a.layout == nil || failed || a.in == nil {
		return
	}
	for i := range a.layout.arrays {
		b := &a.layout.arrays[i]
		room, count := b.countOf(a.in), b.countOf(a.out)
		switch b.direction {
		case toClientCut:
			a.arrays[i] = b.read(m, a.in, min(room, count))
		case toClient:
			if count <= room {
				a.arrays[i] = b.read(m, a.in, count)
			}
		}
	}
}

func (b *boundArray) countOf(arg []byte) uint64 { return number(arg, b.countAt, b.countSize) }

// read copies the array of count elements.
func (b *boundArray) read(m drm.Memory, arg []byte, count uint64) capture {
	return readArray(m, number(arg, b.addressAt, 8), count, b.element)
}

func readArray(m drm.Memory, addr, count uint64, e element) capture {
	if addr == 0 || count == 0 {
		return capture{}
	}
	limit := uint64(maxElements)
	if e == text || e == blob {
		limit = maxBytes
	}
	data := make([]byte, min(count, limit)*uint64(e.size()))
	if m.CopyFromUser(data, addr) != nil {
		return capture{}
	}
	return capture{data, count, true}
}

func (a *argument) captureAtomic(m drm.Memory) {
	at := func(name string, size int) uint64 {
		return number(a.in, findField(atomicLayout, name).Offset, size)
	}
	objects := at("count_objs", 4)
	a.arrays = make([]capture, atomicArrays)
	a.arrays[atomicObjects] = readArray(m, at("objs_ptr", 8), objects, numbers32)
	a.arrays[atomicCounts] = readArray(m, at("count_props_ptr", 8), objects, numbers32)
	total := uint64(0)
	for counts := a.arrays[atomicCounts].data; len(counts) >= 4; counts = counts[4:] {
		total += uint64(binary.NativeEndian.Uint32(counts))
	}
	a.arrays[atomicProperties] = readArray(m, at("props_ptr", 8), total, numbers32)
	a.arrays[atomicValues] = readArray(m, at("prop_values_ptr", 8), total, numbers64)
}

var atomicLayout = uapi.LookupStruct("drm_mode_atomic")

// number reads the unsigned number of size bytes at offset, or 0 if arg ends
// before it.
func number(arg []byte, offset, size int) uint64 {
	if len(arg) < offset+size {
		return 0
	}
	b := arg[offset:]
	switch size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.NativeEndian.Uint16(b))
	case 4:
		return uint64(binary.NativeEndian.Uint32(b))
	}
	return binary.NativeEndian.Uint64(b)
}
