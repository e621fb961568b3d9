package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// ioctl makes a request with a structure.
func ioctl[T any](c *client, cmd uint, arg *T) error {
	return c.ioctlInt(cmd, uintptr(unsafe.Pointer(arg)))
}

// ioctlInt makes a request with a number, or an address.
func (c *client) ioctlInt(cmd uint, arg uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(c.fd), uintptr(cmd), arg); errno != 0 {
		return errno
	}
	return nil
}
