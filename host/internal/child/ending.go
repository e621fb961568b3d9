package child

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// A thread that ends leaves its seccomp filter before it closes its files.
// When the listener hangs up, the last programs are therefore still ending.
// Only the end of the process says that its files are closed.

// maxPasses bounds how often AwaitEnding looks while other programs come and
// go.
const maxPasses = 100

// AwaitEnding waits for the orphans that are ending, and removes them.
func AwaitEnding() {
	if adopts.Load() {
		defer reap()
	}
	waited := make(map[int]bool)
	for range maxPasses {
		again := false
		for _, pid := range Leftovers() {
			if waited[pid] || !awaitEnding(pid) {
				continue
			}
			// Its children are orphans now; this pass may have missed them.
			waited[pid], again = true, true
		}
		if !again {
			return
		}
	}
}

// ending reports whether all threads of a process are exiting.
func ending(pid int) bool {
	const exiting = 0x4 // PF_EXITING of include/linux/sched.h
	for _, task := range tasks(pid) {
		stat, err := os.ReadFile(task + "/stat")
		if err != nil {
			continue // the thread has ended
		}
		const flags = 6 // after the name: field 9 of proc_pid_stat(5)
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) <= flags {
			continue
		}
		if n, _ := strconv.ParseUint(string(fields[flags]), 10, 64); n&exiting == 0 {
			return false
		}
	}
	return true
}

// awaitEnding waits for the end of a process that is ending. It returns false
// at once when the process is not ending.
func awaitEnding(pid int) bool {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return true // it has ended
	}
	defer unix.Close(pidfd)
	// Only with the pidfd open: otherwise the id might belong to another
	// process by now, and the wait would not end.
	if !ending(pid) {
		return false
	}
	AwaitEnd(pidfd)
	return true
}

// AwaitEnd waits for the end of the process that pidfd refers to. It leaves
// the process to be waited for.
func AwaitEnd(pidfd int) {
	poll := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(poll, -1); err != unix.EINTR {
			return
		}
	}
}
