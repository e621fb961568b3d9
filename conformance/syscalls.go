package conformance

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// syscalls is the System of real system calls, which a kernel or a host serves.
type syscalls struct{}

// Syscalls returns the [System] that makes real system calls.
func Syscalls() System { return syscalls{} }

func (syscalls) Open(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func (syscalls) Close(fd int) error { return unix.Close(fd) }

func (syscalls) Dup(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) }

func (syscalls) Ioctl(fd int, cmd uint32, arg uintptr) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(cmd), arg)
		if errno != unix.EINTR {
			return asErrno(errno)
		}
	}
}

func (syscalls) Read(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Read(fd, p)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

func (syscalls) Poll(fd int, events int16, timeout time.Duration) (int16, error) {
	deadline := time.Now().Add(timeout)
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
		_, err := unix.Poll(fds, pollTime(max(0, time.Until(deadline))))
		if err != unix.EINTR {
			return fds[0].Revents, err
		}
	}
}

func (syscalls) Seek(fd int, offset int64, whence int) (int64, error) {
	return unix.Seek(fd, offset, whence)
}

func (syscalls) Mmap(fd int, offset uint64, length int) ([]byte, error) {
	return unix.Mmap(fd, int64(offset), length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func (syscalls) Munmap(p []byte) error { return unix.Munmap(p) }

// Unprivileged removes CAP_SYS_ADMIN from the effective set of the thread while
// f runs.
func (syscalls) Unprivileged(f func()) error {
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var before [2]unix.CapUserData
	if err := unix.Capget(&header, &before[0]); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("capget: %w", err)
	}
	without := before
	without[0].Effective &^= 1 << unix.CAP_SYS_ADMIN
	if err := unix.Capset(&header, &without[0]); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("capset: %w", err)
	}
	// Deferred, because f may end the goroutine (FailNow). A thread that cannot
	// regain the privilege stays locked, and so ends with the goroutine.
	defer func() {
		if unix.Capset(&header, &before[0]) == nil {
			runtime.UnlockOSThread()
		}
	}()
	f()
	return nil
}
