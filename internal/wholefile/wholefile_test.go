package wholefile_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/udrm/udrm/internal/wholefile"
)

func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "report")
	for _, broken := range []error{nil, errors.New("interrupted")} {
		err := wholefile.Write(name, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "broken: %v", broken)
			return errors.Join(err, broken)
		})
		content, _ := os.ReadFile(name)
		fmt.Printf("%v, the file has %q\n", err, content)
	}
	// Output:
	// <nil>, the file has "broken: <nil>"
	// interrupted, the file has "broken: <nil>"
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// TestWrite writes a new file, an old one with another mode, and one behind a
// link. Nothing else is left in the directory.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	name, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.Symlink("file", link); err != nil {
		t.Fatal(err)
	}
	check := func(want string, mode os.FileMode) {
		t.Helper()
		content, err := os.ReadFile(name)
		info, statErr := os.Lstat(name)
		if err != nil || statErr != nil || string(content) != want || mode != 0 && info.Mode() != mode {
			t.Errorf("the file has %q, %v, %v; want %q", content, info, err, want)
		}
	}
	for _, s := range []string{"one", "another"} {
		if err := wholefile.Write(name, text(s)); err != nil {
			t.Fatal(err)
		}
		check(s, 0)
	}
	if err := os.Chmod(name, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := wholefile.Write(link, text("by the link")); err != nil {
		t.Fatal(err)
	}
	check("by the link", 0o640)
	if target, err := os.Readlink(link); err != nil || target != "file" {
		t.Errorf("the link is %q, %v", target, err)
	}
	if err := wholefile.Write(filepath.Join(dir, "none", "file"), text("")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in a directory that does not exist: %v", err)
	}
	if err := wholefile.Write("/dev/null", text("dropped")); err != nil {
		t.Error(err)
	}
	if err := wholefile.Write("/dev/full", text("too much")); err == nil {
		t.Error("/dev/full took it")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("files are left behind: %v, %v", entries, err)
	}
}
