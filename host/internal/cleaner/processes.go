package cleaner

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// killKnown kills the processes of the host that the marker and the table of
// callers show, and their descendants. It reports whether it found any.
func (r *run) killKnown() bool {
	children, known := make(map[int][]int), []int(nil)
	for _, pid := range idsIn("/proc") {
		p, alive := statOf(fmt.Sprintf("/proc/%d", pid))
		if !alive {
			continue
		}
		children[p.parent] = append(children[p.parent], pid)
		if r.isKnown(pid) {
			known = append(known, pid)
		}
	}
	var found []int
	seen := map[int]bool{os.Getpid(): true}
	var add func(pid int)
	add = func(pid int) {
		if seen[pid] {
			return
		}
		seen[pid] = true
		found = append(found, pid)
		for _, c := range children[pid] {
			add(c)
		}
	}
	for _, pid := range known {
		add(pid)
	}
	// Nothing is killed before all pidfds are open: once a parent ends, nothing
	// tells whose its children were. Each process is looked at again behind its
	// pidfd: since the search, another process may have got the id.
	var pidfds []int
	for _, pid := range found {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue // it has ended
		}
		defer unix.Close(fd)
		p, alive := statOf(fmt.Sprintf("/proc/%d", pid))
		if alive && (seen[p.parent] && p.parent != os.Getpid() || r.isKnown(pid)) {
			pidfds = append(pidfds, fd)
		}
	}
	for _, fd := range pidfds {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
	return len(pidfds) > 0
}

// isKnown reports whether a process has the marker, or has a thread that has
// made a call.
func (r *run) isKnown(pid int) bool {
	if hasMarker(pid, r.marker) {
		return true
	}
	tasks := fmt.Sprintf("/proc/%d/task", pid)
	for _, tid := range idsIn(tasks) {
		if t, alive := statOf(fmt.Sprintf("%s/%d", tasks, tid)); alive && r.callers.called(tid, t.started) {
			return true
		}
	}
	return false
}

// idsIn returns the names in a directory that are numbers.
func idsIn(path string) (ids []int) {
	dir, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if id, err := strconv.Atoi(name); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// stat is what the cleaner reads of proc_pid_stat(5).
type stat struct {
	parent  int
	started uint64 // in ticks since the boot
}

// statOf reads the stat of a process or a thread, and reports whether it has
// not ended.
func statOf(dir string) (s stat, alive bool) {
	text, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return stat{}, false
	}
	// Indices after the name, which may contain anything.
	const state, parent, started = 0, 1, 19
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) <= started || fields[state][0] == 'Z' || fields[state][0] == 'X' {
		return stat{}, false
	}
	s.parent, _ = strconv.Atoi(string(fields[parent]))
	s.started, err = strconv.ParseUint(string(fields[started]), 10, 64)
	return s, err == nil
}

// hasMarker reports whether a process has the variable in its environment.
func hasMarker(pid int, marker string) bool {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false
	}
	for variable := range bytes.SplitSeq(environ, []byte{0}) {
		if string(variable) == marker {
			return true
		}
	}
	return false
}
