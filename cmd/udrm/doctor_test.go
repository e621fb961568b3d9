package main

import (
	"os"
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

// TestFullDisk prints to a disk that is full. That is no success.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"doctor"}, {"help"}, {"help", "--expect"}} {
		cmd := command(t, args...)
		var stderr strings.Builder
		cmd.Stdout, cmd.Stderr = full, &stderr
		_ = cmd.Run()
		if exit := cmd.ProcessState.ExitCode(); exit != 125 || !strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("%s: exit %d\n%s", args, exit, &stderr)
		}
	}
}

// TestDemo runs the demo, which checks itself.
func TestDemo(t *testing.T) {
	r := run(t, "demo", "--dir", t.TempDir())
	if r.exit != 0 || strings.Contains(r.stdout, "FAILED") || strings.Count(r.stdout, "  ok  ") < 10 {
		t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}
