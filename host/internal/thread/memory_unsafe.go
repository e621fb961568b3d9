package thread

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// transferDirectly is transfer by process_vm_readv or process_vm_writev.
func transferDirectly(call uintptr, t ID, p []byte, addr uint64) (int, error) {
	local := unix.Iovec{Base: unsafe.SliceData(p), Len: uint64(len(p))}
	remote := unix.RemoteIovec{Base: uintptr(addr), Len: len(p)}
	n, _, errno := unix.Syscall6(call, uintptr(t), uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&remote)), 1, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// readlink reads the link at path below dir; path ends with a NUL.
func readlink(dir int, path []byte, buf []byte) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(&path[0])),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
