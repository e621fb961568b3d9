package confine

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/seccomp"
)

// refused are system calls that no host and no cleaner makes once it has
// started. Those that stay allowed are the ones that the Go runtime, package
// net and the host use or may come to use; they give no rights.
var refused = []uint32{
	// Programs and processes.
	unix.SYS_EXECVE, unix.SYS_EXECVEAT,
	// Mounts, roots and namespaces.
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT,
	unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_MOUNT_SETATTR,
	unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK,
	unix.SYS_SETNS, unix.SYS_UNSHARE, unix.SYS_OPEN_BY_HANDLE_AT,
	// The kernel and the machine.
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
	unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_REBOOT,
	unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT,
	unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_SYSLOG, unix.SYS_VHANGUP,
	unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
	// Interfaces that are large, and strange to a host.
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_FANOTIFY_INIT, unix.SYS_USERFAULTFD,
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
	// Other users. What a thread does as the user of a program takes setfsuid.
	unix.SYS_SETUID, unix.SYS_SETREUID, unix.SYS_SETRESUID,
	unix.SYS_SETGID, unix.SYS_SETREGID, unix.SYS_SETRESGID,
	unix.SYS_PERSONALITY,
}

// refusedRequests are further calls, for which the arguments count.
var refusedRequests = []seccomp.Trap{
	// A process, not a thread.
	{NR: unix.SYS_CLONE, Errno: unix.EPERM, Conds: []seccomp.Cond{{Arg: 0, Mask: unix.CLONE_THREAD, Op: seccomp.Equal, Value: 0}}},
	// Its flags are in memory, which no filter sees. C libraries use clone then.
	{NR: unix.SYS_CLONE3, Errno: unix.ENOSYS},
	{NR: unix.SYS_PRCTL, Errno: unix.EPERM, Conds: []seccomp.Cond{{Arg: 0, Op: seccomp.Equal, Value: unix.PR_SET_DUMPABLE}}},
	// Typing into the terminal.
	{NR: unix.SYS_IOCTL, Errno: unix.EPERM, Conds: []seccomp.Cond{{Arg: 1, Op: seccomp.Equal, Value: unix.TIOCSTI}}},
	{NR: unix.SYS_IOCTL, Errno: unix.EPERM, Conds: []seccomp.Cond{{Arg: 1, Op: seccomp.Equal, Value: unix.TIOCLINUX}}},
}

// Filter puts a filter on all threads of this process, for good. It also sets
// no_new_privs. No thread may have a filter that another one lacks.
func Filter() error {
	f := &seccomp.Filter{
		Arch: seccomp.NativeArch, Limit: seccomp.NativeLimit, OneArch: true,
		Traps: refusedRequests,
	}
	for _, nr := range slices.Concat(refused, ownRefused) {
		f.Traps = append(f.Traps, seccomp.Trap{NR: nr, Errno: unix.EPERM})
	}
	return seccomp.InstallOnAll(f)
}
