package machine

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// execWait is how long environ waits for a process that executes a program. Its
// memory is new then, and has no environment yet.
const execWait = 100 * time.Millisecond

// environ returns the environment of a process as it was when the process began
// to execute its program: NAME=VALUE, each with a NUL.
func environ(pid int) ([]byte, error) {
	for deadline := time.Now().Add(execWait); ; time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || len(text) > 0 || empty(pid) || time.Now().After(deadline) {
			return text, err
		}
	}
}

// empty reports whether a process has ended, or has an environment without
// variables: it begins where it ends. While the process executes a program, the
// addresses of both are 0.
func empty(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	// Fields from the third on; see proc(5). The second is a name in brackets.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const state, start, end = 0, 50 - 3, 51 - 3
	return len(fields) <= end || bytes.ContainsAny(fields[state], "ZX") ||
		string(fields[start]) != "0" && bytes.Equal(fields[start], fields[end])
}
