package guardcheck_test

import (
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/udrm/udrm/guardcheck"
)

const module = "github.com/udrm/udrm"

// The golden packages are compiled against the real packages drm and bus, as
// packages of this module: a changed signature there breaks them.
const (
	moduleRoot = ".."
	golden     = "./guardcheck/testdata/"
)

func TestAnalyzer(t *testing.T) {
	if err := analysis.Validate([]*analysis.Analyzer{guardcheck.Analyzer}); err != nil {
		t.Fatal(err)
	}
	analysistest.Run(t, moduleRoot, guardcheck.Analyzer,
		// What is reported.
		golden+"unused", golden+"leak", golden+"twice", golden+"afterexit", golden+"escape", golden+"closing", golden+"copies",
		// What is not.
		golden+"inside", golden+"programs", golden+"tested", golden+"ignored",
	)
}

func TestFixes(t *testing.T) {
	analysistest.RunWithSuggestedFixes(t, moduleRoot, guardcheck.Analyzer, golden+"fixed")
}

// The analyzer's dependencies must not become those of the library.
func TestCoreDoesNotDependOnTools(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}",
		"./srcu/...", "./devres/...", "./bus/...", "./drm/...")
	cmd.Dir = moduleRoot
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(out)) {
		if !strings.HasPrefix(path, module+"/") && !strings.HasPrefix(path, "golang.org/x/sys/") || strings.HasPrefix(path, module+"/guardcheck") {
			t.Errorf("the core depends on %s", path)
		}
	}
}
