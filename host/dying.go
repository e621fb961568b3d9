package host

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// A thread that ends leaves its filter before it closes what it has open: when
// the listener hangs up, the last programs are still ending. Whether they have
// ended says their state as processes, which they take on last.

// maxPasses bounds how often awaitDying looks, while programs of other servers
// come and go.
const maxPasses = 100

// awaitDying waits for the processes that were left behind and are ending.
func (r *reaper) awaitDying() {
	waited := make(map[int]bool)
	for range maxPasses {
		again := false
		for _, pid := range Leftovers() {
			if waited[pid] || !awaitEnd(pid) {
				continue
			}
			// Its children are adopted now: they may have been missed.
			waited[pid], again = true, true
		}
		if !again {
			return
		}
	}
}

// ending reports whether all threads of a process end, or have ended.
func ending(pid int) bool {
	const exiting = 0x4 // PF_EXITING of include/linux/sched.h
	stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it is gone
		}
		const flags = 6 // behind the name: field 9 of proc_pid_stat(5)
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

// awaitEnd waits until a process that is ending has ended; false, at once, when
// it is not.
func awaitEnd(pid int) bool {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return true // it has
	}
	defer unix.Close(pidfd)
	// Asked only now: else the number might be that of another process by the time
	// that we wait, which goes on for ever.
	if !ending(pid) {
		return false
	}
	awaitReadable(pidfd)
	return true
}

func awaitReadable(fd int) {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(poll, -1); err != unix.EINTR {
			return
		}
	}
}
