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

// oracleTests are what programs said on Linux 6.12 with the kernel's own vkms
// (testdata/oracle), while the console had a framebuffer on the card. Here lit
// stands in for the console, except where the program has to be the master:
// the console gives way to it, lit would not.
//
// Where nothing is said to be normalised, all is equal to the byte, with the
// object ids of the kernel.
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

// replace replaces what matches the pattern by the text.
func replace(text, pattern, by string) string {
	return regexp.MustCompile("(?m)"+pattern).ReplaceAllString(text, by)
}

// anyKernel: drm_info says which kernel it runs on.
func anyKernel(said string) string { return replace(said, `"(release|version)": ".*"`, `"$1": ""`) }

// sysfsTree are the names in order. The console has a directory of its own,
// and Linux 6.12 a controlD64 that nothing stands behind. The kernel's vkms is a
// device without a driver: it cannot be unbound or removed as others can.
func sysfsTree(names string) string {
	names = replace(names, `.*/vkms/(graphics|graphics/.*|drm/controlD64|driver|remove)\n`, "")
	return sortedLines(names)
}

// udevDatabase lists what udev has stored, as its recording does.
const udevDatabase = `cd /run/udev/data; for f in c226:0 +drm:card0-Virtual-1 +drm:card0-Writeback-1; do echo "== /run/udev/data/$f"; cat $f; done`

// udevInfo: when a device was seen first is different each time, and udev
// keeps properties and tags in the order of a hash table. The recording of the
// database begins with a list of the files.
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
