package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// These binaries are built once for all tests.
var udrm, lit, bad, storm, gone, stale, seat, fbdev, vtProgram, trial, hostile string

// programs maps the programs that the tests run to their Debian packages.
var programs = map[string]string{
	"modetest":  "libdrm-tests",
	"proptest":  "libdrm-tests",
	"drmdevice": "libdrm-tests",
	"drm_info":  "drm-info",
	"vbltest":   "libdrm-tests",
	"lsgpu":     "intel-gpu-tools",
	"udevadm":   "udev",
	"setpriv":   "util-linux",
	"curl":      "curl",

	"edid-decode": "edid-decode",
}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		for program, pkg := range programs {
			if _, err := exec.LookPath(program); err != nil {
				fmt.Fprintf(os.Stderr, "%s is missing: install the Debian package %s (make deps does)\n", program, pkg)
				return 1
			}
		}
		dir, err := os.MkdirTemp("", "udrm-test")
		if err == nil {
			defer os.RemoveAll(dir)
			err = os.Chmod(dir, 0o755) // for tests without privileges
		}
		if err == nil {
			udrm, err = build(dir, "./", raceEnabled)
		}
		for name, client := range map[string]*string{
			"lit": &lit, "bad": &bad, "storm": &storm, "gone": &gone, "stale": &stale, "seat": &seat, "fbdev": &fbdev, "vt": &vtProgram, "report": &trial, "hostile": &hostile,
		} {
			if err == nil {
				*client, err = build(dir, "../../internal/testprogs/"+name, false)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// build builds a command into dir: with the race detector if race is set, or as a
// static binary.
func build(dir, pkg string, race bool) (string, error) {
	abs, err := filepath.Abs(pkg)
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, filepath.Base(abs))
	args, cgo := []string{"build", "-o", out}, "CGO_ENABLED=0"
	if race {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Env = append(os.Environ(), cgo)
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", pkg, err, output)
	}
	return out, nil
}

// A result is the output and the exit status of a command.
type result struct {
	stdout, stderr string
	exit           int
}

// command returns udrm with args. It is killed if the test takes too long.
func command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, udrm, args...)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	return cmd
}

// run runs udrm with args and waits for its end.
func run(t *testing.T, args ...string) result {
	t.Helper()
	return finish(t, command(t, args...))
}

// startPiped starts a command and returns its standard input and output.
func startPiped(t testing.TB, cmd *exec.Cmd) (stdin io.WriteCloser, stdout io.Reader) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err = cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return stdin, stdout
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, &stdout, &stderr)
	}
	if strings.Contains(stderr.String(), "DATA RACE") || strings.Contains(stderr.String(), "panicked") {
		t.Errorf("%s reported:\n%s", strings.Join(cmd.Args, " "), &stderr)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}
