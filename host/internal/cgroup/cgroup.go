// Package cgroup reads the limits of the control groups that this process is in:
// cgroups(7), of either version.
package cgroup

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Limit is a file of a control group with a limit, and one with what is used.
type Limit struct{ controller, max, oldMax, used string }

var (
	// Processes are those of the group and of the groups in it.
	Processes = Limit{"pids", "pids.max", "pids.max", "pids.current"}

	// Memory is in bytes.
	Memory = Limit{"memory", "memory.max", "memory.limit_in_bytes", ""}
)

// Max returns the smallest limit. It is [math.MaxInt] if there is none.
func (l Limit) Max() int {
	least := math.MaxInt
	for _, dir := range l.dirs() {
		least = min(least, l.maxOf(dir))
	}
	return least
}

// Left returns the least that is left of a limit. It is [math.MaxInt] if there is no
// limit.
func (l Limit) Left() int {
	least := math.MaxInt
	for _, dir := range l.dirs() {
		if limit := l.maxOf(dir); limit < math.MaxInt {
			used, _ := Number(filepath.Join(dir, l.used))
			least = min(least, max(limit-used, 0))
		}
	}
	return least
}

func (l Limit) maxOf(dir string) int {
	for _, name := range []string{l.max, l.oldMax} {
		if limit, ok := Number(filepath.Join(dir, name)); ok {
			return limit
		}
	}
	return math.MaxInt // the file is missing, or says max
}

// dirs returns the directories of the groups, and of those around them.
func (l Limit) dirs() []string {
	text, _ := os.ReadFile("/proc/self/cgroup")
	return l.dirsIn(string(text))
}

// dirsIn returns the directories of the groups in a text as of /proc/self/cgroup. A
// process in a cgroup namespace sees the root of its own groups at the usual place.
func (l Limit) dirsIn(text string) (dirs []string) {
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 {
			continue
		}
		var roots []string
		switch {
		case fields[0] == "0":
			roots = []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}
		case slices.Contains(strings.Split(fields[1], ","), l.controller):
			roots = []string{"/sys/fs/cgroup/" + l.controller, "/sys/fs/cgroup/" + fields[1]}
		}
		for _, root := range roots {
			for path := filepath.Clean("/" + fields[2]); ; path = filepath.Dir(path) {
				dirs = append(dirs, filepath.Join(root, path))
				if path == "/" {
					break
				}
			}
		}
	}
	return dirs
}

// Number reads a file with a number.
func Number(path string) (n int, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err = strconv.Atoi(strings.TrimSpace(string(text)))
	return n, err == nil
}
