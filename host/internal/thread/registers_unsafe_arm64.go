package thread

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// ntArmSystemCall is NT_ARM_SYSTEM_CALL, the register set that has the number of
// the call that a thread is in.
const ntArmSystemCall = 0x404

// callRegSet gets or sets that number.
func callRegSet(request uintptr, t ID, nr *int32) error {
	vector := unix.Iovec{Base: (*byte)(unsafe.Pointer(nr)), Len: uint64(unsafe.Sizeof(*nr))}
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, request, uintptr(t), ntArmSystemCall, uintptr(unsafe.Pointer(&vector)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
