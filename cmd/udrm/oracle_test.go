package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// oracleTests are the recordings in testdata/oracle: what programs printed on
// Linux 6.12 with the kernel's vkms, while the console had a framebuffer on the
// card. Here the program lit plays the part of the console. Programs that must be
// the master run without lit, because the console gives way to them and lit does
// not.
//
// A test without normalise compares every byte, including the object ids.
var oracleTests = []struct {
	file      string
	command   string // as the recording's first line says, unless it does not
	dark      bool   // without lit
	normalise func(string) string
}{
	{file: "modetest-noargs"},
	{file: "modetest-D"},
	{file: "modetest"},
	{file: "modetest-c"},
	{file: "modetest-p"},
	{file: "modetest-e"},
	{file: "modetest-f"},
	{file: "modetest-a"},
	{file: "modetest-s", dark: true},
	{file: "modetest-P", dark: true},
	{file: "modetest-C", dark: true},
	{file: "proptest"},
	{file: "drmdevice"},
	{file: "drm_info"},
	{file: "drm_info-j", normalise: anyKernel},
	{file: "lsgpu", command: "lsgpu"},
	{file: "lsgpu-s", command: "lsgpu -s"},
	{file: "sysfs-tree", command: "find /sys/devices/platform/vkms", normalise: sysfsTree},
	{file: "udevadm-info", command: "udevadm info /dev/dri/card0", normalise: udevInfo},
	{file: "udev-db", command: udevDatabase, normalise: udevInfo},
}

func TestOracle(t *testing.T) {
	for _, tc := range oracleTests {
		t.Run(tc.file, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join("testdata", "oracle", tc.file+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			recorded := string(data)
			header, _, _ := strings.Cut(recorded, "\n")
			command, hasHeader := strings.CutPrefix(header, "$ ")
			if !hasHeader {
				command = tc.command
			}
			args := []string{"run", "--"}
			if !tc.dark {
				args = append(args, lit, "/dev/dri/card0")
			}
			r := run(t, append(args, "sh", "-c", "exec 2>&1; "+command)...)
			got := r.stdout
			if hasHeader {
				got = header + "\n" + got
			}
			if strings.HasSuffix(recorded, "]\n") {
				got += fmt.Sprintf("[exit %d]\n", r.exit)
			}
			got += r.stderr // of udrm and lit: there should be nothing
			if tc.normalise != nil {
				recorded, got = tc.normalise(recorded), tc.normalise(got)
			}
			if diff := lineDiff(recorded, got); diff != "" {
				t.Errorf("differs from the kernel (-) in:\n%s", diff)
			}
		})
	}
}

// replace replaces all matches of a pattern.
func replace(text, pattern, by string) string {
	return regexp.MustCompile("(?m)"+pattern).ReplaceAllString(text, by)
}

// anyKernel removes the release of the kernel, which drm_info prints.
func anyKernel(said string) string { return replace(said, `"(release|version)": ".*"`, `"$1": ""`) }

// sysfsTree sorts the names and removes those that differ. The console has a
// directory of its own, and Linux 6.12 has a node controlD64 without use. The
// kernel's vkms is a device without a driver, so it cannot be unbound or removed.
func sysfsTree(names string) string {
	names = replace(names, `.*/vkms/(graphics|graphics/.*|drm/controlD64|driver|remove)\n`, "")
	return sortedLines(names)
}

// udevDatabase prints the files of the udev database.
const udevDatabase = `cd /run/udev/data; for f in c226:0 +drm:card0-Virtual-1 +drm:card0-Writeback-1; do echo "== /run/udev/data/$f"; cat $f; done`

// udevInfo normalises the times at which devices were first seen, and the order of
// properties and tags, which is that of a hash table. It removes the list of files
// at the start of the recording of the database.
func udevInfo(said string) string {
	said = replace(said, `^-rw-r--r-- .*\n`, "")
	said = replace(said, `^(I:|E: USEC_INITIALIZED=)\d+$`, "${1}0")
	lines := strings.Split(said, "\n")
	for i, line := range lines {
		if name, tags, ok := strings.Cut(line, "TAGS="); ok {
			sorted := strings.Split(tags, ":")
			slices.Sort(sorted)
			lines[i] = name + "TAGS=" + strings.Join(sorted, ":")
		}
	}
	if strings.HasPrefix(said, "==") {
		return strings.Join(lines, "\n")
	}
	return sortedLines(strings.Join(lines, "\n"))
}

func sortedLines(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// lineDiff returns the lines in which two texts differ, with their numbers, or "".
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
