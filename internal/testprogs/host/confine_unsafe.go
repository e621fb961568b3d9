package main

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const access = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR

// ioctlDev is the right to send requests to devices.
const ioctlDev = unix.LANDLOCK_ACCESS_FS_IOCTL_DEV

// landlockVersion returns the version of Landlock that the kernel has.
func landlockVersion() uintptr {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return version
}

// restrict allows this thread to open only what lies below dirs, which may be files.
func restrict(dirs []string) error { return restrictTo(dirs, access, access) }

// restrictTo denies this thread the handled rights, but for those allowed below
// dirs.
func restrictTo(dirs []string, handled, allowed uint64) error {
	rules := unix.LandlockRulesetAttr{Handled_access_fs: handled}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), 8, 0)
	if errno != 0 {
		return errno
	}
	for _, dir := range dirs {
		parent, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		rule := unix.LandlockPathBeneathAttr{Allowed_access: allowed, Parent_fd: int32(parent)}
		var st unix.Stat_t
		if err := unix.Fstat(parent, &st); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			rule.Allowed_access &^= unix.LANDLOCK_ACCESS_FS_READ_DIR
		}
		if _, _, errno = unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, fd, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
			return errno
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, errno = unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// crossing opens a path with openat2 while another thread makes it empty again
// and again.
func crossing([]string) {
	words := new([8]uint32)
	path := unsafe.Slice((*byte)(unsafe.Pointer(words)), unsafe.Sizeof(*words))
	copy(path, "/dev/dri/card0")
	whole := words[0]
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				atomic.StoreUint32(&words[0], 0)
				atomic.StoreUint32(&words[0], whole)
			}
		}
	}()
	how := unix.OpenHow{Flags: unix.O_RDWR | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_XDEV}
	for range 500 {
		_, _, errno := unix.Syscall6(unix.SYS_OPENAT2, ^uintptr(99), uintptr(unsafe.Pointer(words)), uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
		switch errno {
		case unix.EXDEV, unix.ENOENT, unix.EINTR:
		default:
			failf("openat2: %v, want EXDEV or ENOENT", errno)
		}
	}
	close(stop)
	<-stopped
}
