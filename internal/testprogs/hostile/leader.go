package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// leader is honest in a process whose first thread has ended: /proc/PID shows no
// memory, no root and no descriptors then.
func leader(args []string) {
	go func() {
		for {
			stat := string(must(os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", os.Getpid()))))
			if strings.HasPrefix(stat[strings.LastIndexByte(stat, ')')+1:], " Z") {
				break
			}
		}
		honest(args)
		uses(nil)
		os.Exit(0)
	}()
	_, _, _ = unix.Syscall(unix.SYS_EXIT, 0, 0, 0) // of this thread
}
