package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// vet runs go vet with the command built from here over packages of the
// module.
func vet(t *testing.T, packages ...string) (output string, failed bool) {
	t.Helper()
	tool := filepath.Join(t.TempDir(), "guardcheck")
	if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command("go", append([]string{"vet", "-vettool=" + tool}, packages...)...)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), err != nil
}

func TestVettool(t *testing.T) {
	if out, failed := vet(t, "./guardcheck/testdata/inside", "./guardcheck/testdata/tested"); !failed ||
		strings.Contains(out, "inside.go") || !strings.Contains(out, "tested_test.go") {
		t.Errorf("go vet of packages whose tests alone have mistakes, failed %t:\n%s", failed, out)
	}
	if out, failed := vet(t, "./guardcheck/testdata/leak"); !failed || !strings.Contains(out, "guard is not exited on any path") {
		t.Errorf("go vet of a package with mistakes, failed %t:\n%s", failed, out)
	}
}

func TestModuleIsClean(t *testing.T) {
	if out, failed := vet(t, "./..."); failed {
		t.Errorf("guardcheck on this module:\n%s", out)
	}
}
