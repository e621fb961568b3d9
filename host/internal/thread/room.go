package thread

import (
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/cgroup"
)

// Room returns how many further threads the kernel would make for this process, by
// the limits that it can see: those of the machine, of its control groups and of its
// user. Other processes may take them at any time.
func Room() int {
	all := threadsOfAll()
	room := math.MaxInt
	for _, path := range []string{"/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"} {
		if limit, ok := cgroup.Number(path); ok {
			room = min(room, limit-all)
		}
	}
	room = min(room, cgroup.Processes.Left())
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
