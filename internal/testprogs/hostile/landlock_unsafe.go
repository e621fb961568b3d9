package main

import (
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// openTries is how often landlock tries to open a card.
const openTries = 200

// landlock allows its thread only the files of a directory, and opens a card.
// Meanwhile other threads, for which no rules hold, change the memory, the code
// and the descriptors of the process, so that other calls than those of a test
// succeed. Its argument is the directory, in which it may make files.
func landlock(args []string) {
	allowed := args[0] + "/allowed"
	check(unix.Close(must(openat(unix.AT_FDCWD, allowed, unix.O_CREAT|unix.O_RDWR))))
	inside := must(unix.Open(args[0], unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
	null := must(unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0))
	file := must(unix.Open(allowed, unix.O_RDWR|unix.O_CLOEXEC, 0))
	code := must(unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS))
	copy(code, callCode)
	copy(code[16:], getpidCode)

	restrictTo(inside)

	var stop atomic.Bool
	attack := func(step func()) {
		go func() {
			for !stop.Load() {
				step()
			}
		}()
	}
	if _, _, errno := unix.Syscall(unix.SYS_MSEAL, 0, 0, 0); errno == 0 { // Linux 6.10
		// The next mapping of two pages is likely to be here.
		where, _, _ := unix.Syscall6(unix.SYS_MMAP, 0, 2*unix.PathMax, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uintptr(0), 0)
		unix.Syscall(unix.SYS_MUNMAP, where, 2*unix.PathMax, 0)
		path := append([]byte(allowed), 0)
		from := unix.Iovec{Base: &path[0], Len: uint64(len(path))}
		to := []unix.RemoteIovec{{Base: where, Len: len(path)}}
		attack(func() { _, _ = unix.ProcessVMWritev(os.Getpid(), []unix.Iovec{from}, to, 0) })
	}
	next := must(unix.Dup(null)) // the numbers of the next descriptors begin here
	check(unix.Close(next))
	attack(func() {
		for fd := next; fd < next+5; fd++ {
			for _, other := range []int{null, file, inside} {
				_ = unix.Dup3(other, fd, unix.O_CLOEXEC)
			}
			_ = unix.Close(fd)
		}
	})
	first := (*uint32)(unsafe.Pointer(&code[0]))
	attack(func() {
		atomic.StoreUint32(first, jumpWord)
		atomic.StoreUint32(first, callWord)
	})
	for range openTries {
		path := append([]byte("/dev/dri/card0"), 0)
		got := int(callAt(code, unix.SYS_OPENAT, ^uintptr(99), uintptr(unsafe.Pointer(&path[0])), unix.O_RDWR|unix.O_CLOEXEC, 0, 0, 0))
		if got >= 0 && got != os.Getpid() {
			failf("a card was opened: descriptor %d", got)
		}
	}
	stop.Store(true)
	os.Exit(0)
}

// restrictTo allows this thread to open only what lies below a directory.
func restrictTo(dir int) {
	const access = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	rules := unix.LandlockRulesetAttr{Handled_access_fs: access}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), 8, 0)
	if errno != 0 {
		failf("landlock_create_ruleset: %v", errno)
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(dir)}
	if _, _, errno = unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, fd, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
		failf("landlock_add_rule: %v", errno)
	}
	check(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	if _, _, errno = unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		failf("landlock_restrict_self: %v", errno)
	}
	check(unix.Close(int(fd)))
}
