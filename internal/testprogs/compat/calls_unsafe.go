package main

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/internal/kmsclient"
)

// The structures of drm.h and drm_mode.h as a C compiler lays them out: uintptr
// stands for long and for pointers.
type (
	version struct {
		Major, Minor, Patch int32
		NameLen, Name       uintptr
		DateLen, Date       uintptr
		DescLen, Desc       uintptr
	}
	unique struct{ Len, Name uintptr }
	client struct {
		Index, Auth           int32
		PID, UID, Magic, IOCs uintptr
	}
	stats struct {
		Count uintptr
		Data  [15]struct {
			Value uintptr
			Type  uint32
		}
	}
	waitVblank struct {
		Type, Sequence uint32
		Value, USec    uintptr // the signal, or the time
	}
	fbCmd2 struct {
		ID, Width, Height, Format, Flags uint32
		Handles, Pitches, Offsets        [4]uint32
		Modifiers                        [4]uint64
	}
)

// request returns the number of a request of DRM.
func request(dir, nr uint32, size uintptr) uint32 { return dir<<30 | uint32(size)<<16 | 'd'<<8 | nr }

// ioctl sends a request that reads and writes arg.
func ioctl[T any](fd int, nr uint32, arg *T) error { return ioctlDir(fd, 3, nr, arg) }

func ioctlDir[T any](fd int, dir, nr uint32, arg *T) error {
	for {
		errno := kmsclient.IoctlOnce(fd, request(dir, nr, unsafe.Sizeof(*arg)), arg)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// call makes a call that describes a file in out.
func call(nr uintptr, path []byte, fd int, byFD bool, out []uint32) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&path[0])
	file := uintptr(unsafe.Pointer(&path[0]))
	if byFD {
		file = uintptr(fd)
	}
	if _, _, errno := unix.Syscall(nr, file, uintptr(unsafe.Pointer(&out[0])), 0); errno != 0 {
		return errno
	}
	return nil
}

// getxattrat asks for an attribute by the call of Linux 6.13.
func getxattrat(path, name string) error {
	at, attribute := append([]byte(path), 0), append([]byte(name), 0)
	var args [2]uint64 // a pointer; a size and flags
	const cwd = unix.AT_FDCWD & (1<<32 - 1)
	_, _, errno := unix.Syscall6(unix.SYS_GETXATTRAT, uintptr(cwd), uintptr(unsafe.Pointer(&at[0])), 0,
		uintptr(unsafe.Pointer(&attribute[0])), uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args))
	if errno != 0 {
		return errno
	}
	return nil
}
