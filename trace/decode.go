package trace

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// A decoder prints arguments by name. It keeps what it needs to know of one
// device.
type decoder struct {
	config     *kms.ModeConfig // nil for a device without a display
	properties map[uint32]*property
	modes      map[uint32]string // of the blobs that clients made, by id
}

func newDecoder(config *kms.ModeConfig) *decoder {
	return &decoder{config: config, properties: map[uint32]*property{}, modes: map[uint32]string{}}
}

// input writes the argument that the client sent, as a JSON object.
func (d *decoder) input(w *writer, a *argument) {
	w.open('{')
	defer w.close('}')
	l := a.layout
	if l == nil {
		w.bytes("bytes", a.in)
		return
	}
	for i := range l.in {
		f := &l.in[i]
		switch {
		case l.atomic && f.meaning.kind == address && strings.HasSuffix(f.Name, "_ptr"):
		case f.array >= 0 && a.arrays != nil && l.arrays[f.array].direction == fromClient && a.arrays[f.array].taken:
			d.array(w, f.Name, a, f.array)
		case l.sets != nil && f.Name == "value":
		default:
			d.field(w, f, a.in, nil)
		}
	}
	if l.atomic && a.arrays != nil {
		d.atomic(w, a)
	}
	if at := l.sets; at != nil {
		d.setting(w, uint32(number(a.in, at.property, 4)), number(a.in, at.value, 8))
	}
}

func findIn(fields []field, name string) *uapi.Field {
	for i := range fields {
		if fields[i].Name == name {
			return fields[i].Field
		}
	}
	panic("trace: no field " + name)
}

// output writes what the client got back: the fields that the request changed,
// and the arrays that it filled.
func (d *decoder) output(w *writer, a *argument, failed bool) {
	w.open('{')
	defer w.close('}')
	l := a.layout
	if l == nil {
		if string(a.in) != string(a.out) {
			w.bytes("bytes", a.out)
		}
		return
	}
	for i := range l.out {
		f := &l.out[i]
		if f.array >= 0 && a.arrays != nil && l.arrays[f.array].direction != fromClient && a.arrays[f.array].taken {
			d.array(w, f.Name, a, f.array)
			continue
		}
		d.field(w, f, a.out, a.in)
	}
	if l.modes && !failed {
		d.learn(a)
	}
}

// learn remembers the modes that clients put into blobs.
func (d *decoder) learn(a *argument) {
	switch a.layout.name {
	case "MODE_CREATEPROPBLOB":
		id := uint32(number(a.out, 12, 4))
		delete(d.modes, id)
		if len(a.arrays) == 1 && len(a.arrays[0].data) == modeLayout().Size {
			d.modes[id] = modeName(a.arrays[0].data)
		}
	case "MODE_DESTROYPROPBLOB":
		delete(d.modes, uint32(number(a.out, 0, 4)))
	}
}

// field writes one field of arg. With before, it does so only if the value
// differs from that before the request.
func (d *decoder) field(w *writer, f *field, arg, before []byte) {
	n := f.Size * max(f.Count, 1)
	if len(arg) < f.Offset+n {
		return // the client's struct is shorter
	}
	value := arg[f.Offset : f.Offset+n]
	if before != nil && len(before) >= f.Offset+n && string(value) == string(before[f.Offset:f.Offset+n]) {
		return
	}
	if f.meaning.kind == padding && isZero(value) {
		return
	}
	w.name(f.quoted)
	switch {
	case f.Kind == uapi.KindChar:
		w.string(unix.ByteSliceToString(value))
	case f.Count > 0:
		w.open('[')
		for ; len(value) > 0; value = value[f.Size:] {
			d.value(w, f, value[:f.Size])
		}
		w.close(']')
	default:
		d.value(w, f, value)
	}
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func (d *decoder) value(w *writer, f *field, value []byte) {
	switch f.Kind {
	case uapi.KindStruct:
		w.open('{')
		for i := range f.fields {
			d.field(w, &f.fields[i], value, nil)
		}
		w.close('}')
	case uapi.KindInt:
		w.int(signed(number(value, 0, f.Size), f.Size))
	default:
		d.number(w, f, number(value, 0, f.Size))
	}
}
