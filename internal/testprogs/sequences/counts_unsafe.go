package main

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// counts lie in memory that all workers share, so that they outlive a kill.
type counts struct {
	workers, killed, calls atomic.Uint64
	// answers by errno. The last has those that are no errno of the kernel.
	answers [kinds][maxErrno + 2]atomic.Uint64
}

// maxErrno is EHWPOISON, the greatest errno that programs see.
const maxErrno = 133

const countsSize = int64(unsafe.Sizeof(counts{}))

func mapCounts(fd int) *counts {
	memory, err := unix.Mmap(fd, 0, int(countsSize), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	check(err)
	return (*counts)(unsafe.Pointer(&memory[0]))
}

func (c *counts) add(k kind, errno unix.Errno) {
	c.calls.Add(1)
	c.answers[k][min(uint64(errno), maxErrno+1)].Add(1)
}

// report returns the counts by call and errno.
func (c *counts) report() map[string]any {
	answers := make(map[string]map[string]uint64)
	for k := range c.answers {
		answers[kindNames[k]] = make(map[string]uint64)
		for errno := range c.answers[k] {
			if n := c.answers[k][errno].Load(); n != 0 {
				answers[kindNames[k]][errnoName(errno)] = n
			}
		}
	}
	return map[string]any{"workers": c.workers.Load(), "killed": c.killed.Load(), "calls": c.calls.Load(), "answers": answers}
}

func errnoName(errno int) string {
	switch errno {
	case 0:
		return "0"
	case maxErrno + 1:
		return "no errno"
	}
	if name := unix.ErrnoName(unix.Errno(errno)); name != "" {
		return name
	}
	return fmt.Sprint("errno ", errno)
}

// call makes a system call and counts its answer.
func (w *worker) call(k kind, nr uintptr, args ...uintptr) (uintptr, unix.Errno) {
	var a [6]uintptr
	copy(a[:], args)
	got, _, errno := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	w.counts.add(k, errno)
	return got, errno
}

// newArena returns memory for arguments, with a page behind it that cannot be
// accessed: what the host writes beyond the end is EFAULT.
func newArena() []byte {
	memory, err := unix.Mmap(-1, 0, arenaSize+pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	check(err)
	check(unix.Mprotect(memory[arenaSize:], unix.PROT_NONE))
	return memory[:arenaSize]
}

func addressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
