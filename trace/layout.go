package trace

import (
	"strings"
	"sync"

	"github.com/udrm/udrm/drm/uapi"
)

// A layout describes the argument of a request.
type layout struct {
	name    string // of the request
	in, out []field
	arrays  []boundArray
	atomic  bool
	sets    *setsAt // it sets one property; nil: it does not
	modes   bool    // it makes or removes blobs, which may be modes
}

// setsAt has the offsets of the fields prop_id and value.
type setsAt struct{ property, value int }

// A field is a field of an argument with its meaning.
type field struct {
	*uapi.Field
	quoted  string // the name as a JSON key, with its colon
	meaning meaning
	names   nameSet
	array   int // index of the array whose address the field is, or -1
	fields  []field
}

// A boundArray is an array whose fields have been found.
type boundArray struct {
	array
	addressAt, countAt, countSize int
}

// layouts holds the layouts of all requests by type and number.
var layouts = sync.OnceValue(func() map[uint32]*layout {
	all := map[uint32]*layout{}
	for r := range uapi.Requests() {
		all[r.Cmd&0xffff] = newLayout(r)
	}
	return all
})

func layoutOf(cmd uint32) *layout { return layouts()[cmd&0xffff] }

func newLayout(r *uapi.Request) *layout {
	l := &layout{name: r.Name, atomic: r.Cmd == uapi.IoctlModeAtomic}
	l.modes = r.Cmd == uapi.IoctlModeCreatePropBlob || r.Cmd == uapi.IoctlModeDestroyPropBlob
	if r.Cmd == uapi.IoctlModeObjSetProperty || r.Cmd == uapi.IoctlModeSetProperty {
		l.sets = &setsAt{findField(r.In, "prop_id").Offset, findField(r.In, "value").Offset}
	}
	if r.In == nil {
		if scalar := scalarArguments[r.Name]; scalar != nil {
			l.in = fieldsOf(scalar, r.Name, nil)
			l.out = l.in
		}
		return l
	}
	for _, a := range arraysOf[r.Name] {
		address, count := findField(r.In, a.address), findField(r.In, a.count)
		l.arrays = append(l.arrays, boundArray{a, address.Offset, count.Offset, count.Size})
	}
	l.in, l.out = fieldsOf(r.In, r.Name, l.arrays), fieldsOf(r.Out, r.Name, l.arrays)
	return l
}

func findField(s *uapi.Struct, name string) *uapi.Field {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return &s.Fields[i]
		}
	}
	panic("trace: struct " + s.Name + " has no field " + name)
}

// fieldsOf returns the fields of a struct with their meanings, without padding.
func fieldsOf(s *uapi.Struct, request string, arrays []boundArray) []field {
	var fields []field
	for i := range s.Fields {
		f := field{Field: &s.Fields[i], array: -1}
		f.quoted = `"` + f.Name + `":`
		if f.Name == "pad" || f.Name == "reserved" {
			f.meaning.kind = padding
		}
		for _, key := range []string{f.Name, s.Name + "." + f.Name, request + "." + f.Name} {
			if m, ok := meanings[key]; ok {
				f.meaning = m
			}
		}
		if strings.HasSuffix(f.Name, "_ptr") {
			f.meaning.kind = address
		}
		for n, a := range arrays {
			if a.address == f.Name {
				f.meaning, f.array = meaning{kind: address}, n
			}
		}
		if f.meaning.prefix != "" {
			f.names = namesOf(&f.meaning)
		}
		if f.Struct != nil {
			f.fields = fieldsOf(f.Struct, "", nil)
		}
		fields = append(fields, f)
	}
	return fields
}

// scalarArguments describes the arguments that are a number, not a struct.
var scalarArguments = map[string]*uapi.Struct{
	"MODE_RMFB": {Size: 4, Fields: []uapi.Field{{Name: "fb_id", Size: 4}}},
}
