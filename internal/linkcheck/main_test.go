package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

var module = map[string]string{
	"go.mod": "module example.org/m\n\ngo 1.26\n",
	"README.md": "# One heading: `code`\n[good](sub/a.go) [good](#one-heading-code) [bad](b.go) [bad](sub/c.md#none)\n" +
		"[good](https://example.org/x) [good](sub)\n```\n[code](nothing)\n```\n",
	"sub/c.md": "## Some\n",
	"sub/a.go": `// Package sub has links: [T], [T.M], [*T], [T.f], [os.File], [os.File.Close], [U].
//
//	[code] is not a link
package sub

import "os"

// T is declared in a.go, not in b.go; vkms_drv.c is a file of the kernel.
type T struct {
	// f is not [T.g].
	f int
}

// M says [error], but not [os.Nothing] nor [encoding/json].
func (T) M(*os.File) {
	// This is no documentation: [nothing].
}
`,
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	for name, text := range module {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	if out, err := exec.Command("git", "init").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := check()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"README.md: link to b.go: no such file",
		"README.md: link to sub/c.md#none: no such heading",
		"sub/a.go:10: [T.g] is not declared",
		"sub/a.go:14: [os.Nothing] is not declared",
		"sub/a.go:1: [U] is not declared",
		"sub/a.go:8: b.go is not in the repository",
	}
	if !slices.Equal(got, want) {
		t.Errorf("broken: %q\nwant: %q", got, want)
	}
}
