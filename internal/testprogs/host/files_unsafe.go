package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pathCall makes a system call whose argument i is a path, by a raw call: the
// result is the errno, or 0.
func pathCall(nr uintptr, i int, path string, args ...uintptr) (result uintptr, err error) {
	p := must(unix.BytePtrFromString(path))
	var a [6]uintptr
	copy(a[:], args)
	a[i] = uintptr(unsafe.Pointer(p))
	result, _, errno := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return result, errno
	}
	return result, nil
}

// fileCalls makes the calls on paths that only some programs make, such as ls,
// cp, tar and systemd, on virtual files and on a real one by a path that leads
// through virtual directories.
func fileCalls(args []string) {
	node, dir, attr := "/dev/dri/card0", "/dev/dri", "/sys/class/drm/card0/dev"
	buf := make([]byte, 64)
	for _, path := range []string{node, dir, attr, "/sys/class/drm"} {
		equal(must(unix.Listxattr(path, buf)), 0, "the attributes of "+path)
		equal(must(unix.Llistxattr(path, buf)), 0, "the attributes of "+path)
		_, err := unix.Getxattr(path, "user.x", buf)
		want(err, unix.ENODATA, "getxattr of "+path)
		_, err = unix.Lgetxattr(path, "nonsense", buf)
		want(err, unix.EOPNOTSUPP, "an attribute outside of the namespaces")
		want(unix.Setxattr(path, "user.x", nil, 0x10), unix.EINVAL, "setxattr with wrong flags")
	}
	want(unix.Setxattr(node, "user.x", []byte("1"), 0), unix.EPERM, "setxattr of a node")
	want(unix.Lremovexattr(node, "user.x"), unix.EPERM, "removexattr of a node")
	want(unix.Setxattr(attr, "", nil, 0), unix.ERANGE, "an empty name")

	handle := func(path string, size uint32, flags int) ([]byte, int32, error) {
		h := make([]byte, 8+128)
		binary.NativeEndian.PutUint32(h, size)
		var mount int32
		_, err := pathCall(unix.SYS_NAME_TO_HANDLE_AT, 1, path, ^uintptr(99), 0,
			uintptr(unsafe.Pointer(&h[0])), uintptr(unsafe.Pointer(&mount)), uintptr(flags))
		return h, mount, err
	}
	first, mount, err := handle(node, 128, 0)
	check(err)
	again, sameMount, err := handle(node, 128, 0)
	check(err)
	other, _, err := handle(dir, 128, 0)
	check(err)
	if !bytes.Equal(first, again) || mount != sameMount || bytes.Equal(first, other) {
		failf("handles: %x, %x, other file %x", first, again, other)
	}
	short, _, err := handle(node, 0, 0)
	want(err, unix.EOVERFLOW, "a handle without room")
	equal(binary.NativeEndian.Uint32(short), binary.NativeEndian.Uint32(first), "the size that is asked for")
	_, _, err = handle(node, 128, 0x10)
	want(err, unix.EINVAL, "a handle with wrong flags")
	if !isMount(dir) {
		_, _, err = handle(attr, 128, 0)
		want(err, unix.EOPNOTSUPP, "a handle of an attribute")
		mountIDs(node, attr)
	}

	fd := must(unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLOEXEC))
	equal(fdLink(fd), dir, "what open_tree opened")
	check(unix.Close(fd))

	check(unix.UtimesNanoAt(unix.AT_FDCWD, node, []unix.Timespec{{Sec: 12, Nsec: 34}, {Nsec: unix.UTIME_OMIT}}, 0))
	var st unix.Stat_t
	check(unix.Stat(node, &st))
	equal(st.Atim, unix.Timespec{Sec: 12, Nsec: 34}, "the time that was set")
	if st.Mtim.Sec == 12 {
		failf("the other time was set")
	}
	want(unix.UtimesNanoAt(unix.AT_FDCWD, node, []unix.Timespec{{Nsec: 1e9}, {}}, 0), unix.EINVAL, "a wrong time")

	attr24 := make([]byte, 24)
	fileGetattr := func(path string, size, flags uintptr) error {
		_, err := pathCall(unix.SYS_FILE_GETATTR, 1, path, ^uintptr(99), 0, uintptr(unsafe.Pointer(&attr24[0])), size, flags)
		return err
	}
	if err := fileGetattr("/dev", 24, 0); err != unix.ENOSYS { // Linux 6.17 and later
		want(err, 0, "file_getattr of a real directory")
		want(fileGetattr(dir, 24, 0), 0, "file_getattr of a directory")
		want(fileGetattr(node, 24, 0), unix.EOPNOTSUPP, "file_getattr of a node")
		want(fileGetattr(attr, 24, unix.AT_SYMLINK_NOFOLLOW), unix.EOPNOTSUPP, "file_getattr of an attribute")
		want(fileGetattr(node, 8, 0), unix.EINVAL, "file_getattr of a short structure")
		want(fileGetattr(node, 24, 1), unix.EINVAL, "file_getattr with wrong flags")
	}

	existing := args[0] + ".existing"
	check(os.WriteFile(existing, nil, 0o600))
	for _, path := range []string{dir, node, attr, "/sys/class/drm"} {
		want(unix.Mknod(path, unix.S_IFREG|0o600, 0), unix.EEXIST, "mknod at "+path)
		want(unix.Link(existing, path), unix.EEXIST, "link to "+path)
		want(unix.Link(path, args[0]), unix.EXDEV, "link of "+path)
		want(unix.Link(args[0]+".missing", path), unix.ENOENT, "link of a missing file to "+path)
		want(unix.Rename(args[0]+".missing", path), unix.EXDEV, "rename of a missing file to "+path)
		want(unix.Rename(path, args[0]), unix.EXDEV, "rename of "+path)
	}
	want(unix.Rename(node, node+"x"), unix.EPERM, "rename of a node")
	want(unix.Rename(attr, "/sys/class/drm/card0/uevent"), unix.EPERM, "rename of an attribute")
	want(unix.Renameat2(unix.AT_FDCWD, attr, unix.AT_FDCWD, node, unix.RENAME_NOREPLACE), unix.EXDEV, "rename to a node of another file system")
	want(unix.Renameat2(unix.AT_FDCWD, node, unix.AT_FDCWD, dir+"/by-path", unix.RENAME_NOREPLACE), unix.EEXIST, "rename to what is there")
	want(unix.Rename(attr, node), unix.EXDEV, "rename to another file system")
	want(unix.Rename(attr, dir+"/x"), unix.EXDEV, "rename into another file system")
	want(unix.Link(attr, dir+"/x"), unix.EXDEV, "link in another file system")
	want(unix.Mknod(dir+"/x", unix.S_IFREG|0o600, 0), unix.EACCES, "mknod in "+dir)
	want(unix.Mknod(dir+"/x", unix.S_IFIFO|0o600, 0), unix.EPERM, "mknod of a FIFO in "+dir)
	want(unix.Mknod(dir+"/x/y", unix.S_IFREG|0o600, 0), unix.ENOENT, "mknod in no directory")
	want(unix.Rename(dir+"/x", args[0]), unix.EXDEV, "rename of nothing to another file system")
	want(unix.Rename(dir+"/x", dir+"/y"), unix.ENOENT, "rename of nothing")

	socket := must(unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0))
	bind := func(path string) error { return unix.Bind(socket, &unix.SockaddrUnix{Name: path}) }
	want(bind(dir+"/x"), unix.EPERM, "a socket in "+dir)
	want(bind("/sys/class/drm/x"), unix.EPERM, "a socket in sysfs")
	want(bind(node), unix.EADDRINUSE, "a socket in place of a node")
	want(bind("/dev/udmabuf"), unix.EADDRINUSE, "a socket in place of a node in a real directory")
	want(bind(node+"/x"), unix.ENOTDIR, "a socket below a node")
	check(bind("@" + args[0])) // abstract
	check(unix.Close(socket))
	socket = must(unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0))
	check(os.Chdir(dir))
	want(bind("x"), unix.EPERM, "a socket in the working directory")
	check(os.Chdir("/"))
	check(bind(args[0] + ".socket"))
	check(unix.Close(socket))

	_, err = unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR, 0o600)
	want(err, unix.EOPNOTSUPP, "O_TMPFILE")
	openHow(node, attr)
	fdInfo(node)

	want(unix.Truncate(dir, 0), unix.EISDIR, "truncate of a directory")
	want(unix.Truncate(node, 0), unix.EINVAL, "truncate of a node")
	var denied unix.Errno // root may write the attribute, but the open for it fails
	if os.Geteuid() != 0 {
		denied = unix.EACCES
	}
	want(unix.Access(attr, unix.W_OK), denied, "access to an attribute for writing")
	want(unix.Truncate(attr, 0), denied, "truncate of an attribute")
	_, err = unix.Open(attr, unix.O_WRONLY, 0)
	want(err, unix.EACCES, "an open of an attribute for writing")

	// The kernel does not find a real file by a path through a virtual directory.
	real := args[0]
	through := "/dev/dri/../.." + real
	check(os.WriteFile(real, []byte("content"), 0o600))
	for range 4096 { // what is mapped for a call has memory behind it that cannot be written
		must(unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS))
	}
	must(unix.Listxattr(through, buf))
	check(unix.UtimesNanoAt(unix.AT_FDCWD, through, []unix.Timespec{{Sec: 5}, {Sec: 6}}, 0))
	check(unix.Truncate(through, 3))
	check(unix.Stat(real, &st))
	equal(st.Size, 3, "the size after truncate")
	equal(st.Atim.Sec, 5, "the time of a real file")
	realHandle, _, err := handle(through, 128, 0)
	if err == nil {
		direct, _, _ := handle(real, 128, 0)
		equal(string(realHandle), string(direct), "the handle of a real file")
	}
	inotify := must(unix.InotifyInit1(unix.IN_CLOEXEC))
	must(unix.InotifyAddWatch(inotify, through, unix.IN_ATTRIB))
	check(os.Chmod(real, 0o640))
	n := must(unix.Read(inotify, buf))
	equal(binary.NativeEndian.Uint32(buf[4:n]), unix.IN_ATTRIB, "the event of a real file")
}

// isMount reports whether the file at path is the root of a mount.
func isMount(path string) bool {
	var st unix.Statx_t
	check(unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BASIC_STATS, &st))
	return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}

// mountIDs checks that virtual files lie in the mounts of real ones.
func mountIDs(node, attr string) {
	for _, tc := range []struct{ path, real string }{{node, "/dev"}, {attr, "/sys"}} {
		equal(isMount(tc.path), false, "whether "+tc.path+" is a mount")
		for _, mask := range []int{unix.STATX_MNT_ID, unix.STATX_MNT_ID_UNIQUE} {
			var virtual, real unix.Statx_t
			check(unix.Statx(unix.AT_FDCWD, tc.path, 0, mask, &virtual))
			check(unix.Statx(unix.AT_FDCWD, tc.real, 0, mask, &real))
			const ids = unix.STATX_MNT_ID | unix.STATX_MNT_ID_UNIQUE
			equal(virtual.Mask&ids, real.Mask&ids, "the kind of the mount ID of "+tc.path)
			equal(virtual.Mnt_id, real.Mnt_id, "the mount ID of "+tc.path)
		}
	}
}

// watchNodes waits for the removal of a node by a watch on its directory.
func watchNodes([]string) {
	inotify := must(unix.InotifyInit1(unix.IN_CLOEXEC))
	must(unix.InotifyAddWatch(inotify, "/dev/dri", unix.IN_CREATE|unix.IN_DELETE))
	_, err := unix.InotifyAddWatch(inotify, "/dev/dri/card0", unix.IN_DELETE|unix.IN_ONLYDIR)
	want(err, unix.ENOTDIR, "a directory only")
	_, err = unix.InotifyAddWatch(0, "/dev/dri", unix.IN_CREATE)
	want(err, unix.EINVAL, "a watch on what is no inotify")
	must(os.Stdout.WriteString("watching\n"))
	buf := make([]byte, 4096)
	for {
		n := must(unix.Read(inotify, buf))
		for at := 0; at < n; {
			mask, size := binary.NativeEndian.Uint32(buf[at+4:]), int(binary.NativeEndian.Uint32(buf[at+12:]))
			name := string(bytes.TrimRight(buf[at+16:at+16+size], "\x00"))
			if mask == unix.IN_DELETE && name == "card0" {
				return
			}
			at += 16 + size
		}
	}
}

// openHow opens virtual files with a struct open_how that is longer than ours.
func openHow(paths ...string) {
	for _, path := range paths {
		for _, c := range []struct {
			size  uintptr
			tail  byte
			errno unix.Errno
		}{{24, 1, 0}, {32, 0, 0}, {32, 1, unix.E2BIG}, {4096, 0, 0}, {4104, 0, unix.E2BIG}, {16, 0, unix.EINVAL}} {
			how := make([]byte, 4104)
			how[24] = c.tail
			fd, err := pathCall(unix.SYS_OPENAT2, 1, path, ^uintptr(99), 0, uintptr(unsafe.Pointer(&how[0])), c.size)
			if want(err, c.errno, fmt.Sprintf("openat2 of %s with a structure of %d bytes", path, c.size)); err == nil {
				check(unix.Close(int(fd)))
			}
		}
	}
}

// fdInfo looks at the description of a node's descriptor in /proc.
func fdInfo(node string) {
	fd := must(unix.Open(node, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0))
	var st unix.Stat_t
	check(unix.Stat(node, &st))
	if filesAreMounts {
		// The open of this file looks like any other, so the host does not see it.
		text := string(must(os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))))
		if !strings.Contains(text, "flags:\t02004000\n") {
			failf("fdinfo of the pipe that stands for a node is %q", text)
		}
		check(unix.Close(fd))
		return
	}
	for _, process := range []string{"self", "thread-self", strconv.Itoa(os.Getpid())} {
		text := string(must(os.ReadFile(fmt.Sprintf("/proc/%s/fdinfo/%d", process, fd))))
		for _, line := range []string{"pos:\t0\n", "flags:\t02104002\n", fmt.Sprintf("ino:\t%d\n", st.Ino)} {
			if !strings.Contains(text, line) {
				failf("fdinfo of a node is %q, without %q", text, line)
			}
		}
	}
	check(unix.Lstat(fmt.Sprintf("/proc/self/fd/%d", fd), &st))
	equal(st.Mode, uint32(unix.S_IFLNK|0o700), "the mode of the link of a node that can be read and written")
	reader := must(unix.Open(node, unix.O_RDONLY|unix.O_CLOEXEC, 0))
	check(unix.Fstatat(unix.AT_FDCWD, fmt.Sprintf("/proc/thread-self/fd/%d", reader), &st, unix.AT_SYMLINK_NOFOLLOW))
	equal(st.Mode, uint32(unix.S_IFLNK|0o500), "the mode of the link of a node that can be read")
	check(unix.Close(reader))
	check(unix.SetNonblock(fd, false))
	if text := string(must(os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd)))); !strings.Contains(text, "flags:\t02100002\n") {
		failf("fdinfo of a node that waits is %q", text)
	}
	check(unix.Close(fd))
	_, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if !errors.Is(err, unix.ENOENT) {
		failf("fdinfo of a closed descriptor: %v", err)
	}
}
