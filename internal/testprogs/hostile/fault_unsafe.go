package main

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests and structs of linux/userfaultfd.h.
const (
	uffdioAPI      = 0xc018aa3f
	uffdioRegister = 0xc020aa00
	uffdioCopy     = 0xc028aa03
	uffdAPI        = 0xaa
	modeMissing    = 1
)

// missingPage returns a descriptor that tells of accesses to a page, and the
// page's address. The access waits for the page.
func missingPage() (faults int, page uintptr) {
	faults, _, page = missing(1, 0)
	return faults, page
}

// missingLast returns the address of some pages in memory, and that of the last one,
// which is a missing page. Reads of the descriptor do not wait.
func missingLast(pages int) (faults int, first, last uintptr) {
	return missing(pages, unix.O_NONBLOCK)
}

func missing(pages, flags int) (faults int, first, last uintptr) {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, uintptr(unix.O_CLOEXEC|flags), 0, 0)
	if errno != 0 {
		failf("userfaultfd: %v", errno)
	}
	api := struct{ api, features, ioctls uint64 }{api: uffdAPI}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, uffdioAPI, uintptr(unsafe.Pointer(&api))); errno != 0 {
		failf("UFFDIO_API: %v", errno)
	}
	size := os.Getpagesize()
	memory := must(unix.Mmap(-1, 0, pages*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS))
	first = uintptr(unsafe.Pointer(&memory[0]))
	last = first + uintptr((pages-1)*size)
	for i := range pages - 1 {
		memory[i*size] = 1
	}
	register := struct{ start, length, mode, ioctls uint64 }{uint64(last), uint64(size), modeMissing, 0}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, uffdioRegister, uintptr(unsafe.Pointer(&register))); errno != 0 {
		failf("UFFDIO_REGISTER: %v", errno)
	}
	return int(fd), first, last
}

// providePage provides a page that begins with these bytes.
func providePage(faults int, page uintptr, begin []byte) {
	content := make([]byte, 2*os.Getpagesize())
	skip := -int(uintptr(unsafe.Pointer(&content[0]))) & (os.Getpagesize() - 1)
	copy(content[skip:], begin)
	request := struct {
		dst, src, length, mode uint64
		copied                 int64
	}{uint64(page), uint64(uintptr(unsafe.Pointer(&content[skip]))), uint64(os.Getpagesize()), 0, 0}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(faults), uffdioCopy, uintptr(unsafe.Pointer(&request))); errno != 0 {
		failf("UFFDIO_COPY: %v", errno)
	}
}

// accessAt looks for the path at an address.
func accessAt(path uintptr) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_FACCESSAT, ^uintptr(99), path, unix.F_OK) // AT_FDCWD
	return errno
}

// takePage takes a page away that was provided.
func takePage(page uintptr) {
	if _, _, errno := unix.Syscall(unix.SYS_MADVISE, page, uintptr(os.Getpagesize()), unix.MADV_DONTNEED); errno != 0 {
		failf("madvise: %v", errno)
	}
}

// pollAt waits until one of n descriptors is ready that stand at an address.
func pollAt(fds uintptr, n int) unix.Errno {
	_, _, errno := unix.Syscall6(unix.SYS_PPOLL, fds, uintptr(n), 0, 0, 0, 0)
	return errno
}

// textAt returns the address of a text with a zero byte at its end.
func textAt(text string) uintptr {
	memory := must(unix.Mmap(-1, 0, len(text)+1, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS))
	copy(memory, text)
	return uintptr(unsafe.Pointer(&memory[0]))
}
