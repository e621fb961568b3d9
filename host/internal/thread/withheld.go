package thread

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Faults notes that programs may serve faults of memory with userfaultfd(2), in
// their own memory. The zero value says that none does.
type Faults struct{ served atomic.Bool }

// Serve notes that a program is about to.
func (f *Faults) Serve() { f.served.Store(true) }

// NeverWithheld reports whether n bytes at addr, which are not present, come without
// the help of a program: from a disk, or from nowhere. The kernel then copies them, or
// fails, without waiting for long. The program may change its memory at once, so it
// is a guess. It is false before Linux 6.11.
func (t ID) NeverWithheld(addr, n uint64, faults *Faults) bool {
	maps, err := unix.Open(t.path("maps"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(maps)
	for end := addr + n; addr < end; {
		m, err := mappingAt(maps, addr)
		switch {
		case err == unix.ENOENT:
			return true // EFAULT
		case err != nil, !m.isOrdinary(), faults.served.Load() && t.servesFaults(m.start):
			return false
		}
		addr = m.end
	}
	return true
}

// A mapping is a range of the memory of a program, and where its pages come from.
type mapping struct {
	start, end uint64
	inode, dev uint64 // 0: of no file
}

// isOrdinary reports whether the pages come from no server of a file system.
func (m mapping) isOrdinary() bool {
	return m.inode == 0 && m.dev == 0 || unix.Major(m.dev) != 0 || m.dev == sharedMemory() || slices.Contains(ownFileSystems(), m.dev)
}

// sharedMemory returns the file system of memfds and other shared memory.
var sharedMemory = sync.OnceValue(func() uint64 {
	fd, err := unix.MemfdCreate("udrm", unix.MFD_CLOEXEC)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return 0
	}
	return st.Dev
})

// servesFaults reports whether userfaultfd serves faults of the mapping that begins
// at start.
func (t ID) servesFaults(start uint64) bool {
	text, err := os.ReadFile(t.path("smaps"))
	if err != nil {
		return true
	}
	prefix := strconv.FormatUint(start, 16) + "-"
	found := false
	for line := range bytes.Lines(text) {
		first, rest, _ := strings.Cut(string(line), " ")
		switch {
		case strings.HasPrefix(strings.TrimLeft(first, "0"), prefix):
			found = true
		case found && first == "VmFlags:":
			// Missing pages, write-protected ones, minor faults.
			return slices.ContainsFunc(strings.Fields(rest), func(flag string) bool { return flag == "um" || flag == "uw" || flag == "ui" })
		}
	}
	return true // it has changed
}
