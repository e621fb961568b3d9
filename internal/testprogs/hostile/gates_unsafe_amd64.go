package main

import "unsafe"

// call80 makes a system call by int 0x80.
func call80(nr, a, b, c uintptr) uintptr

// callAt loads the registers for a system call and calls the code at p.
func callAtAddress(p *byte, nr, a, b, c, d, e, f uintptr) uintptr

func callAt(code []byte, nr, a, b, c, d, e, f uintptr) uintptr {
	return callAtAddress(unsafe.SliceData(code), nr, a, b, c, d, e, f)
}
