package config

import (
	_ "embed"
	"strings"
)

//go:embed doc.go
var docSource string

// Format returns the description of the file format: the main part of the
// documentation of this package, as plain text.
func Format() string {
	var text strings.Builder
	copying := false
	for line := range strings.Lines(docSource) {
		line = strings.TrimPrefix(strings.TrimPrefix(strings.TrimRight(line, "\n"), "//"), " ")
		switch {
		case strings.HasPrefix(line, "A file is YAML"):
			copying = true
		case strings.HasPrefix(line, "Start reading"):
			copying = false
		}
		if copying {
			line = strings.ReplaceAll(line, "as in [ParseMonitor]", "as in --monitor")
			text.WriteString(strings.ReplaceAll(line, "\t", "    ") + "\n")
		}
	}
	return strings.TrimSpace(text.String()) + "\n"
}
