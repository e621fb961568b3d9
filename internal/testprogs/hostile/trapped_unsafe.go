package main

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// trapped has a filter that traps fchdir, and changes to a virtual directory, which
// takes an fchdir of the host. The runtime would end this program by the signal.
func trapped([]string) {
	const ld, jeq, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	filter := []unix.SockFilter{
		{Code: ld}, // the number of the call
		{Code: jeq, Jf: 1, K: unix.SYS_FCHDIR},
		{Code: ret, K: unix.SECCOMP_RET_TRAP},
		{Code: ret, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	check(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program))); errno != 0 {
		failf("seccomp: %v", errno)
	}
	for range 3 {
		want("chdir", unix.Chdir("/sys/class/drm"), unix.EPERM)
		check(unix.Chdir("/usr"))
		check(unix.Access("/dev/dri/card0", unix.F_OK))
	}
	os.Exit(0)
}
