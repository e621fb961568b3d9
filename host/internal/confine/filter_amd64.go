package confine

import "golang.org/x/sys/unix"

// ownRefused are further calls of refused, which other architectures lack.
var ownRefused = []uint32{unix.SYS_FORK, unix.SYS_VFORK, unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_MODIFY_LDT}
