package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
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

// TestDemoInterrupted interrupts the demo as soon as its client runs. No directory
// is left behind.
func TestDemoInterrupted(t *testing.T) {
	dir := t.TempDir()
	cmd := command(t, "demo")
	cmd.Env = append(cmd.Environ(), "TMPDIR="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for !slices.Contains(childNames(t, cmd.Process.Pid), "demo-client") {
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	left, err := filepath.Glob(filepath.Join(dir, "udrm-demo-*"))
	if err != nil || len(left) > 0 || cmd.ProcessState.Success() {
		t.Errorf("%v; left behind: %q, %v", cmd.ProcessState, left, err)
	}
}

// childNames returns the first argument of each child of a process.
func childNames(t *testing.T, pid int) (names []string) {
	t.Helper()
	own, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || len(own) == 0 {
		t.Fatalf("process %d has ended: %v", pid, err)
	}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		children, _ := os.ReadFile(file) // the thread may have ended
		for child := range strings.FieldsSeq(string(children)) {
			command, _ := os.ReadFile("/proc/" + child + "/cmdline")
			if words := strings.Split(string(command), "\x00"); len(words) > 1 {
				names = append(names, words[1])
			}
		}
	}
	return names
}

// TestDemo runs the demo, which checks itself.
func TestDemo(t *testing.T) {
	r := run(t, "demo", "--dir", t.TempDir())
	if r.exit != 0 || strings.Contains(r.stdout, "FAILED") || strings.Count(r.stdout, "  ok  ") < 10 {
		t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}
