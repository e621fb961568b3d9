// Guardcheck reports misuse of DRM registration guards.
//
//	go vet -vettool=$(which guardcheck) ./...
//	guardcheck -fix ./...
//
// See package guardcheck for what it reports.
package main

import (
	"golang.org/x/tools/go/analysis/singlechecker"

	"github.com/udrm/udrm/guardcheck"
)

func main() { singlechecker.Main(guardcheck.Analyzer) }
