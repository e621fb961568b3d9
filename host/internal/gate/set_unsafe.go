package gate

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// signal is what the kernel sends when a thread is about to wait for room in a
// pipe. Only the thread that receives it gets it.
const signal = unix.Signal(63)

// fcntl(2), see linux/fcntl.h.
const (
	fSetSig   = 10
	fSetOwnEx = 15
	ownerTID  = 0 // F_OWNER_TID
)

// notify makes the kernel send the thread tid a signal, with the descriptor,
// when a writer of the pipe fd waits and when the last write end is closed.
func notify(fd, tid int) error {
	owner := struct{ typ, pid int32 }{ownerTID, int32(tid)} // struct f_owner_ex
	if _, _, errno := unix.Syscall(unix.SYS_FCNTL, uintptr(fd), fSetOwnEx, uintptr(unsafe.Pointer(&owner))); errno != 0 {
		return errno
	}
	if _, err := unix.FcntlInt(uintptr(fd), fSetSig, int(signal)); err != nil {
		return err
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_ASYNC|unix.O_NONBLOCK)
	return err
}

// siginfo is siginfo_t as the kernel fills it for a descriptor.
type siginfo struct {
	signo, errno, code int32
	_                  int32
	_                  int64 // si_band
	fd                 int32
	_                  [100]byte
}

// receive waits for the signal, and returns the descriptor, or -1 after
// timeout. Signals of full queues arrive as SIGIO, without a descriptor. All
// signals must be blocked.
func receive(timeout time.Duration) (fd int) {
	set := uint64(1)<<(signal-1) | 1<<(unix.SIGIO-1)
	ts := unix.NsecToTimespec(timeout.Nanoseconds())
	var info siginfo
	n, _, _ := unix.Syscall6(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&set)), uintptr(unsafe.Pointer(&info)),
		uintptr(unsafe.Pointer(&ts)), unsafe.Sizeof(set), 0, 0)
	if unix.Signal(n) != signal || info.code <= 0 {
		return -1
	}
	return int(info.fd)
}
