package drm

import "unsafe"

func sizeOf[T any]() uint32 { return uint32(unsafe.Sizeof(*new(T))) }

// asStruct views an argument as the struct of its handler. The words keep it
// aligned for every struct of the uAPI; dispatch has made them as long as the
// larger of both sizes.
func asStruct[T any](arg []uint64) *T { return (*T)(unsafe.Pointer(unsafe.SliceData(arg))) }

// asBytes views an argument as the bytes that a client sees.
func asBytes(arg []uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(arg))), 8*len(arg))
}

// bytesOf views plain values as the bytes that a client sees.
func bytesOf[T any](s []T) []byte {
	mustBePlain[T]()
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), uintptr(len(s))*unsafe.Sizeof(*new(T)))
}
