package main

import "unsafe"

// call80 makes a system call of 32-bit programs, by int 0x80. It returns -ENOSYS
// where there is no such way.
func call80(nr, a, b, c uintptr) uintptr

// callAtAddress loads the registers for a system call and calls the code at p.
func callAtAddress(p *byte, nr, a, b, c, d, e, f uintptr) uintptr

func callAt(code []byte, nr, a, b, c, d, e, f uintptr) uintptr {
	return callAtAddress(unsafe.SliceData(code), nr, a, b, c, d, e, f)
}
