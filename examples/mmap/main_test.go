package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain lets the binary of the test act as the program, so that the race
// detector watches it as well.
func TestMain(m *testing.M) {
	if os.Getenv("EXAMPLE") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func example(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "EXAMPLE=mmap")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("mmap %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestRevoked(t *testing.T) {
	for range 5 {
		out := example(t)
		if want := "released: readers\nreleased: pages\nreleased: file\n"; !strings.Contains(out, want) {
			t.Fatalf("the output lacks %q:\n%s", want, out)
		}
	}
}

func TestUnguardedCrashes(t *testing.T) {
	out := example(t, "-unsafe")
	for _, want := range []string{"unexpected fault address", "signal SIGSEGV", "the child died: exit status 2"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
}
