package uapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"structs"
	"testing"
)

// TestHeaders makes the C compiler compare every size, offset, type and value
// of the Go declarations with the headers of this machine.
//
// The headers may be newer than those that the declarations come from. In newer
// headers a struct may have grown at its end, and with it the size in its
// request numbers, and there may be more flags. Everything else is ABI and must
// be the same.
func TestHeaders(t *testing.T) {
	same := sameHeaders(t)
	size, cmdMask := "==", uint32(0xffffffff)
	if !same {
		t.Log("the headers installed here are not those that the files were generated from: structs may be longer")
		size, cmdMask = ">=", ^uint32(iocSizeMask<<iocSizeShift)
	}

	var c strings.Builder
	c.WriteString(cIncludes)
	assert := func(what, format string, args ...any) {
		fmt.Fprintf(&c, "_Static_assert(%s, %q);\n", fmt.Sprintf(format, args...), what)
	}
	for _, s := range structTable {
		assert("size of "+s.typ.Name(), "sizeof(%s) %s %d", s.c, size, s.typ.Size())
		for i, f := range fieldsOf(s.typ) {
			what := s.typ.Name() + "." + f.Name
			value := fmt.Sprintf("((%s *)0)->%s", s.c, s.fields[i])
			assert("offset of "+what, "__builtin_offsetof(%s, %s) == %d", s.c, s.fields[i], f.Offset)
			if f.Type.Kind() != reflect.Struct { // those are in the table themselves
				assert("size of "+what, "sizeof(%s) == %d", value, f.Type.Size())
			}
			elem := f.Type
			if elem.Kind() == reflect.Array {
				elem, value = elem.Elem(), value+"[0]"
			}
			if elem.Kind() != reflect.Struct {
				assert("type of "+what, "_Generic(%s, signed char: 1, short: 1, int: 1, long: 1, long long: 1, default: 0) == %d",
					value, isSigned(elem.Kind()))
			}
		}
	}
	for _, r := range ioctlTable {
		assert("value of "+r.c, "(%s & %#x) == %#x", r.c, cmdMask, r.cmd&cmdMask)
	}
	for _, v := range constTable {
		mask := ^uint64(0)
		if !same && collective.MatchString(v.c) {
			mask = v.value
		}
		assert("value of "+v.c, "((unsigned long long)(%s) & %#xULL) == %#xULL", v.c, mask, v.value)
	}
	gcc(t, c.String(), "-fsyntax-only")
}

// collective matches constants for all flags of a kind, to which new ones are
// added.
var collective = regexp.MustCompile(`_(ALL|FLAGS|MASK)$`)

// fieldsOf returns the fields of a struct that have a name in C.
func fieldsOf(t reflect.Type) []reflect.StructField {
	var fields []reflect.StructField
	for _, f := range reflect.VisibleFields(t) {
		if f.Name != "_" {
			fields = append(fields, f)
		}
	}
	return fields
}

func isSigned(k reflect.Kind) int {
	switch k {
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return 1
	}
	return 0
}

// gcc runs the compiler on source, which can include newer.h.
func gcc(t *testing.T, source string, args ...string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "headers.c")
	if err := os.WriteFile(file, []byte(source), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("gcc", append(append([]string{"-Iinternal/gen"}, cFlags...), append(args, file)...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatal("this test needs a C compiler: install the Debian package gcc")
	}
	if err != nil {
		t.Fatalf("gcc: %v (if a header is missing, install the Debian packages libdrm-dev and linux-libc-dev)\n%s", err, stderr.Bytes())
	}
	return out
}

// sameHeaders reports whether the headers installed here are those that the
// declarations were generated from.
func sameHeaders(t *testing.T) bool {
	t.Helper()
	path := map[string]string{} // of each header, as the compiler found it
	for _, m := range regexp.MustCompile(`(?m)^# \d+ "([^"]*)"`).FindAllSubmatch(gcc(t, cIncludes, "-E"), -1) {
		for include := range headerDigests {
			if strings.HasSuffix(string(m[1]), "/"+include) {
				path[include] = string(m[1])
			}
		}
	}
	same := true
	for include, digest := range headerDigests {
		text, err := os.ReadFile(path[include])
		if err != nil {
			t.Fatalf("the compiler did not say where it found %s: %v", include, err)
		}
		if fmt.Sprintf("%x", sha256.Sum256(text)) != digest {
			same = false
		}
	}
	return same
}

// TestTablesComplete checks that the tables of the other tests have everything
// that the package exports.
func TestTablesComplete(t *testing.T) {
	types, consts := map[string]bool{}, map[string]bool{}
	for _, s := range structTable {
		types[s.typ.Name()] = true
		if got, want := len(fieldsOf(s.typ)), len(s.fields); got != want {
			t.Errorf("%v has %d fields, the table %d", s.typ, got, want)
		}
	}
	for _, r := range ioctlTable {
		consts[r.c] = true
	}
	for _, v := range constTable {
		consts[v.c] = true
	}

	for _, name := range []string{"ioctls_gen.go", "consts_gen.go", "structs_gen.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		ast.Inspect(f, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.ValueSpec:
				n++
				// The comment beside a constant starts with its C name.
				c := strings.FieldsFunc(node.Comment.Text(), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })[0]
				if !consts[c] {
					t.Errorf("%s: %s (%s) is in no table", name, node.Names[0], c)
				}
			case *ast.TypeSpec:
				n++
				if !types[node.Name.Name] {
					t.Errorf("%s: %s is in no table", name, node.Name)
				}
			}
			return true
		})
		if n == 0 {
			t.Errorf("%s declares nothing", name)
		}
	}
}

// TestDescriptions compares the descriptions with the Go declarations.
func TestDescriptions(t *testing.T) {
	if len(describedStructs) != len(structTable) {
		t.Fatalf("%d structs are described, want %d", len(describedStructs), len(structTable))
	}
	for i, s := range structTable {
		got, fields := describedStructs[i], fieldsOf(s.typ)
		if got.Size != int(s.typ.Size()) || len(got.Fields) != len(fields) {
			t.Errorf("%v: described with %d bytes, %d fields; want %d, %d", s.typ, got.Size, len(got.Fields), s.typ.Size(), len(fields))
			continue
		}
		for j, f := range fields {
			elem, count := f.Type, 0
			if elem.Kind() == reflect.Array {
				elem, count = elem.Elem(), f.Type.Len()
			}
			g := got.Fields[j]
			if g.Offset != int(f.Offset) || g.Size != int(elem.Size()) || g.Count != count || !strings.HasSuffix(s.fields[j], g.Name) {
				t.Errorf("%v.%s is described as %+v", s.typ, f.Name, g)
			}
			if (g.Kind == KindInt) != (isSigned(elem.Kind()) == 1) || (g.Kind == KindStruct) != (elem.Kind() == reflect.Struct) ||
				(g.Struct != nil) != (g.Kind == KindStruct) || g.Struct != nil && g.Struct.Size != g.Size {
				t.Errorf("%v.%s has kind %d", s.typ, f.Name, g.Kind)
			}
		}
	}
	for _, r := range ioctlTable {
		got := LookupRequest(r.cmd)
		if got == nil || got.Name != IoctlName(r.cmd) || got.In != nil && uint32(got.In.Size) != IOCSize(r.cmd) {
			t.Errorf("%s is described as %+v", r.c, got)
		}
	}
	if LookupStruct("drm_wait_vblank_reply").Fields[2].Name != "tval_sec" || LookupRequest(0x1234) != nil {
		t.Error("lookups find the wrong descriptions")
	}
}

// TestLayout checks what the compiler of another architecture relies on.
func TestLayout(t *testing.T) {
	for _, s := range structTable {
		// Without padding that is not spelled out, encoding/binary and memory
		// agree.
		if got, want := binary.Size(reflect.Zero(s.typ).Interface()), int(s.typ.Size()); got != want {
			t.Errorf("%v: encoding/binary writes %d bytes, memory has %d", s.typ, got, want)
		}
		if first := s.typ.Field(0).Type; first != reflect.TypeFor[structs.HostLayout]() {
			t.Errorf("%v starts with %v", s.typ, first)
		}
	}
}
