package srcu

import "unsafe"

func pagePointer(page []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(page)) }
