package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strings"
)

// fileName is the name of a file in a comment, of a kind that this repository
// has. C files are the kernel's.
var fileName = regexp.MustCompile(`(?:[\w.-]+/)*[\w-][\w.-]*\.(?:go|md|pml|tsv)\b`)

// checkFiles returns the files that a comment names and the repository lacks.
func checkFiles(files repository, dir string, c *ast.Comment, at func(token.Pos) string) (broken []string) {
	for _, name := range fileName.FindAllString(c.Text, -1) {
		if !strings.HasPrefix(name, "_") && !files.names(dir, name) { // "_gen.go" is an ending
			broken = append(broken, fmt.Sprintf("%s: %s is not in the repository", at(c.Pos()), name))
		}
	}
	return broken
}
