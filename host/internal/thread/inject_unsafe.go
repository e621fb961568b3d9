package thread

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// seize attaches without stopping the thread. Stops at system calls will be
// marked with 0x80, to tell them from a real SIGTRAP.
//
// It can block: an exec of the process waits until the tracers of its other
// threads have seen them end. Those tracers are threads of this process, so the
// Go scheduler must know.
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

// A childInfo is the siginfo_t of SIGCHLD (struct siginfo of the kernel).
type childInfo struct {
	signo, errno, code, _ int32
	pid, uid, status      int32
	_                     [100]byte
}

// exited reports whether the child has ended: CLD_EXITED, CLD_KILLED or
// CLD_DUMPED.
func (i *childInfo) exited() bool { return i.code >= 1 && i.code <= 3 }

// waitID is waitid(2) for a thread.
func waitID(t ID, options int) (info childInfo, err error) {
	return waitFor(unix.P_PID, t, options)
}

// hasTracees reports whether the calling thread still traces another one, or has
// children.
func hasTracees() bool {
	_, err := waitFor(unix.P_ALL, 0, unix.WEXITED|unix.WSTOPPED|unix.WNOHANG|unix.WNOWAIT|unix.WALL|unix.WNOTHREAD)
	return err != unix.ECHILD
}

func waitFor(idType int, t ID, options int) (info childInfo, err error) {
	_, _, errno := unix.Syscall6(unix.SYS_WAITID, uintptr(idType), uintptr(t), uintptr(unsafe.Pointer(&info)), uintptr(options), 0, 0)
	if errno != 0 {
		return info, errno
	}
	return info, nil
}
