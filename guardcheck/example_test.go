package guardcheck_test

import (
	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/udrm/udrm/guardcheck"
)

// A program for go vet -vettool runs the analyzer, alone or with others.
func Example() {
	unitchecker.Main(guardcheck.Analyzer)
}
