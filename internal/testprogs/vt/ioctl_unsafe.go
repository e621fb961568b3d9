package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// ioctl sends a request with a structure.
func ioctl(fd int, request uintptr, structure []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&structure[0])))
	if errno != 0 {
		return errno
	}
	return nil
}
