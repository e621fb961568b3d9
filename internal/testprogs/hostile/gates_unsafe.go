package main

import (
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call80 makes a system call of 32-bit programs, by int 0x80. It returns -ENOSYS
// where there is no such way: then the instruction faults.
func call80(nr, a, b, c uintptr) (result uintptr) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			result = ^uintptr(unix.ENOSYS) + 1 // -ENOSYS
		}
	}()
	return gate80(nr, a, b, c)
}

// gate80 is the instruction of call80. arm64 has none: -ENOSYS.
func gate80(nr, a, b, c uintptr) uintptr

// callAtAddress loads the registers for a system call and calls the code at p.
func callAtAddress(p *byte, nr, a, b, c, d, e, f uintptr) uintptr

func callAt(code []byte, nr, a, b, c, d, e, f uintptr) uintptr {
	return callAtAddress(unsafe.SliceData(code), nr, a, b, c, d, e, f)
}
