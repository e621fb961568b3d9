package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryPackageHasAnExample checks that go doc has an example to show for each
// package that others can import.
func TestEveryPackageHasAnExample(t *testing.T) {
	example := regexp.MustCompile(`(?m)^func Example\w*\(\) \{`)
	for line := range strings.Lines(run(t, "..", "go", "list", "-f", "{{.Name}} {{.Dir}}", "./...")) {
		name, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "main" || name == "docs" || strings.Contains(dir, "/internal/") || strings.Contains(dir, "/examples/") {
			continue
		}
		tests, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range tests {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found = found || example.Match(source)
		}
		if !found {
			t.Errorf("package %s has no example", name)
		}
	}
}
