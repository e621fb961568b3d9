package host

import (
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// raiseDescriptorLimit raises RLIMIT_NOFILE of this process as far as it may:
// with CAP_SYS_RESOURCE to what the kernel allows at all.
//
// It makes the system call itself, because package syscall would then no longer
// restore the original limit in the programs that this process starts.
func raiseDescriptorLimit() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	raised := limit
	if text, err := os.ReadFile("/proc/sys/fs/nr_open"); err == nil {
		if most, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil {
			raised.Max = max(raised.Max, most)
		}
	}
	raised.Cur = raised.Max
	err := setDescriptorLimit(&raised)
	if err == unix.EPERM {
		limit.Cur = limit.Max
		err = setDescriptorLimit(&limit)
	}
	return err
}

func setDescriptorLimit(limit *unix.Rlimit) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(limit)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
