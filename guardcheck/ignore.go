package guardcheck

import (
	"go/token"
	"strings"

	"golang.org/x/tools/go/analysis"
)

type fileLine struct {
	file string
	line int
}

func (c *checker) lineOf(pos token.Pos) fileLine { return lineOf(c.pass, pos) }

func lineOf(pass *analysis.Pass, pos token.Pos) fileLine {
	p := pass.Fset.Position(pos)
	return fileLine{p.Filename, p.Line}
}

// ignoredLines returns the lines of "//lint:ignore guardcheck REASON"
// comments and the lines that follow them. As with staticcheck, a comment
// without a reason has no effect.
func ignoredLines(pass *analysis.Pass) map[fileLine]bool {
	lines := make(map[fileLine]bool)
	for _, file := range pass.Files {
		for _, group := range file.Comments {
			for _, comment := range group.List {
				rest, ok := strings.CutPrefix(comment.Text, "//lint:ignore ")
				if !ok {
					continue
				}
				checks, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
				if strings.TrimSpace(reason) == "" || !strings.Contains(","+checks+",", ","+pass.Analyzer.Name+",") {
					continue
				}
				at := lineOf(pass, comment.Pos())
				lines[at] = true
				lines[fileLine{at.file, at.line + 1}] = true
			}
		}
	}
	return lines
}
