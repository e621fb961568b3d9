package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The requests of the device that the tests make; see device_test.go in
// package host.
const (
	reqNothing = 0x6440     // _IO('d', 0x40)
	reqSum     = 0xc0406441 // _IOWR('d', 0x41, 64 bytes)
	reqEvent   = 0x40086442 // _IOW('d', 0x42, 8 bytes)
	reqWait    = 0x6443     // _IO('d', 0x43)
	reqPanic   = 0x6444     // _IO('d', 0x44)
	reqUnplug  = 0x6445     // _IO('d', 0x45)
	reqCaller  = 0x80106446 // _IOR('d', 0x46, 16 bytes)
	reqFiles   = 0x80086447 // _IOR('d', 0x47, 8 bytes)
	reqWaiters = 0x80086448 // _IOR('d', 0x48, 8 bytes)
	reqFault   = 0x6449     // _IO('d', 0x49)
	reqVersion = 0xc0406400 // DRM_IOCTL_VERSION
)

// mapOffset is where the buffer of the device is mapped.
const (
	mapOffset = 1 << 40
	mapSize   = 1 << 20
)

type version struct {
	major, minor, patch int32
	_                   int32
	nameLen             uint64
	name                *byte
	dateLen             uint64
	date                *byte
	descLen             uint64
	desc                *byte
}

func ioctl(fd int, req uint32, arg uintptr) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(req), arg)
	if errno != 0 {
		return errno
	}
	return nil
}

func ioctlPtr[T any](fd int, req uint32, arg *T) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(req), uintptr(unsafe.Pointer(arg)))
	if errno != 0 {
		return errno
	}
	return nil
}

func getVersion(fd int) (string, error) {
	name := make([]byte, 64)
	v := version{nameLen: uint64(len(name)), name: &name[0]}
	if err := ioctlPtr(fd, reqVersion, &v); err != nil {
		return "", err
	}
	return string(name[:v.nameLen]), nil
}

// bytesAt is the mapping at addr.
func bytesAt(addr uintptr, size int) []byte {
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), size)
}

func mmap(fd int, size int, prot, flags int, offset int64) ([]byte, error) {
	addr, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, uintptr(size), uintptr(prot), uintptr(flags), uintptr(fd), uintptr(offset))
	if errno != 0 {
		return nil, errno
	}
	return bytesAt(addr, size), nil
}

func munmap(b []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_MUNMAP, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func rawFstat(fd int) (unix.Stat_t, error) {
	var st unix.Stat_t
	_, _, errno := unix.Syscall(unix.SYS_FSTAT, uintptr(fd), uintptr(unsafe.Pointer(&st)), 0)
	if errno != 0 {
		return st, errno
	}
	return st, nil
}

func getcwd() (string, error) {
	var buf [4096]byte
	n, _, errno := unix.Syscall(unix.SYS_GETCWD, uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0)
	if errno != 0 {
		return "", errno
	}
	return string(buf[:n-1]), nil
}

// rawOpenat passes any address as the path.
func rawOpenat(addr uintptr) error {
	const atFDCWD = ^uintptr(99)
	_, _, errno := unix.Syscall6(unix.SYS_OPENAT, atFDCWD, addr, unix.O_RDWR, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func rawMmap(fd int, addr, size uintptr, prot, flags int, offset uint64) (uintptr, error) {
	got, _, errno := unix.Syscall6(unix.SYS_MMAP, addr, size, uintptr(prot), uintptr(flags), uintptr(fd), uintptr(offset))
	if errno != 0 {
		return 0, errno
	}
	return got, nil
}

func rawRead(fd int, addr, size uintptr) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_READ, uintptr(fd), addr, size)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// pollNow is poll(2) of one descriptor, as the C library calls it, without a
// wait.
func pollNow(fd int) int16 {
	p := unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	for {
		_, _, errno := unix.Syscall(unix.SYS_POLL, uintptr(unsafe.Pointer(&p)), 1, 0)
		if errno == 0 {
			return p.Revents
		}
		if errno != unix.EINTR {
			check(errno)
		}
	}
}

// eventBytes is struct drm_event and 24 bytes of data.
func eventData(e []byte) uint64 { return *(*uint64)(unsafe.Pointer(&e[8])) }

func addrOf(b []byte) uintptr { return uintptr(unsafe.Pointer(&b[0])) }
