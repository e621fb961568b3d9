package host

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// compatNames are the names of calls of 32-bit programs that do what a call of
// another name does, besides those that only have a suffix for their width.
var compatNames = map[string][]string{
	"bind":       {"bind", "socketcall"},
	"fstat":      {"fstat", "fstat64", "oldfstat"},
	"lseek":      {"lseek", "_llseek"},
	"lstat":      {"lstat", "lstat64", "oldlstat"},
	"mmap":       {"mmap", "mmap2"},
	"newfstatat": {"fstatat64"},
	"socket":     {"socket", "socketcall"},
	"stat":       {"stat", "stat64", "oldstat"},
}

// TestCompatTable checks that each call that is handed over is handed over from
// 32-bit programs, too, under each of its names there.
func TestCompatTable(t *testing.T) {
	numbers := syscallNumbers(t, "386")
	for _, call := range sysCalls {
		names := compatNames[call.name]
		if names == nil {
			for _, suffix := range []string{"", "32", "64", "_time64"} {
				if _, ok := numbers[call.name+suffix]; ok {
					names = append(names, call.name+suffix)
				}
			}
		}
		if len(names) == 0 {
			t.Errorf("%s: no such call in the table of 32-bit programs: add its name there to compatNames", call.name)
		}
		for _, name := range names {
			nr, ok := numbers[name]
			if !ok {
				t.Errorf("%s: 32-bit programs have no call %s", call.name, name)
			} else if compatHandlers[nr] == nil {
				t.Errorf("%s: call %d of 32-bit programs, %s, is not in compatCalls", call.name, nr, name)
			}
		}
	}

	// The numbers are those of the calls that do the same.
	ours := make(map[uint32]string)
	for name, nr := range syscallNumbers(t, "amd64") {
		ours[nr] = name
	}
	theirs := make(map[uint32]string)
	for name, nr := range numbers {
		theirs[nr] = name
	}
	for _, call := range compatCalls {
		name, like := theirs[call.nr], ours[call.like]
		if !slices.Contains(compatNames[like], name) && strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "32"), "64"), "_time") != like {
			t.Errorf("call %d of 32-bit programs is %s, and served as %s", call.nr, name, like)
		}
	}
	for like, nr := range compatNumbers {
		name, want := theirs[uint32(nr)], ours[uint32(like)]
		if !slices.Contains(compatNames[want], name) && strings.TrimSuffix(strings.TrimSuffix(name, "64"), "_time") != want {
			t.Errorf("a thread is made to run %s, but %s for 32-bit programs", want, name)
		}
	}
}

// syscallNumbers returns the system calls that x/sys knows, by name.
func syscallNumbers(t *testing.T, arch string) map[string]uint32 {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "golang.org/x/sys/unix").Output()
	if err != nil {
		t.Fatalf("go list golang.org/x/sys/unix: %v", err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "zsysnum_linux_"+arch+".go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	numbers := make(map[string]uint32)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		value, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		nr, err := strconv.ParseUint(value.Value, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		numbers[strings.ToLower(strings.TrimPrefix(spec.Names[0].Name, "SYS_"))] = uint32(nr)
		return true
	})
	if len(numbers) == 0 {
		t.Fatal("no system calls found")
	}
	return numbers
}
