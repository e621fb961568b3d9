package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestShrink finds the bug of the program stale by a storm, shrinks the storm to
// at most three steps, and repeats the failure from the printed lines.
func TestShrink(t *testing.T) {
	t.Parallel()
	seed, found := 1, result{}
	for ; seed <= 30 && found.exit != 3; seed++ {
		found = run(t, "run", "--storm", fmt.Sprintf("%d:span=150", seed), "--monitor", "1024x768,DP", "--", stale)
		if found.exit != 0 && found.exit != 3 {
			t.Fatalf("exit %d\n%s", found.exit, found.stderr)
		}
	}
	seed--
	if found.exit != 3 {
		t.Fatalf("no storm finds the bug")
	}
	// A repeated run sends the same requests, but an unplug that has begun can
	// end sooner or later.
	repeat := func(line string) (r result) {
		t.Helper()
		name, _, _ := strings.Cut(line, " ")
		if name != "udrm" || strings.Contains(line, "--storm") || strings.Contains(line, "\n") {
			t.Fatalf("not the line of a run: %q", line)
		}
		for range 20 {
			cmd := exec.Command("sh", "-c", line)
			cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(udrm)+":"+os.Getenv("PATH"))
			if r = finish(t, cmd); r.exit == 3 {
				break
			}
		}
		return r
	}
	_, printed, _ := strings.Cut(found.stderr, "the same run is: ")
	printed, _, _ = strings.Cut(printed, "\n")
	if r := repeat(printed); r.exit != 3 {
		t.Errorf("%s\nexit %d\n%s", printed, r.exit, r.stderr)
	}
	r := run(t, "shrink", "--storm", fmt.Sprintf("%d:span=150", seed), "--failing", "3", "--monitor", "1024x768,DP", "--", stale)
	line := strings.TrimSuffix(r.stdout, "\n")
	if r.exit != 0 || strings.Count(line, "--on ") > 3 || !strings.Contains(line, ":unplug=card0") {
		t.Fatalf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
	if r := repeat(line); r.exit != 3 || !strings.Contains(r.stderr, "has gone with its device") {
		t.Errorf("%s\nexit %d\n%s", line, r.exit, r.stderr)
	}
	// The steps of a printed line can be shrunk, too.
	r = run(t, "shrink", "--on", "all#2:unplug", "--on", "all#3:before:plug=card0", "--", "true")
	if r.exit != 125 || !strings.Contains(r.stderr, "the program does not fail with the 2 steps") {
		t.Errorf("exit %d\n%s", r.exit, r.stderr)
	}
}

// TestShrinkRefusals shrinks what cannot be shrunk.
func TestShrinkRefusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		stderr string
		args   []string
	}{
		{"there is nothing to shrink", []string{"--", "true"}},
		{"the program fails without any step", []string{"--storm", "1", "--", "false"}},
		{"does not fail with the 12 steps", []string{"--storm", "1", "--", "true"}},
		{`"x" is not a seed, a number; write SEED`, []string{"--storm", "x", "--", "true"}},
		{`"300" is not an exit status`, []string{"--storm", "1", "--failing", "300", "--", "true"}},
	} {
		if r := run(t, append([]string{"shrink"}, tc.args...)...); r.exit != 125 || !strings.Contains(r.stderr, tc.stderr) {
			t.Errorf("%q: exit %d, want %q in\n%s", tc.args, r.exit, tc.stderr, r.stderr)
		}
	}
}
