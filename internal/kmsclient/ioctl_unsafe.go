package kmsclient

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// Ioctl sends the request cmd with the struct that arg points to. It is sent
// again when a signal interrupted it, as libdrm does. The error wraps the
// errno.
func Ioctl[T any](c *Card, cmd uint32, arg *T) error {
	errno := ioctl(c.FD, cmd, unsafe.Pointer(arg))
	if errno != 0 {
		return fmt.Errorf("%s: %s: %w", c.Path, uapi.IoctlName(cmd), errno)
	}
	return nil
}

// IoctlAt sends the request cmd with the argument at an address that need not
// be memory, and returns what the kernel answers.
func IoctlAt(fd int, cmd uint32, addr uintptr) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(cmd), addr)
	return errno
}

func ioctl(fd int, cmd uint32, arg unsafe.Pointer) unix.Errno {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(cmd), uintptr(arg))
		if errno != unix.EINTR && errno != unix.EAGAIN {
			return errno
		}
	}
}

// address returns the address of the elements of s, for the arrays that
// requests point to. It stays valid until pin is unpinned.
func address[T any](pin *runtime.Pinner, s []T) uint64 {
	if len(s) == 0 {
		return 0
	}
	p := &s[0]
	pin.Pin(p)
	return uint64(uintptr(unsafe.Pointer(p)))
}

// Errno returns the errno that err wraps, 0 for nil.
func Errno(err error) unix.Errno {
	var errno unix.Errno
	if err != nil && !errors.As(err, &errno) {
		panic(fmt.Sprintf("kmsclient: an error without an errno: %v", err))
	}
	return errno
}
