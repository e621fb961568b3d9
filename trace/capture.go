package trace

import (
	"encoding/binary"
	"sync"

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
	in, out []byte             // nil: not known
	arrays  []capture          // nil: not known
	all     [maxArrays]capture // memory of arrays
	memory  memory             // of the copies
}

// maxArrays is the largest number of arrays of a request.
const maxArrays = 4

// memory is memory for the copies of one argument.
type memory struct {
	free []byte // of the last block
	used int    // in all blocks
	last []byte // block
}

const (
	leastBlock = 1 << 10
	keptBlock  = 1 << 14 // larger ones are not used again
)

// room returns n bytes.
func (m *memory) room(n int) []byte {
	if n > len(m.free) || m.free == nil {
		m.last = make([]byte, max(n, leastBlock, min(2*len(m.last), keptBlock)))
		m.free = m.last
	}
	m.used += n
	b := m.free[:n:n]
	m.free = m.free[n:]
	return b
}

// size returns the bytes that are kept, about.
func (m *memory) size() int { return m.used + len(m.free) }

// reset returns memory to use again for another argument.
func (m *memory) reset() memory {
	if len(m.last) > keptBlock {
		return memory{}
	}
	return memory{free: m.last, last: m.last}
}

// keep returns a copy of b.
func (m *memory) keep(b []byte) []byte {
	kept := m.room(len(b))
	copy(kept, b)
	return kept
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
	a.in = a.memory.keep(arg)
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
	a.arrays = a.all[:len(l.arrays)]
	var list wantedArrays
	for i := range l.arrays {
		if b := &l.arrays[i]; b.direction == fromClient {
			list[i] = a.wanted(b, b.countOf(a.in))
		}
	}
	a.readArrays(m, 0, list[:len(l.arrays)])
}

// captureOut copies the argument that the client gets back.
func (a *argument) captureOut(m drm.Memory, arg []byte, failed bool) {
	a.out = a.memory.keep(arg)
	if a.layout == nil || failed || a.in == nil || len(a.layout.arrays) == 0 {
		return
	}
	var list wantedArrays
	for i := range a.layout.arrays {
		b := &a.layout.arrays[i]
		room, count := b.countOf(a.in), b.countOf(a.out)
		switch b.direction {
		case toClientCut:
			list[i] = a.wanted(b, min(room, count))
		case toClient:
			if count <= room {
				list[i] = a.wanted(b, count)
			}
		}
	}
	a.readArrays(m, 0, list[:len(a.layout.arrays)])
}

func (b *boundArray) countOf(arg []byte) uint64 { return number(arg, b.countAt, b.countSize) }

// A wantedArray is an array to read, unless it has no bytes.
type wantedArray struct {
	addr, count uint64
	bytes       int
}

type wantedArrays [maxArrays]wantedArray

// wanted describes an array of count elements.
func (a *argument) wanted(b *boundArray, count uint64) wantedArray {
	return wantArray(number(a.in, b.addressAt, 8), count, b.element)
}

func wantArray(addr, count uint64, e element) wantedArray {
	if addr == 0 || count == 0 {
		return wantedArray{}
	}
	limit := uint64(maxElements)
	if e == text || e == blob {
		limit = maxBytes
	}
	return wantedArray{addr, count, int(min(count, limit)) * e.size()}
}

// together is how far apart arrays may be that are read at once. Reading memory
// of a client is what most of a trace costs.
const together = 4096

// readArrays copies arrays to a.arrays[first:], unless they have no bytes or
// cannot be read.
func (a *argument) readArrays(m drm.Memory, first int, list []wantedArray) {
	low, high, n, wraps := ^uint64(0), uint64(0), 0, false
	for i := range list {
		if w := &list[i]; w.bytes > 0 {
			end := w.addr + uint64(w.bytes)
			low, high, n, wraps = min(low, w.addr), max(high, end), n+1, wraps || end < w.addr
		}
	}
	if n > 1 && !wraps && high-low <= together {
		if all := a.memory.room(int(high - low)); m.CopyFromUser(all, low) == nil {
			for i := range list {
				if w := &list[i]; w.bytes > 0 {
					a.arrays[first+i] = capture{all[w.addr-low:][:w.bytes], w.count, true}
				}
			}
			return
		}
	}
	for i := range list {
		w := &list[i]
		if w.bytes == 0 {
			continue
		}
		if data := a.memory.room(w.bytes); m.CopyFromUser(data, w.addr) == nil {
			a.arrays[first+i] = capture{data, w.count, true}
		}
	}
}

func (a *argument) captureAtomic(m drm.Memory) {
	at := atomicAt()
	objects := number(a.in, at.objects, 4)
	a.arrays = a.all[:atomicArrays]
	a.readArrays(m, atomicObjects, []wantedArray{
		wantArray(number(a.in, at.objectsPtr, 8), objects, numbers32),
		wantArray(number(a.in, at.countsPtr, 8), objects, numbers32),
	})
	total := uint64(0)
	for counts := a.arrays[atomicCounts].data; len(counts) >= 4; counts = counts[4:] {
		total += uint64(binary.NativeEndian.Uint32(counts))
	}
	a.readArrays(m, atomicProperties, []wantedArray{
		wantArray(number(a.in, at.propertiesPtr, 8), total, numbers32),
		wantArray(number(a.in, at.valuesPtr, 8), total, numbers64),
	})
}

// atomicAt has the offsets of fields of MODE_ATOMIC.
var atomicAt = sync.OnceValue(func() (at struct{ objects, objectsPtr, countsPtr, propertiesPtr, valuesPtr int }) {
	s := uapi.LookupStruct("drm_mode_atomic")
	at.objects = findField(s, "count_objs").Offset
	at.objectsPtr = findField(s, "objs_ptr").Offset
	at.countsPtr = findField(s, "count_props_ptr").Offset
	at.propertiesPtr = findField(s, "props_ptr").Offset
	at.valuesPtr = findField(s, "prop_values_ptr").Offset
	return at
})

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
