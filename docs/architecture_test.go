package docs

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestArchitecture checks that the layers of architecture.md are those of the
// code: each public package is drawn, each arrow is an import, and each import
// is an arrow or follows from some, down the picture.
func TestArchitecture(t *testing.T) {
	text, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	node := make(map[string]string) // the node of a package
	var order []string              // the nodes, from top to bottom
	for _, m := range regexp.MustCompile(`(?m)^  (\w+)\[(.*?)<br>`).FindAllStringSubmatch(string(text), -1) {
		order = append(order, m[1])
		for pkg := range strings.SplitSeq(m[2], ", ") {
			node[pkg] = m[1]
		}
	}
	below := make(map[string][]string) // the targets of the arrows of a node
	for _, m := range regexp.MustCompile(`(?m)^  (\w+) --> (\w+)$`).FindAllStringSubmatch(string(text), -1) {
		below[m[1]] = append(below[m[1]], m[2])
		if from, to := slices.Index(order, m[1]), slices.Index(order, m[2]); from < 0 || from >= to {
			t.Errorf("the arrow from %s to %s does not point down", m[1], m[2])
		}
	}
	var leads func(from, to string) bool
	leads = func(from, to string) bool {
		return slices.ContainsFunc(below[from], func(next string) bool { return next == to || leads(next, to) })
	}

	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "../...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	const module = "github.com/udrm/udrm/"
	imported := make(map[[2]string]bool) // arrows that imports make
	listed := make(map[string]bool)
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], module)
		listed[pkg] = true
		from := node[pkg]
		if from == "" {
			if !regexp.MustCompile(`(^|/)internal/|^(examples|guardcheck|cmd/guardcheck|docs)(/|$)`).MatchString(pkg) {
				t.Errorf("%s is not drawn", pkg)
			}
			continue
		}
		for _, path := range fields[1:] {
			if to := node[strings.TrimPrefix(path, module)]; to != "" && to != from {
				imported[[2]string{from, to}] = true
				if !leads(from, to) {
					t.Errorf("%s imports %s, and no arrow leads from %s to %s", pkg, path, from, to)
				}
			}
		}
	}
	for pkg := range node {
		if !listed[pkg] {
			t.Errorf("there is no package %s", pkg)
		}
	}
	for from, all := range below {
		for _, to := range all {
			if !imported[[2]string{from, to}] {
				t.Errorf("the arrow from %s to %s is not an import", from, to)
			}
		}
	}
}
