package child

import (
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A sigaction is struct sigaction of the kernel.
type sigaction struct {
	_        structs.HostLayout
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

const noStops = 1 // SA_NOCLDSTOP

// ignoreStops makes the kernel send SIGCHLD only for children that end, and not
// for each stop of a thread that this process traces. Every mapping of a buffer
// makes a thread stop five times.
func ignoreStops() error {
	var action sigaction
	size := unsafe.Sizeof(action.mask)
	if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGCHLD), 0, uintptr(unsafe.Pointer(&action)), size, 0, 0); errno != 0 {
		return errno
	}
	action.flags |= noStops
	if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGCHLD), uintptr(unsafe.Pointer(&action)), 0, size, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
