package thread

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// seize attaches without stopping. Stops for system calls will be marked with
// 0x80, so that a real SIGTRAP can be told from them.
//
// It can wait: for an exec of the process, which waits for the tracers of its
// other threads to see them dead. Those tracers are threads of ours, so the
// scheduler must know.
func seize(t ID) error {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(t), 0, unix.PTRACE_O_TRACESYSGOOD, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// sigmask gets or sets the set of blocked signals.
func sigmask(request uintptr, t ID, mask *uint64) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, request, uintptr(t), unsafe.Sizeof(*mask), uintptr(unsafe.Pointer(mask)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
