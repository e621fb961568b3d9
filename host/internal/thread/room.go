package thread

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Room returns how many further threads the kernel would make for this process, by
// the limits that it can see: those of the machine, of its control groups and of its
// user. Other processes may take them at any time.
func Room() int {
	all := threadsOfAll()
	room := math.MaxInt
	for _, path := range []string{"/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"} {
		if limit, ok := numberIn(path); ok {
			room = min(room, limit-all)
		}
	}
	for _, dir := range pidsGroups() {
		limit, limited := numberIn(dir + "/pids.max") // or it is "max"
		if used, ok := numberIn(dir + "/pids.current"); limited && ok {
			room = min(room, limit-used)
		}
	}
	var user unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NPROC, &user)
	if err == nil && user.Cur < math.MaxInt32 && int(user.Cur)-all < room && !freeOfLimits() {
		room = min(room, int(user.Cur)-threadsOfUser(os.Getuid()))
	}
	return max(room, 0)
}

// freeOfLimits reports whether RLIMIT_NPROC does not bind this process.
func freeOfLimits() bool {
	c, err := own()
	return os.Getuid() == 0 || err == nil && (c.Has(unix.CAP_SYS_RESOURCE) || c.Has(unix.CAP_SYS_ADMIN))
}

// threadsOfAll returns the threads of the machine: proc_loadavg(5).
func threadsOfAll() int {
	text, _ := os.ReadFile("/proc/loadavg")
	if fields := strings.Fields(string(text)); len(fields) > 3 {
		_, total, _ := strings.Cut(fields[3], "/")
		n, _ := strconv.Atoi(total)
		return n
	}
	return 0
}

// threadsOfUser returns the threads of the processes of a user.
func threadsOfUser(uid int) (n int) {
	processes, _ := os.ReadDir("/proc")
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		status := ID(pid).Status()
		if real, _, _ := strings.Cut(status["Uid"], "\t"); real == strconv.Itoa(uid) {
			threads, _ := strconv.Atoi(status["Threads"])
			n += threads
		}
	}
	return n
}

// pidsGroups returns the directories of the control groups that this process is in
// and that may limit its processes: cgroups(7), either version.
func pidsGroups() (dirs []string) {
	text, _ := os.ReadFile("/proc/self/cgroup")
	for line := range bytes.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(fields) < 3 {
			continue
		}
		var roots []string
		switch {
		case fields[0] == "0":
			roots = []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}
		case slices.Contains(strings.Split(fields[1], ","), "pids"):
			roots = []string{"/sys/fs/cgroup/pids"}
		}
		for _, root := range roots {
			for path := filepath.Clean("/" + fields[2]); ; path = filepath.Dir(path) {
				dirs = append(dirs, root+path)
				if path == "/" {
					break
				}
			}
		}
	}
	return dirs
}

func numberIn(path string) (n int, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err = strconv.Atoi(strings.TrimSpace(string(text)))
	return n, err == nil
}
