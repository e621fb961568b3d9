package main

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A macro is an object-like macro that was selected from an input.
type macro struct {
	name   string
	body   string // after the preprocessor joined its lines, not expanded
	header string // include name of the header that defines it
	value  uint64
}

// A probed holds the answers of the compiler.
type probed struct {
	macros  []macro                      // in the order of the headers, then of their lines
	structs []*dwarf.StructType          // named structs and unions, in the same order
	arg     map[string]dwarf.Type        // argument type by request macro; absent if it takes none
	enums   map[string]*dwarf.EnumType   // by name, those of the list
	digests map[string][sha256.Size]byte // of the inputs, by include name
}

// cflags are the flags that find the headers: libdrm-dev has the kernel's in a
// directory of their own.
var cflags = []string{"-std=gnu11", "-I/usr/include/libdrm"}

func includes() string {
	var b strings.Builder
	for _, name := range extraIncludes {
		fmt.Fprintf(&b, "#include <%s>\n", name)
	}
	for _, h := range headers {
		fmt.Fprintf(&b, "#include <%s>\n", h.include)
	}
	return b.String()
}

func probe(dir string) (*probed, error) {
	if err := os.WriteFile(filepath.Join(dir, "newer.h"), newerHeader, 0o666); err != nil {
		return nil, err
	}
	p := &probed{
		arg:     map[string]dwarf.Type{},
		enums:   map[string]*dwarf.EnumType{},
		digests: map[string][sha256.Size]byte{},
	}
	if err := p.listMacros(dir); err != nil {
		return nil, err
	}
	object, err := p.compile(dir)
	if err != nil {
		return nil, err
	}
	f, err := elf.Open(object)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := p.readValues(f); err != nil {
		return nil, err
	}
	return p, p.readTypes(f)
}

// gcc runs the compiler on source, in dir, and returns its output.
func gcc(dir, source string, args ...string) ([]byte, error) {
	if err := os.WriteFile(filepath.Join(dir, "probe.c"), []byte(source), 0o666); err != nil {
		return nil, err
	}
	cmd := exec.Command("gcc", append(append([]string{"-I" + dir}, cflags...), args...)...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("gcc is needed to read the headers: install the Debian package gcc: %w", err)
	}
	if err != nil {
		var need []string
		for _, h := range headers {
			if h.pkg != "" && !strings.Contains(strings.Join(need, " "), h.pkg) {
				need = append(need, h.pkg)
			}
		}
		return nil, fmt.Errorf("gcc: %w (if a header is missing, install the Debian packages %s)\n%s", err, strings.Join(need, ", "), stderr.Bytes())
	}
	return out, nil
}

var (
	lineMarker = regexp.MustCompile(`^# \d+ "([^"]*)"`)
	// A function-like macro has its parenthesis right after its name, and an
	// include guard has no body: neither matches.
	objectMacro = regexp.MustCompile(`^#define (\w+) (.*\S)\s*$`)
)

// listMacros returns the macros that the inputs define, from the preprocessor.
func (p *probed) listMacros(dir string) error {
	out, err := gcc(dir, includes(), "-E", "-dD", "probe.c")
	if err != nil {
		return err
	}
	found := map[string][]macro{} // by include name
	seen := map[string]bool{}
	var current *header
	sc := bufio.NewScanner(bytes.NewReader(out))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		if m := lineMarker.FindStringSubmatch(sc.Text()); m != nil {
			current = headerOf(m[1])
			if current != nil {
				if _, ok := p.digests[current.include]; !ok {
					text, err := os.ReadFile(m[1])
					if err != nil {
						return err
					}
					p.digests[current.include] = sha256.Sum256(text)
				}
			}
			continue
		}
		m := objectMacro.FindStringSubmatch(sc.Text())
		if m == nil || current == nil || seen[m[1]] {
			continue
		}
		if !current.macros.MatchString(m[1]) || current.except != nil && current.except.MatchString(m[1]) {
			continue
		}
		seen[m[1]] = true
		found[current.include] = append(found[current.include], macro{name: m[1], body: m[2], header: current.include})
	}
	for _, h := range headers {
		p.macros = append(p.macros, found[h.include]...)
	}
	return sc.Err()
}

// headerOf returns the input at path, or nil.
func headerOf(path string) *header {
	for i := range headers {
		if strings.HasSuffix("/"+path, "/"+headers[i].include) {
			return &headers[i]
		}
	}
	return nil
}

// compile compiles a C file in which every macro initialises a variable. It
// then redefines the macros that make request numbers, so that the declarations
// that follow have the type of each request's argument.
func (p *probed) compile(dir string) (object string, err error) {
	var b strings.Builder
	b.WriteString(includes())
	b.WriteString("_Static_assert(sizeof(long) == 8, \"package uapi describes the 64-bit ABI\");\n")
	b.WriteString("_Static_assert(_IOC_READ == 2 && _IOC_SIZEBITS == 14, \"package uapi has the generic request numbers\");\n")
	for _, m := range p.macros {
		fmt.Fprintf(&b, "_Static_assert((%[1]s) >= 0, \"%[1]s is negative\");\n", m.name)
		fmt.Fprintf(&b, "const unsigned long long value_%[1]s = %[1]s;\n", m.name)
	}
	for _, name := range []string{"_IOR", "_IOW", "_IOWR"} {
		fmt.Fprintf(&b, "#undef %[1]s\n#define %[1]s(type, nr, arg) ((arg *)0)\n", name)
	}
	b.WriteString("#undef _IO\n#define _IO(type, nr) ((void *)0)\n")
	for _, m := range p.macros {
		if isIoctl(m.name) {
			fmt.Fprintf(&b, "__typeof__(%[1]s) arg_%[1]s;\n", m.name)
		}
	}
	_, err = gcc(dir, b.String(), "-c", "-g", "-fno-eliminate-unused-debug-types", "-o", "probe.o", "probe.c")
	return filepath.Join(dir, "probe.o"), err
}

func isIoctl(name string) bool {
	return ioctlMacro.MatchString(name) && !ioctlBase.MatchString(name)
}

// readValues reads the variables that compile declared out of the data
// sections.
func (p *probed) readValues(f *elf.File) error {
	symbols, err := f.Symbols()
	if err != nil {
		return err
	}
	at := make(map[string]elf.Symbol, len(symbols))
	for _, s := range symbols {
		at[s.Name] = s
	}
	data := map[elf.SectionIndex][]byte{}
	for i := range p.macros {
		m := &p.macros[i]
		s, ok := at["value_"+m.name]
		if !ok || int(s.Section) >= len(f.Sections) {
			return fmt.Errorf("the object file has no value of %s", m.name)
		}
		if data[s.Section] == nil {
			if data[s.Section], err = f.Sections[s.Section].Data(); err != nil {
				return err
			}
		}
		m.value = f.ByteOrder.Uint64(data[s.Section][s.Value:])
	}
	return nil
}

// readTypes reads structs, enums and the requests' arguments out of the
// debugging information.
func (p *probed) readTypes(f *elf.File) error {
	d, err := f.DWARF()
	if err != nil {
		return err
	}
	type declared struct {
		line int64
		typ  *dwarf.StructType
	}
	structs := map[string][]declared{} // by include name
	var files []*dwarf.LineFile
	r := d.Reader()
	for {
		e, err := r.Next()
		if err != nil {
			return err
		}
		if e == nil {
			break
		}
		name, _ := e.Val(dwarf.AttrName).(string)
		switch e.Tag {
		case dwarf.TagCompileUnit:
			lines, err := d.LineReader(e)
			if err != nil {
				return err
			}
			files = lines.Files()
			continue
		case dwarf.TagStructType, dwarf.TagUnionType, dwarf.TagEnumerationType, dwarf.TagTypedef:
			decl, _ := e.Val(dwarf.AttrDeclFile).(int64)
			var h *header
			if decl > 0 && int(decl) < len(files) && files[decl] != nil {
				h = headerOf(files[decl].Name)
			}
			if name != "" && h != nil {
				t, err := d.Type(e.Offset)
				if err != nil {
					return err
				}
				switch t := t.(type) {
				case *dwarf.StructType:
					if h.structs && !removedStructs.MatchString(name) && !t.Incomplete {
						line, _ := e.Val(dwarf.AttrDeclLine).(int64)
						structs[h.include] = append(structs[h.include], declared{line, t})
					}
				case *dwarf.EnumType:
					p.enums[name] = t
				case *dwarf.TypedefType:
					if e, ok := t.Type.(*dwarf.EnumType); ok && e.EnumName == "" {
						p.enums[name] = e
					}
				}
			}
		case dwarf.TagVariable:
			if request, ok := strings.CutPrefix(name, "arg_"); ok {
				off, _ := e.Val(dwarf.AttrType).(dwarf.Offset)
				t, err := d.Type(off)
				if err != nil {
					return err
				}
				ptr, ok := t.(*dwarf.PtrType)
				if !ok {
					return fmt.Errorf("the argument of %s has type %v", request, t)
				}
				if _, void := ptr.Type.(*dwarf.VoidType); !void {
					p.arg[request] = ptr.Type
				}
			}
		}
		if e.Tag != dwarf.TagCompileUnit {
			r.SkipChildren()
		}
	}
	for _, h := range headers {
		slices.SortFunc(structs[h.include], func(a, b declared) int { return cmp.Compare(a.line, b.line) })
		for _, s := range structs[h.include] {
			if err := p.addStruct(s.typ); err != nil {
				return err
			}
		}
	}
	for _, e := range enums {
		if p.enums[e.name] == nil {
			return fmt.Errorf("no header declares enum %s", e.name)
		}
	}
	return nil
}

// addStruct adds t, or puts it in the place of the older struct that newer.h has
// replaced, under the name of that.
func (p *probed) addStruct(t *dwarf.StructType) error {
	older, ok := strings.CutPrefix(t.StructName, "newer_")
	if !ok {
		p.structs = append(p.structs, t)
		return nil
	}
	i := slices.IndexFunc(p.structs, func(s *dwarf.StructType) bool { return s.StructName == older })
	if i < 0 {
		return fmt.Errorf("newer.h replaces struct %s, which no header declares", older)
	}
	t.StructName = older // also in the arguments of requests, which share t
	p.structs[i] = t
	return nil
}

// isDecimal reports whether the header wrote the value in base ten, as people
// do for things that are counted or numbered.
func (m macro) isDecimal() bool {
	_, err := strconv.ParseUint(m.body, 10, 64)
	return err == nil && !(len(m.body) > 1 && m.body[0] == '0')
}
