package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unplugDiffers maps the answers that differ from the kernel's to the reasons.
var unplugDiffers = map[string]string{
	"before\twrite(1)": pipeReadEnd,
	"after\twrite(1)":  pipeReadEnd,
	"before\tlseek":    pipeReadEnd,
	"after\tlseek":     pipeReadEnd,
	"after\tioctl of another type ('x')": "ioctls of other types are not trapped, which would make all programs slower; " +
		"the pipe answers ENOTTY",
}

// pipeReadEnd is the reason for calls that the kernel answers by itself: the
// descriptor of a program is the read end of a pipe, so that poll, select and
// epoll work.
const pipeReadEnd = "the descriptor is the read end of a pipe: write is EBADF, lseek ESPIPE"

// TestUnplugAnswersAsTheKernel tries every call on a card before and after an
// unplug. The answers are those of the kernel's vkms
// (testdata/oracle/unplug.tsv).
func TestUnplugAnswersAsTheKernel(t *testing.T) {
	want := unplugOracle(t)
	s := newSession(t)
	s.plug(t, "card0")
	c := s.start(t, gone, "/dev/dri/card0")
	tried := make(map[string]bool)
	for c.lines.Scan() {
		if c.lines.Text() == "waiting" {
			s.unplug(t, "card0")
			c.stdin.Close()
			continue
		}
		when, result, ok := strings.Cut(c.lines.Text(), "\t")
		name, result, ok2 := strings.Cut(result, "\t")
		if !ok || !ok2 {
			t.Fatalf("the client said %q", c.lines.Text())
		}
		key := when + "\t" + name
		tried[key] = true
		switch kernel, known := want[key]; {
		case !known:
			t.Errorf("%q is not in the recording", key)
		case unplugDiffers[key] != "" && result == kernel:
			t.Errorf("%q is listed as a difference, but is equal", key)
		case unplugDiffers[key] == "" && result != kernel:
			t.Errorf("%s, %s: %s, the kernel answers %s", when, name, result, kernel)
		}
	}
	if status := c.end(t); status != 0 {
		t.Errorf("exit status %d\n%s", status, &c.stderr)
	}
	var missing []string
	for key := range want {
		if !tried[key] {
			missing = append(missing, key)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("not tried: %q", missing)
	}
	s.end(t)
}

// unplugOracle returns the answers of the kernel's vkms. The keys are "before" or
// "after", a tab, and the call.
func unplugOracle(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "oracle", "unplug.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	header := strings.Split(lines[0], "\t")
	want := make(map[string]string)
	for _, line := range lines[1:] {
		fields := strings.Split(line, "\t")
		for _, when := range []string{"before", "after"} {
			column := slices.Index(header, "vkms-param "+when)
			if column < 0 || column >= len(fields) {
				t.Fatalf("the recording has no column for vkms in %q", line)
			}
			want[fmt.Sprintf("%s\t%s", when, fields[0])] = fields[column]
		}
	}
	return want
}
