package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawOpenat opens with a path at any address.
func rawOpenat(addr uintptr) error {
	const atFDCWD = ^uintptr(99)
	_, _, errno := unix.Syscall6(unix.SYS_OPENAT, atFDCWD, addr, unix.O_RDWR, 0, 0, 0)
	return asError(errno)
}

func rawMmap(fd int, addr, size uintptr, prot, flags int, offset uint64) (uintptr, error) {
	got, _, errno := unix.Syscall6(unix.SYS_MMAP, addr, size, uintptr(prot), uintptr(flags), uintptr(fd), uintptr(offset))
	return got, asError(errno)
}

// rawRead reads to any address.
func rawRead(fd int, addr, size uintptr) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_READ, uintptr(fd), addr, size)
	return int(n), asError(errno)
}

// pollNow polls one descriptor without waiting, by the oldest call that the
// architecture has.
func pollNow(fd int) int16 {
	p := unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	for {
		_, _, errno := unix.Syscall6(poll, uintptr(unsafe.Pointer(&p)), 1, noTimeout(), 0, 0, 0)
		if errno == 0 {
			return p.Revents
		}
		if errno != unix.EINTR {
			check(errno)
		}
	}
}

func addrOf(b []byte) uintptr { return uintptr(unsafe.Pointer(&b[0])) }
