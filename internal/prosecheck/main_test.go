package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestSearch(t *testing.T) {
	const source = `package p

// atomicActive is that a CRTC can rest.
var a = "nobody looks into strings" // nor anybody here

/* A file of ours, and of our making;
   who waits for it waits in vain. */
func f() {}
`
	all := constructions()
	if lines := search(all, "p.go", []byte(source)); lines != 4 {
		t.Errorf("%d comment lines, want 4", lines)
	}
	var got []string
	for _, c := range all {
		for _, place := range c.found {
			where, _, _ := strings.Cut(place, ": ")
			got = append(got, fmt.Sprintf("%s %s", where, c.name))
		}
	}
	want := []string{
		"p.go:4 somebody, nobody, anybody, everybody, whoever",
		"p.go:3 X is that … (as a doc comment)",
		"p.go:6 of ours, of our making",
		"p.go:6 of ours, of our making",
		"p.go:7 in vain, by then",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestReport(t *testing.T) {
	if err := report(nil, false); err == nil {
		t.Error("no files, and no error")
	}
}
