package main

import (
	"encoding/json"
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
// card, as it has here.
//
// A test without normalise compares every byte, including the object ids.
var oracleTests = []struct {
	file      string
	command   string // as the recording's first line says, unless it does not
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
	{file: "modetest-s"},
	{file: "modetest-P"},
	{file: "modetest-C"},
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
			r := run(t, "run", "--vkms", "6.12", "--", "sh", "-c", "exec 2>&1; "+command)
			got := r.stdout
			if hasHeader {
				got = header + "\n" + got
			}
			if strings.HasSuffix(recorded, "]\n") {
				got += fmt.Sprintf("[exit %d]\n", r.exit)
			}
			got += r.stderr // of udrm: there should be nothing
			if tc.normalise != nil {
				recorded, got = tc.normalise(recorded), tc.normalise(got)
			}
			if diff := lineDiff(recorded, got); diff != "" {
				t.Errorf("differs from the kernel (-) in:\n%s", diff)
			}
		})
	}
}

// newOracleTests are the recordings in testdata/oracle/7.2, of Linux 7.2. The card
// there is lit by the console, as it is here.
var newOracleTests = []struct {
	file      string
	flags     []string
	command   string
	normalise func(string) string
}{
	{file: "modetest", command: "modetest -M vkms", normalise: anyLibdrm},
	{file: "modetest-pipeline", flags: []string{"--overlay", "--plane-pipeline"}, command: "modetest -M vkms", normalise: anyLibdrm},
	{file: "proptest", command: "proptest -M vkms", normalise: anyLibdrm},
	{file: "drm_info-j", command: "drm_info -j /dev/dri/card0 2>/dev/null", normalise: anyDevice},
	{file: "sysfs-tree", command: `cd /sys/devices/faux/vkms; find . -type d -printf '%p/\n' -o -type l -printf '%p -> %l\n' -o -printf '%p\n'`, normalise: newSysfsTree},
	{file: "sysfs", command: sysfsContents, normalise: newSysfsContents},
	{file: "module", command: `for f in /sys/module/vkms/parameters/*; do echo "$f:$(cat $f)"; done`},
}

func TestNewOracle(t *testing.T) {
	for _, tc := range newOracleTests {
		t.Run(tc.file, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join("testdata", "oracle", "7.2", tc.file+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			args := slices.Concat([]string{"run", "--vkms", "7.2"}, tc.flags, []string{"--", "sh", "-c", tc.command})
			r := run(t, args...)
			recorded, got := string(data), r.stdout+r.stderr
			if tc.normalise != nil {
				recorded, got = tc.normalise(recorded), tc.normalise(got)
			}
			if diff := lineDiff(recorded, got); diff != "" {
				t.Errorf("differs from the kernel (-) in:\n%s", diff)
			}
		})
	}
}

// anyLibdrm removes what later versions of libdrm's programs print.
func anyLibdrm(said string) string {
	said = replace(said, "^opened device .*\n", "")
	return replace(said, `LINEAR\(0x0\)$`, "LINEAR")
}

// anyDevice returns JSON in one form, without what drm_info finds through libdrm,
// which must know the faux bus, and what it says of the kernel.
func anyDevice(said string) string {
	var nodes map[string]map[string]any
	if json.Unmarshal([]byte(said), &nodes) != nil {
		return said
	}
	for _, node := range nodes {
		delete(node, "device")
		if driver, ok := node["driver"].(map[string]any); ok {
			delete(driver, "kernel")
		}
	}
	text, err := json.MarshalIndent(nodes, "", " ")
	if err != nil {
		return said
	}
	return string(text)
}

// newSysfsTree sorts the names and removes the one that differs: the kernel's faux
// devices cannot be removed.
func newSysfsTree(names string) string { return sortedLines(replace(names, `^\./remove\n`, "")) }

// sysfsContents prints the files below the device, with their permissions.
const sysfsContents = `cd /sys/devices/faux/vkms; find . -type f ! -name remove | LC_ALL=C sort | while read f; do
	echo "== $f $(stat -c %A $f)"; cat $f; done`

// newSysfsContents removes what the kernel's errors look like: such files are empty
// here.
func newSysfsContents(said string) string {
	return replace(said, `^head: .*: Input/output error\n`, "")
}

// replace replaces all matches of a pattern.
func replace(text, pattern, by string) string {
	return regexp.MustCompile("(?m)"+pattern).ReplaceAllString(text, by)
}

// anyKernel removes the release of the kernel, which drm_info prints.
func anyKernel(said string) string { return replace(said, `"(release|version)": ".*"`, `"$1": ""`) }

// sysfsTree sorts the names and removes those that differ. Linux 6.12 has a node
// controlD64 without use. The kernel's vkms is a device without a driver, so it
// cannot be unbound or removed.
func sysfsTree(names string) string {
	names = replace(names, `.*/vkms/(drm/controlD64|driver|remove)\n`, "")
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
