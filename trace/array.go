package trace

import (
	"fmt"
	"sync"

	"github.com/udrm/udrm/drm/uapi"
)

// array writes an array under the name of the field that is its address.
func (d *decoder) array(w *writer, name string, a *argument, i int) {
	c, e := &a.arrays[i], a.layout.arrays[i].element
	switch e {
	case propertyIDs:
		d.propertyList(w, &a.arrays[i], &a.arrays[i+1])
		return
	case propertyValues:
		return // with the ids
	case text:
		w.key(name)
		w.string(string(c.data))
		return
	case blob:
		w.blob(name, c)
		return
	}
	w.key(name)
	w.open('[')
	size := e.size()
	if a.layout.name == "MODE_GETPROPERTY" && e == numbers64 {
		w.propertyLimits(c.data, uint32(number(a.out, findIn(a.layout.out, "flags").Offset, 4)))
		w.cut(c, size)
		w.close(']')
		return
	}
	for data := c.data; len(data) >= size; data = data[size:] {
		switch e {
		case numbers16, numbers32, numbers64:
			w.uint(number(data, 0, size))
		case formats:
			w.format(uint32(number(data, 0, size)))
		default:
			w.layout(d, e, data[:size])
		}
	}
	w.cut(c, size)
	w.close(']')
}

// propertyLimits writes the values of MODE_GETPROPERTY, whose meaning depends
// on the flags of the property.
func (w *writer) propertyLimits(data []byte, flags uint32) {
	for ; len(data) >= 8; data = data[8:] {
		v := number(data, 0, 8)
		name, isObject := objectNames[uint32(v)]
		switch extended := flags & uapi.ModePropExtendedType; {
		case extended == uapi.ModePropSignedRange:
			w.int(int64(v))
		case extended == uapi.ModePropObject && isObject:
			w.string(name)
		default:
			w.uint(v)
		}
	}
}

// cut notes the elements that an array has but the trace does not.
func (w *writer) cut(c *capture, size int) {
	if rest := c.total - uint64(len(c.data)/size); rest > 0 {
		w.string(fmt.Sprintf("… %d more", rest))
	}
}

// layout writes an element that is a struct; a mode by its name.
func (w *writer) layout(d *decoder, e element, data []byte) {
	if e == modes {
		w.separate()
		w.b = append(w.b, '"')
		w.b = append(appendMode(w.b, data), '"')
		return
	}
	fields := elementFields()[e]
	w.open('{')
	for i := range fields {
		d.field(w, &fields[i], data, nil)
	}
	w.close('}')
}

var elementFields = sync.OnceValue(func() map[element][]field {
	return map[element][]field{
		clips: fieldsOf(clipLayout(), "", nil),
		enums: fieldsOf(enumLayout(), "", nil),

		fences: fieldsOf(fenceLayout(), "", nil),
		modes:  fieldsOf(modeLayout(), "", nil),
	}
})
