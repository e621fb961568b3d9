package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// oracleTests are programs whose output was recorded on Linux 6.12 with the
// kernel's own vkms (testdata/oracle), while the console had a framebuffer on
// the card. Here lit stands in for the console.
//
// Normalisation: none. Even the object ids are the kernel's.
var oracleTests = []struct {
	file    string
	program []string
}{
	{"modetest", []string{"modetest", "-M", "vkms"}},
	{"modetest-c", []string{"modetest", "-M", "vkms", "-c"}},
	{"modetest-p", []string{"modetest", "-M", "vkms", "-p"}},
	{"modetest-e", []string{"modetest", "-M", "vkms", "-e"}},
	{"modetest-f", []string{"modetest", "-M", "vkms", "-f"}},
	{"proptest", []string{"proptest", "-M", "vkms"}},
	{"drmdevice", []string{"drmdevice"}},
	{"drm_info", []string{"drm_info"}},
}

// The differences that remain, by file: none.

func TestOracle(t *testing.T) {
	for _, tc := range oracleTests {
		t.Run(tc.file, func(t *testing.T) {
			recorded, err := os.ReadFile(filepath.Join("testdata", "oracle", tc.file+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			r := run(t, append([]string{"run", "--", lit, "/dev/dri/card0"}, tc.program...)...)
			// As the recording: the command, what it printed, its status.
			got := fmt.Sprintf("$ %s\n%s%s[exit %d]\n", strings.Join(tc.program, " "), r.stdout, r.stderr, r.exit)
			if diff := lineDiff(string(recorded), got); diff != "" {
				t.Errorf("differs from the kernel (-) in:\n%s", diff)
			}
		})
	}
}

// lineDiff shows the lines in which two texts differ, by number; "" when they
// are equal.
func lineDiff(want, got string) string {
	if want == got {
		return ""
	}
	var diff strings.Builder
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		line := func(lines []string) string {
			if i < len(lines) {
				return lines[i]
			}
			return "(end)"
		}
		if line(w) != line(g) {
			fmt.Fprintf(&diff, "%d\t- %s\n\t+ %s\n", i+1, line(w), line(g))
		}
	}
	return diff.String()
}
