package thread

import "unsafe"

// addressOf returns where p lies.
func addressOf(p []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(p)))) }
