package main

import (
	"bytes"
	"image"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udrm/udrm/machine/picture"
)

// TestCommand builds the command and runs modetest on a panel.
func TestCommand(t *testing.T) {
	dir := t.TempDir()
	command, shot := filepath.Join(dir, "mycommand"), filepath.Join(dir, "panel.png")
	if out, err := exec.Command("go", "build", "-o", command, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(command, args...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", args, err, out)
		}
		return string(out)
	}
	modes := run("run", "--", "modetest", "-M", "panel", "-c")
	if !strings.Contains(modes, "connected") {
		t.Errorf("modetest prints\n%s", modes)
	}
	var connector, mode string
	for line := range strings.Lines(modes) {
		fields := strings.Fields(line)
		if len(fields) > 3 && fields[2] == "connected" {
			connector = fields[0]
		}
		if len(fields) > 2 && fields[0] == "#0" && mode == "" {
			mode = fields[1]
		}
	}
	shell := exec.Command(command, "run", "-v", "--at", "1s:screenshot=card0="+shot, "--",
		"sh", "-c", "(until [ -s "+shot+" ]; do sleep .01; done) | modetest -M panel -s "+connector+":"+mode)
	var out bytes.Buffer
	shell.Stdout, shell.Stderr = &out, &out
	if err := shell.Run(); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	if p, err := picture.Read(shot); err != nil || p.Rect.Size() == (image.Point{}) {
		t.Errorf("the screenshot: %v", err)
	}
	if help := run("help", "exit", "status"); !strings.Contains(help, "mycommand itself failed") {
		t.Errorf("the help is about another command:\n%s", help)
	}
}
