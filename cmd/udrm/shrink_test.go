package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// stormOfBug is a storm that finds the bug of the program stale. All its steps
// are at requests, and its unplugs are outside of guards. Each ends before the
// program goes on, so that every run goes the same way.
const stormOfBug = "51:span=150"

// TestShrink finds the bug of the program stale by a storm, shrinks the storm to
// two steps, and repeats the failure from the printed lines, each at once.
func TestShrink(t *testing.T) {
	t.Parallel()
	found := run(t, "run", "--storm", stormOfBug, "--monitor", "1024x768,DP", "--", stale)
	if found.exit != 3 {
		t.Fatalf("exit %d; the storm does not find the bug, try another seed\n%s", found.exit, found.stderr)
	}
	repeat := func(line string) {
		t.Helper()
		name, _, _ := strings.Cut(line, " ")
		if name != "udrm" || strings.Contains(line, "--storm") || strings.Contains(line, "\n") {
			t.Fatalf("not the line of a run: %q", line)
		}
		cmd := exec.Command("sh", "-c", line)
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(udrm)+":"+os.Getenv("PATH"))
		if r := finish(t, cmd); r.exit != 3 || !strings.Contains(r.stderr, "has gone with its device") {
			t.Errorf("%s\nexit %d\n%s", line, r.exit, r.stderr)
		}
	}
	_, printed, _ := strings.Cut(found.stderr, "the same run is: ")
	printed, _, _ = strings.Cut(printed, "\n")
	repeat(printed)
	r := run(t, "shrink", "--storm", stormOfBug, "--failing", "3", "--monitor", "1024x768,DP", "--", stale)
	line := strings.TrimSuffix(r.stdout, "\n")
	want := regexp.MustCompile(`--on 'all#[0-9]+:before:unplug=card0' --on 'all#[0-9]+:before:plug=card0' -- `)
	if r.exit != 0 || strings.Count(line, "--on ") != 2 || !want.MatchString(line) {
		t.Fatalf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
	repeat(line)
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

// TestShrinkKilled kills a shrink: the program that it runs ends, too.
func TestShrinkKilled(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	shrink := command(t, "shrink", "--storm", "1", "--", "sh", "-c", "echo $$ >"+fifo+"; exec sleep 1000")
	if err := shrink.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile(fifo)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(line)))
	if err != nil {
		t.Fatal(err)
	}
	program, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(program)
	if err := shrink.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = shrink.Wait()
	ended := []unix.PollFd{{Fd: int32(program), Events: unix.POLLIN}}
	if n, err := unix.Poll(ended, 60_000); n != 1 || err != nil {
		t.Errorf("the program lives on: %v", err)
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}
