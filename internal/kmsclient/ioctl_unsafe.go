package kmsclient

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// Ioctl sends the request cmd with the struct that arg points to. The error
// names the request.
func Ioctl[T any](f File, cmd uint32, arg *T) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(arg)
	if err := f.Ioctl(cmd, uintptr(unsafe.Pointer(arg))); err != nil {
		return fmt.Errorf("%s: %w", uapi.IoctlName(cmd), err)
	}
	return nil
}

// IoctlAt makes one ioctl system call. arg is an address that need not be
// valid, or no address at all. A signal ends the call: EINTR.
func IoctlAt(fd int, cmd uint32, arg uintptr) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(cmd), arg)
	return errno
}

// IoctlOnce is [IoctlAt] with the struct that arg points to.
func IoctlOnce[T any](fd int, cmd uint32, arg *T) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(cmd), uintptr(unsafe.Pointer(arg)))
	return errno
}

// Address returns the address of the elements of s, for the arrays that
// requests point to; 0 when s is empty. It stays valid until pin is unpinned.
func Address[T any](pin *runtime.Pinner, s []T) uint64 {
	if len(s) == 0 {
		return 0
	}
	p := &s[0]
	pin.Pin(p)
	return uint64(uintptr(unsafe.Pointer(p)))
}

// bytesOf returns the memory of a struct of the uAPI, which holds no pointers.
func bytesOf[T any](p *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p))
}
