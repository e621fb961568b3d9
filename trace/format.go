package trace

import (
	_ "embed"
	"strings"
)

//go:embed doc.go
var docSource string

// Format returns the description of the format of traces: the main part of the
// documentation of this package, as plain text.
func Format() string {
	_, text, _ := strings.Cut(docSource, "// # Format\n//\n")
	text, _, _ = strings.Cut(text, "// # Lock order\n")
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimPrefix(line, "//"), " ")
		b.WriteString(strings.ReplaceAll(strings.TrimPrefix(line, "# "), "\t", "    "))
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
