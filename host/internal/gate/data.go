package gate

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
)

// errNoWrite says that a thread waits in a call whose data cannot be read.
var errNoWrite = errors.New("gate: the call has no data in memory")

// refusals are the errors of calls that are not served, as they move data that
// lies in another file. Programs write(2) the data then.
var refusals = map[int]unix.Errno{
	unix.SYS_SENDFILE: unix.EINVAL,
	unix.SYS_SPLICE:   unix.EINVAL,
	unix.SYS_TEE:      unix.EINVAL,
	unix.SYS_VMSPLICE: unix.EBADF,
	unix.SYS_SENDTO:   unix.ENOTSOCK,
	unix.SYS_SENDMSG:  unix.ENOTSOCK,
	unix.SYS_SENDMMSG: unix.ENOTSOCK,
}

// written returns what the thread writes, as far as a file of sysfs takes it.
// EFAULT when the data is not in its memory. It can wait for the program.
func written(id thread.ID, b thread.Blocked) ([]byte, error) {
	buf := make([]byte, maxWrite)
	switch b.NR {
	case unix.SYS_WRITE:
		n := min(b.Args[2], maxWrite)
		err := id.Read(buf[:n], b.Args[1])
		return buf[:n], err
	case unix.SYS_WRITEV, unix.SYS_PWRITEV2:
		n := uint64(0)
		for i := uint64(0); i < b.Args[2] && n < maxWrite; i++ {
			base, length, err := readIovec(id, b.Args[1], i, b.Compat)
			if err != nil {
				return nil, err
			}
			length = min(length, maxWrite-n)
			if err := id.Read(buf[n:n+length], base); err != nil {
				return nil, err
			}
			n += length
		}
		return buf[:n], nil
	}
	return nil, errNoWrite
}

// readIovec reads element i of an array of struct iovec at addr.
func readIovec(id thread.ID, addr, i uint64, compat bool) (base, length uint64, err error) {
	if compat {
		var vec [8]byte
		err = id.Read(vec[:], addr+i*uint64(len(vec)))
		return uint64(binary.NativeEndian.Uint32(vec[:])), uint64(binary.NativeEndian.Uint32(vec[4:])), err
	}
	var vec [16]byte
	err = id.Read(vec[:], addr+i*uint64(len(vec)))
	return binary.NativeEndian.Uint64(vec[:]), binary.NativeEndian.Uint64(vec[8:]), err
}
