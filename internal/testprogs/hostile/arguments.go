package main

import (
	"os"
	"runtime/debug"
	"strconv"

	"golang.org/x/sys/unix"
)

// arguments makes each call that is handed over with memory that this process alone
// could provide, and does not: for a path, for what the call reads, and for what it
// writes. Paths lead to a virtual file, and through a virtual directory to a real one.
// It has so many threads for each as its first argument says. The second one names the
// only path, unless it is empty.
func arguments(args []string) {
	const cwd = ^uintptr(99) // AT_FDCWD
	debug.SetMaxThreads(manyThreads)
	_, page := missingPage()
	card := uintptr(openCard())
	socket := uintptr(must(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)))
	inotify := uintptr(must(unix.InotifyInit1(unix.IN_CLOEXEC)))
	name, text := textAt("user.x"), textAt("text")
	room := textAt("\x40" + string(make([]byte, 71))) // a struct file_handle for 64 bytes
	var calls [][]uintptr
	add := func(call ...uintptr) { calls = append(calls, call) }
	add(unix.SYS_OPENAT, cwd, page, unix.O_RDONLY)
	add(unix.SYS_CHDIR, page)
	add(unix.SYS_GETCWD, page, 4096)
	add(unix.SYS_FSTAT, card, page)
	add(unix.SYS_FSTATFS, card, page)
	add(unix.SYS_BIND, socket, page, 64)
	add(unix.SYS_DELETE_MODULE, page, unix.O_NONBLOCK)
	add(unix.SYS_INOTIFY_ADD_WATCH, inotify, page, unix.IN_CREATE)
	for _, t := range []uintptr{'d', 'b', '>'} {
		add(unix.SYS_IOCTL, card, 3<<30|64<<16|t<<8, page)
	}
	add(unix.SYS_LINKAT, cwd, page, cwd, page, 0)
	add(unix.SYS_RENAMEAT2, cwd, page, cwd, page, 0)
	add(unix.SYS_SYMLINKAT, page, cwd, page)
	add(unix.SYS_MKDIRAT, cwd, page, 0o700)
	for _, path := range []string{"/dev/dri/card0", "/sys/class/drm/card0", "/sys/class/drm/../../../etc/hostname"} {
		if args[1] != "" && path != args[1] {
			continue
		}
		path := textAt(path)
		add(unix.SYS_OPENAT2, cwd, path, page, unix.SizeofOpenHow)
		add(unix.SYS_NEWFSTATAT, cwd, path, page, 0)
		add(unix.SYS_STATX, cwd, path, 0, unix.STATX_BASIC_STATS, page)
		add(unix.SYS_READLINKAT, cwd, path, page, 64)
		add(unix.SYS_STATFS, path, page)
		add(unix.SYS_GETXATTR, path, page, text, 4)
		add(unix.SYS_GETXATTR, path, name, page, 64)
		add(unix.SYS_LISTXATTR, path, page, 64)
		add(unix.SYS_SETXATTR, path, page, text, 4, 0)
		add(unix.SYS_SETXATTR, path, name, page, 4, 0)
		add(unix.SYS_REMOVEXATTR, path, page)
		add(unix.SYS_GETXATTRAT, cwd, path, 0, name, page, 16)
		add(unix.SYS_SETXATTRAT, cwd, path, 0, name, page, 16)
		add(unix.SYS_LISTXATTRAT, cwd, path, 0, page, 64)
		add(unix.SYS_NAME_TO_HANDLE_AT, cwd, path, page, room, 0)
		add(unix.SYS_NAME_TO_HANDLE_AT, cwd, path, room, page, 0)
		add(unix.SYS_UTIMENSAT, cwd, path, page, 0)
		add(unix.SYS_FILE_GETATTR, cwd, path, page, 24, 0)
		add(unix.SYS_FILE_SETATTR, cwd, path, page, 24, 0)
	}
	started := make(chan struct{})
	for _, call := range calls {
		for range must(strconv.Atoi(args[0])) {
			go func() {
				started <- struct{}{}
				var a [7]uintptr
				copy(a[:], call)
				for {
					if _, _, errno := unix.Syscall6(a[0], a[1], a[2], a[3], a[4], a[5], a[6]); errno != unix.EINTR {
						return
					}
				}
			}()
			<-started
		}
	}
	hold()
	os.Exit(0)
}
