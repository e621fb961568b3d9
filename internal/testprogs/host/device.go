package main

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// The requests of the device that the tests make; see device_test.go of package
// host.
var (
	reqNothing = uapi.IO(uapi.CommandBase)
	reqSum     = uapi.IOWR(uapi.CommandBase+1, 64)
	reqEvent   = uapi.IOW(uapi.CommandBase+2, 8)
	reqWait    = uapi.IO(uapi.CommandBase + 3)
	reqPanic   = uapi.IO(uapi.CommandBase + 4)
	reqUnplug  = uapi.IO(uapi.CommandBase + 5)
	reqCaller  = uapi.IOR(uapi.CommandBase+6, 16)
	reqFiles   = uapi.IOR(uapi.CommandBase+7, 8)
	reqWaiters = uapi.IOR(uapi.CommandBase+8, 8)
	reqFault   = uapi.IO(uapi.CommandBase + 9)
	reqHold    = uapi.IO(uapi.CommandBase + 10)
)

// The buffer of the device can be mapped at mapOffset.
const (
	mapOffset = 1 << 40
	mapSize   = 1 << 20
)

// ioctl makes one ioctl system call, with an argument that need not be an
// address. A signal ends it.
func ioctl(fd int, req uint32, arg uintptr) error { return asError(kmsclient.IoctlAt(fd, req, arg)) }

// ioctlPtr is ioctl with the struct that arg points to.
func ioctlPtr[T any](fd int, req uint32, arg *T) error {
	return asError(kmsclient.IoctlOnce(fd, req, arg))
}

func asError(errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

// client returns the KMS client of an open file.
func client(fd int) *kmsclient.Client { return kmsclient.FromFD(fd) }

// driverName returns the name of the driver, or an errno.
func driverName(fd int) (string, error) {
	name, err := client(fd).Driver()
	return name, asError(kmsclient.Errno(err))
}

func mmap(fd int, size int, prot, flags int, offset int64) ([]byte, error) {
	return unix.Mmap(fd, offset, size, prot, flags)
}

func munmap(b []byte) error { return unix.Munmap(b) }

func fstat(fd int) (st unix.Stat_t, err error) {
	err = unix.Fstat(fd, &st)
	return st, err
}

func getcwd() (string, error) {
	var buf [4096]byte
	n, err := unix.Getcwd(buf[:])
	return unix.ByteSliceToString(buf[:max(n, 0)]), err
}
