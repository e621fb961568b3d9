package seccomp

import (
	"fmt"
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sockFprog is struct sock_fprog.
type sockFprog struct {
	_      structs.HostLayout
	len    uint16
	filter *unix.SockFilter
}

func setModeFilter(flags uintptr, program []unix.SockFilter) (fd int, err error) {
	prog := sockFprog{len: uint16(len(program)), filter: unsafe.SliceData(program)}
	r, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return -1, errno
	}
	return int(r), nil
}

// checkSizes refuses a kernel whose structs have grown beyond ours: it would
// write past the end of them.
func checkSizes() error {
	var sizes struct{ notif, resp, data uint16 }
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_NOTIF_SIZES, 0, uintptr(unsafe.Pointer(&sizes))); errno != 0 {
		return fmt.Errorf("seccomp: asking for the sizes of notifications: %w", errno)
	}
	if uintptr(sizes.notif) != unsafe.Sizeof(Notification{}) || uintptr(sizes.resp) != unsafe.Sizeof(response{}) {
		return fmt.Errorf("seccomp: the kernel's notifications have %d and %d bytes, this program knows %d and %d: it is too old for this kernel",
			sizes.notif, sizes.resp, unsafe.Sizeof(Notification{}), unsafe.Sizeof(response{}))
	}
	return nil
}

func (l *Listener) ioctl(cmd, arg uintptr) error {
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(l.fd), cmd, arg)
	return asError(errno)
}

// receive blocks: the scheduler must know.
func (l *Listener) receive(n *Notification) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(l.fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(n)))
	return asError(errno)
}

// valid and send do not block, and are called for every notification: they
// save what telling the scheduler costs.
func (l *Listener) valid(id *uint64) error {
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(l.fd), unix.SECCOMP_IOCTL_NOTIF_ID_VALID, uintptr(unsafe.Pointer(id)))
	return asError(errno)
}

func (l *Listener) send(r *response) error {
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(l.fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(r)))
	return asError(errno)
}

// addFD waits until the target has taken the descriptor.
func (l *Listener) addFD(a *addfd) (int, error) {
	r, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(l.fd), unix.SECCOMP_IOCTL_NOTIF_ADDFD, uintptr(unsafe.Pointer(a)))
	return int(r), asError(errno)
}

func asError(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}
