package seatd

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
)

// Since libseat 0.9, DISABLE_SEAT and SWITCH_SESSION are answered: the client
// waits for it. Earlier ones take such an answer for that of their next request,
// and fail. No message tells the versions apart, but this text does. It is in
// the library since 0.9.
var answeredText = []byte("Unexpected response: expected background event")

// maxSearched bounds how much of a client's memory is searched. The library has
// some 100 KiB.
const maxSearched = 4 << 20

// awaitsAnswers reports whether the libseat of a process waits for the answers
// to all requests. A process without libseat does: it has the protocol from
// today's description.
func awaitsAnswers(pid int) bool {
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return true
	}
	defer maps.Close()
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return true
	}
	defer memory.Close()
	found, searched := false, int64(0)
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		start, size, ok := ofLibseat(lines.Text())
		if !ok || searched+size > maxSearched {
			continue
		}
		found = true
		searched += size
		content := make([]byte, size)
		if n, _ := memory.ReadAt(content, start); bytes.Contains(content[:n], answeredText) {
			return true
		}
	}
	return !found
}

// ofLibseat returns the place of a mapping if it is a readable one of libseat.
// line is one of /proc/PID/maps.
func ofLibseat(line string) (start, size int64, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 6 || fields[1][0] != 'r' || !strings.HasPrefix(path.Base(fields[5]), "libseat.so") {
		return 0, 0, false
	}
	from, to, _ := strings.Cut(fields[0], "-")
	start, err := strconv.ParseInt(from, 16, 64)
	if err != nil {
		return 0, 0, false
	}
	end, err := strconv.ParseInt(to, 16, 64)
	return start, end - start, err == nil && end > start
}
