package kms_test

import "unsafe"

// structBytes are the bytes of a plain struct of the uAPI.
func structBytes[T any](v T) []byte {
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(&v)), unsafe.Sizeof(v))...)
}
