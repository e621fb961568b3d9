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
// EFAULT when the data is not in its memory.
func written(id thread.ID, b thread.Blocked) (string, error) {
	var buf [maxWrite]byte
	switch b.NR {
	case unix.SYS_WRITE:
		n := min(b.Args[2], maxWrite)
		err := id.Read(buf[:n], b.Args[1])
		return string(buf[:n]), err
	case unix.SYS_WRITEV, unix.SYS_PWRITEV2:
		var vec [16]byte // struct iovec: base, length
		n := uint64(0)
		for i := uint64(0); i < b.Args[2] && n < maxWrite; i++ {
			if err := id.Read(vec[:], b.Args[1]+i*uint64(len(vec))); err != nil {
				return "", err
			}
			base, length := binary.NativeEndian.Uint64(vec[:]), binary.NativeEndian.Uint64(vec[8:])
			length = min(length, maxWrite-n)
			if err := id.Read(buf[n:n+length], base); err != nil {
				return "", err
			}
			n += length
		}
		return string(buf[:n]), nil
	}
	return "", errNoWrite
}
