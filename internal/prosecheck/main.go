// Command prosecheck counts constructions in Go comments that plain English
// rarely has. It fails if one of them is more frequent than 1 in 1,000 comment
// lines; Go's standard library stays far below.
//
//	go run ./internal/prosecheck       # the counts
//	go run ./internal/prosecheck -v    # and where each of them is
//
// It reads the files that git tracks in the current directory and below, except
// generated ones and testdata. CONTRIBUTING.md explains the rules.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// limit is how many times per 1,000 comment lines a construction may occur.
const limit = 1.0

// A construction is a way to write that the rules advise against.
type construction struct {
	name    string
	pattern *regexp.Regexp
	found   []string // FILE:LINE: TEXT
}

func constructions() []*construction {
	list := []struct{ name, pattern string }{
		{"somebody, nobody, anybody, everybody, whoever", `\b(some|no|any|every)body\b|\b[Ww]hoever\b`},
		{"X is that … (as a doc comment)", `^[A-Za-z_]+ is that\b`},
		{"who … as a free relative clause", `([.;:,(] |\b(for|of|to|by|from|than|tells|wake|as) )[Ww]ho `},
		{"is none, are none", `\b(is|are) none\b`},
		{"of ours, of our making", `\bof ours\b|\bof our making\b`},
		{"that there is, which there is not", `\b(that|which) there (is|are)\b`},
		{"ahead of (for before)", `\bahead of\b`},
		{"to be had, can be had", `\bbe had\b`},
		{"in vain, by then", `\bin vain\b|\bby then\b`},
	}
	all := make([]*construction, len(list))
	for i, c := range list {
		all[i] = &construction{name: c.name, pattern: regexp.MustCompile(c.pattern)}
	}
	return all
}

func main() {
	verbose := flag.Bool("v", false, "list every place")
	flag.Parse()
	files, err := sources()
	if err == nil {
		err = report(files, *verbose)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "prosecheck:", err)
		os.Exit(1)
	}
}

// sources returns the names of the files to read.
func sources() (names []string, err error) {
	out, err := exec.Command("git", "ls-files", "*.go").Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	for name := range strings.FieldsSeq(string(out)) {
		if !strings.HasSuffix(name, "_gen.go") && !strings.Contains(name, "testdata/") && !strings.HasPrefix(name, "internal/prosecheck/") {
			names = append(names, name)
		}
	}
	return names, nil
}

// report prints the counts, and returns an error if one is above the limit.
func report(files []string, verbose bool) error {
	all := constructions()
	lines := 0
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		lines += search(all, name, source)
	}
	if lines == 0 {
		return fmt.Errorf("no comments found")
	}
	var tooMany []string
	for _, c := range all {
		rate := 1000 * float64(len(c.found)) / float64(lines)
		if rate > limit {
			tooMany = append(tooMany, c.name)
		}
		if verbose || rate > limit {
			fmt.Printf("%6.2f  %s\n", rate, c.name)
			for _, place := range c.found {
				fmt.Println("       ", place)
			}
		}
	}
	if tooMany != nil {
		return fmt.Errorf("more than %v per 1,000 of %d comment lines: %s; see CONTRIBUTING.md", limit, lines, strings.Join(tooMany, "; "))
	}
	return nil
}

// search adds what it finds in the comments of source, and returns how many
// lines these have.
func search(all []*construction, name string, source []byte) (lines int) {
	set := token.NewFileSet()
	file := set.AddFile(name, -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, scanner.ScanComments)
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return lines
		}
		if tok != token.COMMENT {
			continue
		}
		first := file.Line(pos)
		for i, line := range bytes.Split([]byte(text), []byte("\n")) {
			lines++
			line = bytes.TrimSpace(bytes.TrimLeft(bytes.TrimSpace(line), "/*"))
			for _, c := range all {
				for range c.pattern.FindAll(line, -1) {
					c.found = append(c.found, fmt.Sprintf("%s:%d: %s", name, first+i, line))
				}
			}
		}
	}
}
