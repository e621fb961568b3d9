package main

import (
	"strings"
	"testing"
)

func TestDoctor(t *testing.T) {
	r := run(t, "doctor")
	if r.exit != 0 || !strings.HasSuffix(r.stdout, "udrm can run on this machine.\n") || strings.Contains(r.stdout, "FAILED") {
		t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}

// TestDoctorNamesAnotherListener runs doctor under udrm, where the kernel
// allows no second listener.
func TestDoctorNamesAnotherListener(t *testing.T) {
	r := run(t, "run", "--", udrm, "doctor")
	if r.exit != 1 || !strings.Contains(r.stdout, "FAILED") || !strings.Contains(r.stdout, "listener") {
		t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}

// TestDemo runs the demo, which checks itself.
func TestDemo(t *testing.T) {
	r := run(t, "demo", "--dir", t.TempDir())
	if r.exit != 0 || strings.Contains(r.stdout, "FAILED") || strings.Count(r.stdout, "  ok  ") < 10 {
		t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}
