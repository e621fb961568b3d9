package main

import (
	"path/filepath"
	"testing"
)

// TestClockStep runs a program with one thread twice, with a clock that a rule
// steps. The traces are equal.
func TestClockStep(t *testing.T) {
	t.Parallel()
	var traces [2]string
	for i := range traces {
		traces[i] = filepath.Join(t.TempDir(), "run.trace")
		r := run(t, "run", "--clock", "step", "--on", "start:step=1000", "--trace", traces[i], "--expect", "frames=60", "--", stale)
		if r.exit != 0 {
			t.Fatalf("exit %d\n%s", r.exit, r.stderr)
		}
	}
	if r := run(t, "trace", "diff", traces[0], traces[1]); r.exit != 0 || r.stdout != "" {
		t.Errorf("trace diff: exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}

// TestClockFast lets modetest flip 600 times.
func TestClockFast(t *testing.T) {
	t.Parallel()
	cmd := command(t, "run", "--clock", "fast", "--on", "MODE_PAGE_FLIP#600:after:signal=KILL", "--expect", "frames>=599", "--expect", "exit=137",
		"--", "modetest", "-M", "vkms", "-s", connector+":1024x768", "-v")
	input, err := cmd.StdinPipe() // modetest ends with it
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	if r := finish(t, cmd); r.exit != 0 {
		t.Errorf("exit %d\n%s", r.exit, r.stderr)
	}
}
