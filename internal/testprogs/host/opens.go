package main

import (
	"fmt"
	"path"
	"runtime"

	"golang.org/x/sys/unix"
)

// nodeOpens opens nodes in each way, and checks that the descriptor is of the node.
// Its argument is an empty directory. Where the virtual files are mounted and this
// program may mount, it opens them by bind mounts in that directory as well.
func nodeOpens(args []string) {
	nodes := []string{"/dev/dri/card0", "/dev/udmabuf", "/dev/dma_heap/system"}
	for _, node := range nodes {
		openEach(node, node)
	}
	if !filesAreMounts || unix.Getuid() != 0 {
		return
	}
	runtime.LockOSThread()
	check(unix.Unshare(unix.CLONE_NEWNS))
	check(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	for i, node := range nodes {
		at := path.Join(args[0], fmt.Sprint(i))
		check(unix.Close(must(unix.Open(at, unix.O_CREAT|unix.O_WRONLY, 0o666))))
		check(unix.Mount(node, at, "", unix.MS_BIND, ""))
		openEach(at, node)
	}
	dir := path.Join(args[0], "dri")
	check(unix.Mkdir(dir, 0o755))
	check(unix.Mount("/dev/dri", dir, "", unix.MS_BIND, ""))
	openEach(dir+"/card0", "/dev/dri/card0")
}

func openEach(at, node string) {
	var want unix.Stat_t
	check(unix.Stat(node, &want))
	equal(want.Mode&unix.S_IFMT, unix.S_IFCHR, "the type of "+node)
	for _, flags := range []int{unix.O_RDONLY, unix.O_WRONLY, unix.O_RDWR, unix.O_CREAT, unix.O_CREAT | unix.O_WRONLY | unix.O_TRUNC} {
		what := fmt.Sprintf("open of %s with %#x", at, flags)
		fd, err := unix.Open(at, flags, 0o666)
		checkOpened(fd, err, flags, &want, what)
		fd, err = unix.Openat2(unix.AT_FDCWD, at, &unix.OpenHow{Flags: uint64(flags)})
		checkOpened(fd, err, flags, &want, "openat2: "+what)
	}
	fd := must(unix.Open(at, unix.O_PATH, 0))
	var st unix.Stat_t
	check(unix.Fstat(fd, &st))
	equal(st.Rdev, want.Rdev, "the device of a descriptor with O_PATH")
	check(unix.Close(fd))
	check(unix.Access(at, unix.R_OK|unix.W_OK))
	if unix.Access(at, unix.X_OK) != unix.EACCES {
		failf("%s can be executed", at)
	}
	var after unix.Stat_t
	check(unix.Stat(at, &after))
	equal(after.Mode, want.Mode, "the mode of "+at)
}

func checkOpened(fd int, err error, flags int, node *unix.Stat_t, what string) {
	if err != nil {
		failf("%s: %v", what, err)
	}
	st := must(fstat(fd))
	equal(st.Rdev, node.Rdev, what+": the device")
	got := must(unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0))
	equal(got&unix.O_ACCMODE, flags&unix.O_ACCMODE, what+": F_GETFL")
	check(unix.Close(fd))
}
