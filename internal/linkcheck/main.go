// Command linkcheck checks what the module's texts refer to:
//
//   - a doc link, such as [check] or [repository.has], leads to a declaration
//     (doclinks.go);
//   - a file that a comment names is in the repository (files.go);
//   - a relative link in a Markdown file leads to a file, and its fragment to a
//     heading there (markdown.go).
//
// It prints each broken reference and fails if there is one. Run it in the root
// of the module:
//
//	go run ./internal/linkcheck
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
)

func main() {
	broken, err := check()
	if err != nil {
		fmt.Fprintln(os.Stderr, "linkcheck:", err)
		os.Exit(1)
	}
	for _, b := range broken {
		fmt.Fprintln(os.Stderr, b)
	}
	if broken != nil {
		os.Exit(1)
	}
}

// check returns the broken references of the module in the current directory.
func check() (broken []string, err error) {
	files, err := tracked()
	if err != nil {
		return nil, err
	}
	markdown, err := checkMarkdown(files)
	if err != nil {
		return nil, err
	}
	comments, err := checkComments(files)
	broken = slices.Concat(markdown, comments)
	slices.Sort(broken)
	return slices.Compact(broken), err // a package and its test variant share files
}

// A repository is the set of files that git tracks, by their paths from the
// root.
type repository map[string]bool

func tracked() (repository, error) {
	out, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	files := make(repository)
	for name := range strings.FieldsSeq(string(out)) {
		files[name] = true
	}
	return files, nil
}

// has says whether name is a file or a directory.
func (r repository) has(name string) bool {
	if name == "." || r[name] {
		return true
	}
	for file := range r {
		if strings.HasPrefix(file, name+"/") {
			return true
		}
	}
	return false
}

// names says whether the text of a comment in dir can mean a file by name:
// relative to dir, relative to the root, or the last elements of a path.
func (r repository) names(dir, name string) bool {
	if r.has(path.Join(dir, name)) || r.has(path.Clean(name)) {
		return true
	}
	for file := range r {
		if strings.HasSuffix(file, "/"+name) {
			return true
		}
	}
	return false
}
