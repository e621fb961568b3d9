package host

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	sizeofStat   = uint64(unsafe.Sizeof(unix.Stat_t{}))
	sizeofStatx  = uint64(unsafe.Sizeof(unix.Statx_t{}))
	sizeofStatfs = uint64(unsafe.Sizeof(unix.Statfs_t{}))
)

// The structs as the bytes that the kernel would write.

func statBytes(st *unix.Stat_t) []byte { return structBytes(st) }

func statxBytes(st *unix.Statx_t) []byte { return structBytes(st) }

func statfsBytes(st *unix.Statfs_t) []byte { return structBytes(st) }

func structBytes[T unix.Stat_t | unix.Statx_t | unix.Statfs_t](st *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(st)), unsafe.Sizeof(*st))
}
