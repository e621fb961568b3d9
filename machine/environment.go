package machine

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"
)

// execWait is how long Leftovers waits for processes that execute a program, all
// together. It is long, because a busy machine can stop a process in the middle.
const execWait = 2 * time.Second

// environ returns the environment of a process as it was when the process began
// to execute its program: NAME=VALUE, each with a NUL. While a process executes a
// program, its memory is new and has no environment: environ waits for it until
// the deadline.
func environ(pid int, deadline time.Time) ([]byte, error) {
	for ; ; time.Sleep(time.Millisecond) {
		text, err := readOnce(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || len(text) > 0 || empty(pid) || time.Now().After(deadline) {
			return text, err
		}
	}
}

// readOnce reads a file with one read call. Between two of them, a process could
// execute a program: its old memory ends then, and its environment with it, in the
// middle of a variable.
func readOnce(name string) ([]byte, error) {
	for size := 1 << 16; ; size *= 2 {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		text := make([]byte, size)
		n, err := f.Read(text)
		_ = f.Close()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil || n < size {
			return text[:n], err
		}
	}
}

// empty reports whether a process has ended, or has an environment without
// variables: it begins where it ends. While the process executes a program, that
// can be so as well, but the address of its code is 0.
func empty(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	// Fields from the third on; see proc(5). The second is a name in brackets.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const state, code, start, end = 0, 26 - 3, 50 - 3, 51 - 3
	return len(fields) <= end || bytes.ContainsAny(fields[state], "ZX") ||
		string(fields[code]) != "0" && string(fields[start]) != "0" && bytes.Equal(fields[start], fields[end])
}
