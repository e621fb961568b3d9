package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sys/unix"
)

const card = "/dev/dri/card0"

func openCard(flags int) int { return must(unix.Open(card, flags, 0)) }

// basic checks the life of a descriptor: open, stat, ioctl, mmap, close.
func basic([]string) {
	fd := openCard(unix.O_RDWR | unix.O_CLOEXEC)
	checkNode(must(fstat(fd)))
	var st unix.Stat_t
	check(unix.Fstatat(fd, "", &st, unix.AT_EMPTY_PATH))
	checkNode(st)
	check(unix.Stat(card, &st))
	checkNode(st)
	check(unix.Lstat(card, &st))
	checkNode(st)
	var stx unix.Statx_t
	check(unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &stx))
	equal(stx.Mode&unix.S_IFMT, unix.S_IFCHR, "statx: type")
	equal(stx.Rdev_major, 226, "statx: major")
	equal(stx.Rdev_minor, 0, "statx: minor")
	check(unix.Access(card, unix.R_OK|unix.W_OK))
	want(unix.Access(card, unix.X_OK), unix.EACCES, "access for execution")

	flags := must(unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0))
	equal(flags, unix.O_RDWR|0o100000, "F_GETFL")
	equal(must(unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)), unix.FD_CLOEXEC, "F_GETFD")
	equal(fdLink(fd), card, "the link of the descriptor")

	equal(must(driverName(fd)), "drmtest", "the driver's name")
	check(ioctl(fd, reqNothing, 0))
	var sum [8]uint64
	for i := range sum {
		sum[i] = uint64(i)
	}
	check(ioctlPtr(fd, reqSum, &sum))
	equal(sum[7], 28, "the sum of 0 to 7")
	want(ioctl(fd, 0x645f, 0), unix.EINVAL, "an unknown ioctl")
	want(ioctl(fd, 0x5401, 0), unix.ENOTTY, "an ioctl of a terminal")
	want(ioctl(fd, 0x6200, 0), unix.ENOTTY, "an ioctl of a dma-buf")
	want(ioctl(fd, reqSum, 8), unix.EFAULT, "a bad pointer")
	want(ioctl(fd, reqPanic, 0), unix.EIO, "a handler that panics")
	want(ioctl(fd, reqFault, 0), unix.EIO, "a handler that uses a nil pointer")
	var caller [2]int64
	check(ioctlPtr(fd, reqCaller, &caller))
	equal(int(caller[0]), os.Getpid(), "the caller's pid")
	equal(int(caller[1]), os.Getuid(), "the caller's uid")

	m := must(mmap(fd, mapSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, mapOffset))
	copy(m, "written by a client")
	check(munmap(m))

	_, err := unix.Open(card, unix.O_RDWR|unix.O_EXCL, 0)
	want(err, unix.EBUSY, "open with O_EXCL")
	_, err = unix.Open(card, unix.O_RDWR|unix.O_DIRECTORY, 0)
	want(err, unix.ENOTDIR, "open with O_DIRECTORY")
	_, err = unix.Open(card, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0)
	want(err, unix.EEXIST, "open with O_CREAT|O_EXCL")
	_, err = unix.Open(card+"/x", unix.O_RDWR, 0)
	want(err, unix.ENOTDIR, "open below the node")
	_, err = unix.Open("/dev/dri/card7", unix.O_RDWR, 0)
	want(err, unix.ENOENT, "open of a nonexistent card")
	check(unix.Close(fd))
	want(ioctl(fd, reqNothing, 0), unix.EBADF, "an ioctl on a closed descriptor")
}

func checkNode(st unix.Stat_t) {
	equal(st.Mode, unix.S_IFCHR|0o660, "mode")
	equal(st.Rdev, unix.Mkdev(226, 0), "rdev")
	equal(st.Uid, 0, "owner")
	equal(st.Nlink, 1, "links")
}

func fdLink(fd int) string {
	return must(os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)))
}

// openFiles returns the number of open files of the device.
func openFiles(fd int) int {
	var n uint64
	check(ioctlPtr(fd, reqFiles, &n))
	return int(n)
}

// eventData returns the data of an event, behind its struct drm_event.
func eventData(e []byte) uint64 { return binary.NativeEndian.Uint64(e[8:]) }

func sendEvent(fd int, data uint64) error { return ioctlPtr(fd, reqEvent, &data) }

func pollIn(fd int, timeout int) int16 {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT}}
	for {
		_, err := unix.Poll(fds, timeout)
		if err == unix.EINTR {
			continue
		}
		check(err)
		return fds[0].Revents
	}
}

// events is how events are waited for and read.
func events([]string) {
	fd := openCard(unix.O_RDWR | unix.O_NONBLOCK)
	buf := make([]byte, 8192)
	_, err := unix.Read(fd, buf)
	want(err, unix.EAGAIN, "a read without events")
	equal(pollIn(fd, 0), 0, "poll without events")
	for i := range uint64(3) {
		check(sendEvent(fd, i))
	}
	equal(pollIn(fd, -1), unix.POLLIN, "poll with events")
	equal(must(unix.IoctlGetInt(fd, unix.TIOCINQ)), 96, "FIONREAD")
	equal(must(unix.Read(fd, buf[:64])), 64, "a read of two events")
	equal(must(unix.Read(fd, buf[64:])), 32, "a read of the rest")
	for i := range 3 {
		equal(eventData(buf[32*i:]), uint64(i), "the data of an event")
	}

	// The budget is 4096 bytes, whatever has been read before.
	for round := range 3 {
		for i := range 128 {
			if err := sendEvent(fd, uint64(i)); err != nil {
				failf("event %d of round %d: %v", i, round, err)
			}
		}
		want(sendEvent(fd, 0), unix.ENOMEM, "one event more than there is space for")
		equal(must(unix.Read(fd, buf[:32])), 32, "a read of one event")
		check(sendEvent(fd, 0))
		equal(must(unix.Read(fd, buf)), 4096, "a read of all events")
	}

	ep := must(unix.EpollCreate1(unix.EPOLL_CLOEXEC))
	check(unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}))
	done := make(chan unix.EpollEvent)
	go func() {
		var e [1]unix.EpollEvent
		for {
			n, err := unix.EpollWait(ep, e[:], -1)
			if err == unix.EINTR {
				continue
			}
			check(err)
			equal(n, 1, "epoll_wait")
			break
		}
		done <- e[0]
	}()
	check(sendEvent(fd, 7))
	equal((<-done).Events, unix.EPOLLIN, "epoll's events")
	equal(must(unix.Read(fd, buf)), 32, "a read after epoll")

	// A blocking reader is woken.
	check(unix.SetNonblock(fd, false))
	read := make(chan int)
	go func() { read <- must(unix.Read(fd, buf)) }()
	check(sendEvent(fd, 8))
	equal(<-read, 32, "a read that waits")
	equal(eventData(buf), 8, "the data of its event")
	_, err = unix.Write(fd, buf[:1])
	want(err, unix.EBADF, "write") // the kernel's node: EINVAL
}

// dup checks that a file is closed with its last descriptor, whatever its
// number.
func dup([]string) {
	fd := openCard(unix.O_RDWR)
	other := must(unix.Dup(fd))
	const high = 700
	check(unix.Dup3(fd, high, unix.O_CLOEXEC))
	check(unix.Close(fd))
	check(unix.Close(other))
	equal(openFiles(high), 1, "open files")
	checkNode(must(fstat(high)))
	// Its number now belongs to another file.
	null := must(unix.Open("/dev/null", unix.O_RDWR, 0))
	fd = must(unix.Dup(high))
	check(unix.Dup3(null, high, 0))
	want(ioctl(high, reqNothing, 0), unix.ENOTTY, "an ioctl of DRM on /dev/null")
	check(ioctl(fd, reqNothing, 0))
	check(unix.Close(fd))
	fd = openCard(unix.O_RDWR)
	equal(openFiles(fd), 1, "open files after the close")
}

func run(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd
}

// execParent passes a file to a child by fork and exec.
func execParent([]string) {
	fd := openCard(unix.O_RDWR)
	cmd := run("inherited", "3")
	cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(fd), card)}
	check(cmd.Run())
	// The child has closed its descriptor; this process still has one.
	equal(openFiles(fd), 1, "open files")
}

func inherited(args []string) {
	fd := must(strconv.Atoi(args[0]))
	checkNode(must(fstat(fd)))
	equal(must(driverName(fd)), "drmtest", "the driver's name")
	equal(openFiles(fd), 1, "open files")
	check(sendEvent(fd, 5))
	m := must(mmap(fd, mapSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, mapOffset))
	copy(m, "written by a child")
}

// pass sends a file over a socket, and closes its own descriptor.
func pass([]string) {
	pair := must(unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))
	cmd := run("received", "3")
	cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(pair[1]), "socket")}
	check(cmd.Start())
	fd := openCard(unix.O_RDWR)
	check(unix.Sendmsg(pair[0], []byte("x"), unix.UnixRights(fd), nil, 0))
	check(unix.Close(fd))
	check(cmd.Wait())
	fd = openCard(unix.O_RDWR)
	equal(openFiles(fd), 1, "open files after the receiver has ended")
}

func received(args []string) {
	socket := must(strconv.Atoi(args[0]))
	var b [1]byte
	oob := make([]byte, 64)
	_, n, _, _, err := unix.Recvmsg(socket, b[:], oob, 0)
	check(err)
	messages := must(unix.ParseSocketControlMessage(oob[:n]))
	fds := must(unix.ParseUnixRights(&messages[0]))
	inherited([]string{strconv.Itoa(fds[0])})
}

// reopen opens the node by every kind of path.
func reopen([]string) {
	fd := openCard(unix.O_RDWR)
	dri := must(unix.Open("/dev/dri", unix.O_RDONLY|unix.O_DIRECTORY, 0))
	dev := must(unix.Open("/dev", unix.O_RDONLY|unix.O_DIRECTORY, 0))
	devPath := must(unix.Open("/dev", unix.O_PATH, 0))
	check(unix.Chdir("/dev"))
	links := must(os.MkdirTemp("", "host-client"))
	for name, target := range map[string]string{
		"card": "/dev/dri/card0", "again": "card", "bypath": "/dev/dri/by-path/platform-vkms-card", "dri": "/dev/dri/../dri",
	} {
		check(os.Symlink(target, links+"/"+name))
	}
	linksDir := must(unix.Open(links, unix.O_RDONLY|unix.O_DIRECTORY, 0))
	for i, way := range []struct {
		dir  int
		path string
	}{
		{unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd)},
		{unix.AT_FDCWD, fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)},
		{unix.AT_FDCWD, fmt.Sprintf("/proc/thread-self/fd/%d", fd)},
		{unix.AT_FDCWD, fmt.Sprintf("/dev/fd/%d", fd)},
		{unix.AT_FDCWD, "/dev/dri/by-path/platform-vkms-card"},
		{unix.AT_FDCWD, "/dev/char/226:0"},
		{unix.AT_FDCWD, "/dev/../dev//./dri/card0"},
		{unix.AT_FDCWD, "/dev/dri/by-path/../card0"},
		{unix.AT_FDCWD, "/sys/../dev/dri/card0"},
		{unix.AT_FDCWD, "/sys/class/drm/card0/../../../../../../dev/dri/card0"},
		{unix.AT_FDCWD, "dri/card0"},
		{unix.AT_FDCWD, "./dri/../dri/card0"},
		{unix.AT_FDCWD, "../dev/dri/card0"},
		{dri, "card0"},
		{dri, "./card0"},
		{dri, "../dri/card0"},
		{dri, "by-path/platform-vkms-card"},
		{dev, "dri/card0"},
		{devPath, "dri/card0"},
		{unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d/card0", dri)},
		{unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d/dri/card0", devPath)},
		{unix.AT_FDCWD, "/proc/self/cwd/dri/card0"},
		{unix.AT_FDCWD, links + "/card"},
		{unix.AT_FDCWD, links + "/again"},
		{unix.AT_FDCWD, links + "/bypath"},
		{linksDir, "bypath"},
	} {
		other, err := unix.Openat(way.dir, way.path, unix.O_RDWR, 0)
		if err != nil {
			failf("%s: %v", way.path, err)
		}
		equal(openFiles(other), 2, "open files through "+way.path)
		checkNode(must(fstat(other)))
		check(unix.Close(other))
		other, err = unix.Openat2(way.dir, way.path, &unix.OpenHow{Flags: unix.O_RDWR | unix.O_CLOEXEC})
		if err != nil {
			failf("openat2: %s: %v", way.path, err)
		}
		check(unix.Close(other))
		var st unix.Stat_t
		if err := unix.Fstatat(way.dir, way.path, &st, 0); err != nil {
			failf("%d: stat %s: %v", i, way.path, err)
		}
		checkNode(st)
	}
	equal(openFiles(fd), 1, "open files at the end")
	equal(must(os.Readlink(links+"/again")), "card", "a link to a link")
	check(unix.Chdir(links + "/dri"))
	equal(must(os.Getwd()), "/dev/dri", "the working directory")
	check(os.RemoveAll(links))

	// Other files are unchanged.
	null := must(unix.Openat(dev, "null", unix.O_RDWR, 0))
	equal(must(unix.Write(null, []byte("x"))), 1, "a write to /dev/null")
	null = must(unix.Openat(dri, "../null", unix.O_RDWR, 0))
	equal(must(unix.Write(null, []byte("x"))), 1, "a write to /dev/dri/../null")
	equal(fdLink(null), "/dev/null", "the link of /dev/null")
	equal(fdLink(dri), "/dev/dri", "the link of /dev/dri")
	equal(fdLink(dev), "/dev", "the link of /dev")
	_, err := unix.Openat(dri, "null", unix.O_RDWR, 0)
	want(err, unix.ENOENT, "/dev/dri/null")
}

// mapping checks mmap in all its forms. The test looks at the buffer
// afterwards.
func mapping([]string) {
	const rw = unix.PROT_READ | unix.PROT_WRITE
	fd := openCard(unix.O_RDWR)
	m := must(mmap(fd, mapSize, rw, unix.MAP_SHARED, mapOffset))
	for i := 0; i < mapSize; i += 8 {
		binary.NativeEndian.PutUint64(m[i:], uint64(i))
	}
	private := must(mmap(fd, mapSize, rw, unix.MAP_PRIVATE, mapOffset))
	if !bytes.Equal(private, m) {
		failf("a private mapping differs")
	}
	private[0] = 99
	equal(m[0], 0, "the byte that a private mapping wrote")
	part := must(mmap(fd, 4096, unix.PROT_READ, unix.MAP_SHARED, mapOffset+8192))
	equal(binary.NativeEndian.Uint64(part), 8192, "a mapping of the third page")
	check(munmap(part))

	fixed := must(rawMmap(fd, addrOf(private), 4096, rw, unix.MAP_SHARED|unix.MAP_FIXED, mapOffset))
	equal(fixed, addrOf(private), "the address of a fixed mapping")
	equal(private[0], 0, "a page mapped over a private one")

	_, err := mmap(fd, mapSize, rw, unix.MAP_SHARED, mapOffset+mapSize)
	want(err, unix.EINVAL, "an offset of no buffer")
	_, err = rawMmap(fd, 1, 4096, rw, unix.MAP_SHARED|unix.MAP_FIXED, mapOffset)
	want(err, unix.EINVAL, "an address inside a page")
	_, err = mmap(fd, 4096, rw, 0, mapOffset)
	want(err, unix.EINVAL, "neither shared nor private")

	readOnly := openCard(unix.O_RDONLY)
	_, err = mmap(readOnly, 4096, rw, unix.MAP_SHARED, mapOffset)
	want(err, unix.EACCES, "a writable mapping of a file opened for reading")
	check(munmap(must(mmap(readOnly, 4096, unix.PROT_READ, unix.MAP_SHARED, mapOffset))))

	// The same offset in another file.
	null := must(unix.Open("/dev/zero", unix.O_RDWR, 0))
	check(munmap(must(mmap(null, 4096, rw, unix.MAP_PRIVATE, mapOffset))))

	// Closing all files keeps the mapping, and leaves no descriptor behind.
	check(unix.Close(readOnly))
	check(unix.Close(null))
	check(unix.Close(fd))
	equal(m[8192], byte(8192&0xff), "the mapping after the close")
	for _, e := range must(os.ReadDir("/proc/self/fd")) {
		if link, _ := os.Readlink("/proc/self/fd/" + e.Name()); bytes.Contains([]byte(link), []byte("memfd")) {
			failf("descriptor %s of the buffer was left: %s", e.Name(), link)
		}
	}
}
