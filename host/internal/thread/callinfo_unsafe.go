package thread

import (
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// callInfo is struct ptrace_syscall_info, for the entry of a call.
type callInfo struct {
	_    structs.HostLayout
	op   uint8
	_    [3]uint8
	arch uint32 // AUDIT_ARCH_*
	ip   uint64
	sp   uint64
	nr   uint64
	args [6]uint64
}

// callArch returns the architecture of the call at whose entry a thread stops.
func callArch(t ID) (uint32, error) {
	var info callInfo
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(t), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	if info.op != unix.PTRACE_SYSCALL_INFO_ENTRY {
		return 0, unix.EINVAL
	}
	return info.arch, nil
}
