package main

import (
	"cmp"
	"debug/dwarf"
	"fmt"
	"slices"
	"strings"
)

// A model is the content of the generated files, in terms of Go.
type model struct {
	*probed
	structs []goStruct
	names   map[string]string // C name by Go name of all that is exported: no two may share one
}

type goStruct struct {
	name   string
	tag    string // in C, "" for a struct without a name
	c      cPath
	doc    string
	fields []goField
}

type goField struct {
	name    string // "_" for padding
	c       string // from the root of the struct's path
	typ     string
	comment string
}

// A cPath locates a struct in C: root is a type, prefix the path from there to
// the struct's fields ("union drm_wait_vblank", "request.").
type cPath struct{ root, prefix string }

func (c cPath) String() string { return strings.TrimSuffix(c.root+" "+c.prefix, " ") }

func newModel(p *probed) (*model, error) {
	m := &model{probed: p, names: map[string]string{}}
	inUnion := map[string]bool{} // names of structs
	for _, t := range p.structs {
		if t.Kind == "union" {
			for _, name := range argStructs(t) {
				inUnion[name] = true
			}
		}
	}
	for _, t := range p.structs {
		switch {
		case t.Kind == "union":
			// A struct for each member, as long as the union.
			for _, f := range t.Field {
				s, ok := f.Type.(*dwarf.StructType)
				if !ok || s.StructName == "" {
					return nil, fmt.Errorf("union %s has the member %s, which is no struct with a name", t.StructName, f.Name)
				}
				c := cPath{"union " + t.StructName, f.Name + "."}
				doc := fmt.Sprintf("struct %s in union %s", s.StructName, t.StructName)
				if err := m.addStruct(s, t.ByteSize, goName(s.StructName), c, m.structDoc(doc, s.StructName)); err != nil {
					return nil, err
				}
			}
		case !inUnion[t.StructName]:
			c := cPath{"struct " + t.StructName, ""}
			if err := m.addStruct(t, t.ByteSize, goName(t.StructName), c, m.structDoc(c.root, t.StructName)); err != nil {
				return nil, err
			}
		}
	}
	for _, c := range p.macros {
		if err := m.claim(goName(c.name), c.name); err != nil {
			return nil, err
		}
	}
	for _, e := range enums {
		for _, v := range p.enums[e.name].Val {
			if err := m.claim(goName(v.Name), v.Name); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

func (m *model) claim(name, c string) error {
	if other, ok := m.names[name]; ok {
		return fmt.Errorf("both %s and %s would be called %s", other, c, name)
	}
	m.names[name] = c
	return nil
}

// structDoc returns the doc comment of the struct that is c in C and name in
// the arguments of requests.
func (m *model) structDoc(c, name string) string {
	doc := "is " + c
	var requests []string
	for _, c := range m.macros {
		if slices.Contains(argStructs(m.arg[c.name]), name) {
			requests = append(requests, c.name)
		}
	}
	switch n := len(requests); n {
	case 0:
		return doc + "."
	case 1:
		return doc + ",\n// the argument of " + requests[0] + "."
	default:
		return doc + ",\n// the argument of " + strings.Join(requests[:n-1], ", ") + " and " + requests[n-1] + "."
	}
}

// argStructs returns the names of the structs that t can be: for a union, all
// its members.
func argStructs(t dwarf.Type) []string {
	s, ok := t.(*dwarf.StructType)
	if !ok {
		return nil
	}
	if s.Kind != "union" {
		return []string{s.StructName}
	}
	var names []string
	for _, f := range s.Field {
		names = append(names, argStructs(f.Type)...)
	}
	return names
}

// addStruct adds t, padded to size bytes, and the unnamed structs in it.
func (m *model) addStruct(t *dwarf.StructType, size int64, name string, c cPath, doc string) error {
	if err := m.claim(name, c.String()); err != nil {
		return err
	}
	s := goStruct{name: name, tag: t.StructName, c: c, doc: name + " " + doc}
	var end int64
	pad := func(to int64) {
		if n := to - end; n > 0 {
			s.fields = append(s.fields, goField{name: "_", typ: fmt.Sprintf("[%d]byte", n)})
		}
	}
	at := len(m.structs)
	for _, f := range t.Field {
		if f.BitSize != 0 {
			return fmt.Errorf("%s.%s is a bit field", c, f.Name)
		}
		pad(f.ByteOffset)
		field := f.Name
		typ := f.Type
		if u, ok := typ.(*dwarf.StructType); ok && u.Kind == "union" {
			// The largest member stands for all of them.
			member := slices.MaxFunc(u.Field, func(a, b *dwarf.StructField) int {
				return cmp.Compare(a.Type.Size(), b.Type.Size())
			})
			typ = member.Type
			if field == "" {
				field = member.Name
			} else {
				field += "." + member.Name
			}
		}
		if field == "" {
			return fmt.Errorf("%s has a field without a name", c)
		}
		g := goField{name: goName(f.Name), c: c.prefix + field}
		if f.Name == "" {
			g.name = goName(field)
		}
		var err error
		inner := func(t *dwarf.StructType, elem string) (string, error) {
			inner := name + g.name
			return inner, m.addStruct(t, t.ByteSize, inner,
				cPath{fmt.Sprintf("__typeof__(((%s *)0)->%s%s)", c.root, g.c, elem), ""},
				fmt.Sprintf("is what %s in %s holds.", g.c, c.root))
		}
		if g.typ, g.comment, err = goType(typ, inner); err != nil {
			return fmt.Errorf("%s.%s: %w", c, f.Name, err)
		}
		s.fields = append(s.fields, g)
		end = f.ByteOffset + typ.Size()
	}
	pad(size)
	m.structs = slices.Insert(m.structs, at, s) // before the structs nested in it
	return nil
}

// goType returns the Go type of t, and a comment where C has more information.
// nested names an unnamed struct; elem is the C index of its elements if t is
// an array.
func goType(t dwarf.Type, nested func(t *dwarf.StructType, elem string) (string, error)) (typ, comment string, err error) {
	switch t := t.(type) {
	case *dwarf.TypedefType:
		return goType(t.Type, nested)
	case *dwarf.QualType:
		return goType(t.Type, nested)
	case *dwarf.PtrType:
		if _, void := t.Type.(*dwarf.VoidType); void {
			return "uint64", "user address", nil
		}
		return "uint64", "user address of " + t.Type.String(), nil
	case *dwarf.EnumType:
		if t.ByteSize != 4 {
			return "", "", fmt.Errorf("an enum of %d bytes", t.ByteSize)
		}
		if t.EnumName == "" {
			return "uint32", "", nil
		}
		return "uint32", "enum " + t.EnumName, nil
	case *dwarf.CharType:
		if t.Name == "char" {
			return "byte", "", nil
		}
		return "int8", "", nil
	case *dwarf.UcharType:
		if t.Name == "char" { // whether it has a sign depends on the architecture
			return "byte", "", nil
		}
		return "uint8", "", nil
	case *dwarf.IntType:
		return fmt.Sprintf("int%d", 8*t.ByteSize), "", nil
	case *dwarf.UintType:
		return fmt.Sprintf("uint%d", 8*t.ByteSize), "", nil
	case *dwarf.ArrayType:
		if t.Count <= 0 {
			return "", "", fmt.Errorf("an array without a length")
		}
		elem, comment, err := goType(t.Type, func(t *dwarf.StructType, elem string) (string, error) {
			return nested(t, "[0]"+elem)
		})
		return fmt.Sprintf("[%d]%s", t.Count, elem), comment, err
	case *dwarf.StructType:
		if t.StructName != "" {
			return goName(t.StructName), "", nil
		}
		name, err := nested(t, "")
		return name, "", err
	}
	return "", "", fmt.Errorf("no Go type for %v (%T)", t, t)
}
