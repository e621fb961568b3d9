package uapi

import (
	"iter"
	"slices"
	"strings"

	"github.com/udrm/udrm/internal/misspelt"
)

// A Kind is the kind of value that a field holds.
type Kind uint8

const (
	KindUint   Kind = iota
	KindInt         // signed
	KindChar        // a byte of text
	KindStruct      // see Field.Struct
)

// A Struct describes a struct of the headers, for programs that print
// arguments by name.
type Struct struct {
	Name   string // in C, without "struct"; empty for a struct without a name
	Size   int
	Fields []Field // without padding
}

// A Field describes a field of a [Struct].
type Field struct {
	Name   string // in C
	Offset int
	Size   int // of the field or, for an array, of an element
	Count  int // elements of an array; 0 if the field is not an array
	Kind   Kind
	Struct *Struct // of KindStruct
}

// LookupStruct returns the struct of that C name, or nil.
func LookupStruct(name string) *Struct {
	for _, s := range describedStructs {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// A Request describes a request.
type Request struct {
	Name string // as [IoctlName] returns it
	Cmd  uint32 // with the size and direction of these headers
	// In and Out describe the argument before and after the request. They
	// differ for unions only, and are nil if the argument is not a struct.
	In, Out *Struct
}

// LookupRequest returns the request that has the type and number of cmd, or
// nil.
func LookupRequest(cmd uint32) *Request {
	i := slices.IndexFunc(requests, func(r Request) bool { return (r.Cmd^cmd)&iocTypeNrMask == 0 })
	if i < 0 {
		return nil
	}
	return &requests[i]
}

// Requests returns all requests, in the order of the headers.
func Requests() iter.Seq[*Request] {
	return func(yield func(*Request) bool) {
		for i := range requests {
			if !yield(&requests[i]) {
				return
			}
		}
	}
}

// FindRequest returns the request of that name: MODE_ADDFB2, ADDFB2 or
// DRM_IOCTL_MODE_ADDFB2. If there is none, near has the names that are like it.
func FindRequest(name string) (r *Request, near []string) {
	short := strings.TrimPrefix(name, "DRM_IOCTL_")
	for _, want := range []string{short, "MODE_" + short} {
		for i := range requests {
			if requests[i].Name == want {
				return &requests[i], nil
			}
		}
	}
	if len(short) > misspelt.MaxLength {
		return nil, nil
	}
	upper, best := strings.ToUpper(short), maxDistance
	for i := range requests {
		name := requests[i].Name
		if len(short) > 2 && strings.Contains(name, upper) {
			near = append(near, name)
		}
		best = min(best, distance(upper, name))
	}
	if near == nil && len(short) > 2*maxDistance {
		for i := range requests {
			if distance(upper, requests[i].Name) == best {
				near = append(near, requests[i].Name)
			}
		}
	}
	slices.Sort(near)
	return nil, near[:min(len(near), maxNear)]
}

// distance returns how far a word is from a name, with or without MODE_.
func distance(word, name string) int {
	return min(misspelt.Distance(word, name), misspelt.Distance("MODE_"+word, name))
}

// maxDistance is how many letters of a misspelt name may be wrong.
const maxDistance = 2

// maxNear is how many names FindRequest returns at most.
const maxNear = 9

// A Constant is a constant of the headers that is not a request number.
type Constant struct {
	Name  string // in C
	Value uint64
}

// Constants returns all constants, in the order of the headers.
func Constants() iter.Seq[Constant] { return slices.Values(constants) }
