package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// emitDescriptions writes the tables of describe.go: the same declarations
// again, as data.
func (m *model) emitDescriptions(b *bytes.Buffer) {
	sizes := m.sizes()
	for _, s := range m.structs {
		fmt.Fprintf(b, "var describe%s = Struct{Name: %q, Size: %d, Fields: []Field{\n", s.name, s.tag, sizes[s.name])
		offset := 0
		for _, f := range s.fields {
			count, elem := arrayType(f.typ)
			if f.name != "_" {
				fmt.Fprintf(b, "{Name: %q, Offset: %d, Size: %d, ", strings.TrimPrefix(f.c, s.c.prefix), offset, sizes[elem])
				if count > 0 {
					fmt.Fprintf(b, "Count: %d, ", count)
				}
				if kind := kindOf[elem]; kind != "" {
					fmt.Fprintf(b, "Kind: %s},\n", kind)
				} else {
					fmt.Fprintf(b, "Kind: KindStruct, Struct: &describe%s},\n", elem)
				}
			}
			offset += sizes[elem] * max(count, 1)
		}
		b.WriteString("}}\n\n")
	}

	b.WriteString("var describedStructs = []*Struct{\n")
	for _, s := range m.structs {
		fmt.Fprintf(b, "&describe%s,\n", s.name)
	}
	b.WriteString("}\n\nvar requests = []Request{\n")
	for _, c := range m.macros {
		if !isIoctl(c.name) {
			continue
		}
		fmt.Fprintf(b, "{Name: %q, Cmd: %s", strings.TrimPrefix(c.name, "DRM_IOCTL_"), goName(c.name))
		if types := m.argTypes(c.name); len(types) > 0 && kindOf[types[0]] == "" {
			fmt.Fprintf(b, ", In: &describe%s, Out: &describe%s", types[0], types[len(types)-1])
		}
		b.WriteString("},\n")
	}
	b.WriteString("}\n\nvar constants = []Constant{\n")
	m.emitNamedValues(b)
	b.WriteString("}\n")
}

// kindOf maps a Go type to the name of its Kind.
var kindOf = map[string]string{
	"byte": "KindChar", "uint8": "KindUint", "uint16": "KindUint", "uint32": "KindUint", "uint64": "KindUint",
	"int8": "KindInt", "int16": "KindInt", "int32": "KindInt", "int64": "KindInt",
}

var arrayPattern = regexp.MustCompile(`^\[(\d+)\](.*)$`)

// arrayType splits an array type; count is 0 for any other type.
func arrayType(typ string) (count int, elem string) {
	if a := arrayPattern.FindStringSubmatch(typ); a != nil {
		count, _ = strconv.Atoi(a[1])
		return count, a[2]
	}
	return 0, typ
}

// sizes returns the size of every type that a field can have.
func (m *model) sizes() map[string]int {
	sizes := map[string]int{
		"byte": 1, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8,
		"int8": 1, "int16": 2, "int32": 4, "int64": 8,
	}
	byName := map[string]goStruct{}
	for _, s := range m.structs {
		byName[s.name] = s
	}
	var size func(typ string) int
	size = func(typ string) int {
		if n, ok := sizes[typ]; ok {
			return n
		}
		n := 0
		for _, f := range byName[typ].fields {
			count, elem := arrayType(f.typ)
			n += size(elem) * max(count, 1)
		}
		sizes[typ] = n
		return n
	}
	for _, s := range m.structs {
		size(s.name)
	}
	return sizes
}
