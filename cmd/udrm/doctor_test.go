package main

import (
	"strings"
	"testing"
)

func TestDoctor(t *testing.T) {
	r := run(t, "doctor")
	if r.exit != 0 || !strings.HasSuffix(r.stdout, "This machine can run udrm.\n") || strings.Contains(r.stdout, "FAILED") {
		t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}

// Under udrm there is another listener in the way already: a second one cannot
// be had, and doctor says so.
func TestDoctorNamesAnotherListener(t *testing.T) {
	r := run(t, "run", "--", udrm, "doctor")
	if r.exit != 1 || !strings.Contains(r.stdout, "FAILED") || !strings.Contains(r.stdout, "listener") {
		t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}

// The demo checks itself.
func TestDemo(t *testing.T) {
	r := run(t, "demo", "--dir", t.TempDir())
	if r.exit != 0 || strings.Contains(r.stdout, "FAILED") || strings.Count(r.stdout, "  ok  ") < 10 {
		t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}
