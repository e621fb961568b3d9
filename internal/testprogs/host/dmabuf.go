package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/driver/vgem"
	"github.com/udrm/udrm/drm/uapi"
)

func newDumb(card int) uapi.ModeCreateDumb { return must(client(card).CreateDumb(64, 64, 32)) }

// exportBuffer returns a dma-buf of the buffer.
func exportBuffer(card int, handle uint32, flags uint32) int {
	return int(must(client(card).Export(handle, flags)))
}

func attachFence(card int, handle, flags uint32) (name uint32) {
	arg := vgem.FenceAttach{Handle: handle, Flags: flags}
	check(ioctlPtr(card, vgem.IoctlFenceAttach, &arg))
	return arg.OutFence
}

func signalFence(card int, name uint32) {
	check(ioctlPtr(card, vgem.IoctlFenceSignal, &vgem.FenceSignal{Fence: name}))
}

// readiness returns the events that poll reports for a descriptor.
func readiness(fd int) int16 {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT}}
	for {
		if _, err := unix.Poll(fds, 0); err != unix.EINTR {
			check(err)
			return fds[0].Revents
		}
	}
}

// dmaBuf checks a dma-buf of a vgem device: the calls on its descriptor, its
// mappings, and polling for its fences, also in another process.
func dmaBuf([]string) {
	const rw = unix.PROT_READ | unix.PROT_WRITE
	card := openCard(unix.O_RDWR | unix.O_CLOEXEC)
	dumb := newDumb(card)
	size := int(dumb.Size)
	buf := exportBuffer(card, dumb.Handle, uapi.Cloexec|uapi.RDWR)
	equal(must(unix.FcntlInt(uintptr(buf), unix.F_GETFD, 0)), unix.FD_CLOEXEC, "F_GETFD")
	equal(must(unix.FcntlInt(uintptr(buf), unix.F_GETFL, 0)), unix.O_RDWR, "F_GETFL")
	st := must(fstat(buf))
	equal(st.Mode, 0o600, "the mode")
	equal(int(st.Size), size, "the size that stat tells")
	var again unix.Stat_t
	check(unix.Fstatat(buf, "", &again, unix.AT_EMPTY_PATH))
	equal(again, st, "two ways to stat")
	var fs unix.Statfs_t
	check(unix.Fstatfs(buf, &fs))
	equal(fs.Type, unix.DMA_BUF_MAGIC, "the type of the file system")
	equal(int(must(unix.Seek(buf, 0, unix.SEEK_END))), size, "the size that lseek tells")
	equal(fdLink(buf), "/dmabuf:", "the link")
	check(ioctlPtr(buf, uapi.DMABufSetName, &[]byte("a name\x00")[0]))
	equal(fdLink(buf), "/dmabuf:a name", "the link of a dma-buf with a name")
	check(unix.Fchmod(buf, 0o777))
	_, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", buf), unix.O_RDWR, 0)
	want(err, unix.ENXIO, "opening it anew")
	var b [8]byte
	_, err = unix.Read(buf, b[:])
	want(err, unix.EBADF, "read")
	_, err = unix.Write(buf, b[:])
	want(err, unix.EBADF, "write")
	want(ioctl(buf, reqNothing, 0), unix.ENOTTY, "a DRM ioctl")
	want(ioctl(buf, 0x62ff, 0), unix.ENOTTY, "an unknown ioctl")

	// A descriptor with O_PATH gives no access.
	terminals := must(filepath.Glob("/dev/pts/[0-9]*"))
	if len(terminals) == 0 {
		failf("no pseudoterminals, not even that of the dma-buf")
	}
	for _, name := range terminals {
		path, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err == unix.ENOENT {
			continue // another program's, gone by now
		}
		check(err)
		_, err = mmap(path, 4096, unix.PROT_READ, unix.MAP_SHARED, 0)
		want(err, unix.EBADF, "a mapping of a path")
		_, err = unix.Seek(path, 0, unix.SEEK_END)
		want(err, unix.EBADF, "lseek of a path")
		want(ioctlPtr(card, uapi.IoctlPrimeFDToHandle, &uapi.PrimeHandle{FD: int32(path)}), unix.EBADF, "PRIME_FD_TO_HANDLE of a path")
		want(ioctlPtr(path, uapi.DMABufIoctlSync, &[1]uint64{3}), unix.EBADF, "DMA_BUF_IOCTL_SYNC of a path")
		check(unix.Close(path))
	}

	// Mappings.
	offset := must(client(card).MapDumb(dumb.Handle))
	node := must(mmap(card, size, rw, unix.MAP_SHARED, int64(offset)))
	direct := must(mmap(buf, size, rw, unix.MAP_SHARED, 0))
	node[4097] = 42
	equal(direct[4097], 42, "the byte in the dma-buf that was written through the node")
	part := must(mmap(buf, 4096, unix.PROT_READ, unix.MAP_SHARED, 4096))
	equal(part[1], 42, "a mapping of the second page")
	_, err = mmap(buf, size, rw, unix.MAP_SHARED, 4096)
	want(err, unix.EINVAL, "a mapping that is too long")
	other := newDumb(card)
	readOnly := exportBuffer(card, other.Handle, uapi.Cloexec)
	equal(must(unix.FcntlInt(uintptr(readOnly), unix.F_GETFL, 0)), unix.O_RDONLY, "F_GETFL without DRM_RDWR")
	_, err = mmap(readOnly, size, rw, unix.MAP_SHARED, 0)
	want(err, unix.EACCES, "a writable mapping without DRM_RDWR")
	unwritable := must(mmap(readOnly, size, unix.PROT_READ, unix.MAP_SHARED, 0))
	want(unix.Mprotect(unwritable, rw), unix.EACCES, "making a mapping writable without DRM_RDWR")
	check(munmap(unwritable))
	check(unix.Close(readOnly))

	// Other files behave as before.
	file := must(unix.MemfdCreate("file", unix.MFD_CLOEXEC))
	check(unix.Ftruncate(file, 8192))
	equal(must(unix.Seek(file, 0, unix.SEEK_END)), 8192, "the end of a file")
	check(munmap(must(mmap(file, 8192, rw, unix.MAP_SHARED, 0))))
	_, err = mmap(99, 8192, rw, unix.MAP_SHARED, 0)
	want(err, unix.EBADF, "a mapping of a closed descriptor")
	terminal := must(unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0))
	_, err = unix.Seek(terminal, 0, unix.SEEK_END)
	want(err, unix.ESPIPE, "lseek of a terminal")
	check(unix.Close(terminal))

	// It does not act as a terminal, although one is behind it.
	for what, req := range map[string]uint32{
		"TCSETS": unix.TCSETS, "TCSETSF": unix.TCSETSF, "TCSETA": unix.TCSETA, "TCXONC": unix.TCXONC, "TCFLSH": unix.TCFLSH,
		"TIOCEXCL": unix.TIOCEXCL, "TIOCSCTTY": unix.TIOCSCTTY, "TIOCSTI": unix.TIOCSTI, "TIOCSETD": unix.TIOCSETD,
		"TIOCVHANGUP": unix.TIOCVHANGUP, "TCSETS2": unix.TCSETS2, "TCSETSF2": unix.TCSETSF2,
		"TIOCSLCKTRMIOS": unix.TIOCSLCKTRMIOS,
	} {
		arg := make([]byte, 64)
		want(ioctlPtr(buf, req, &arg[0]), unix.ENOTTY, what)
	}
	want(ioctl(buf, unix.TCXONC, 0), unix.ENOTTY, "TCXONC")

	// Fences, and poll for them.
	const in, out = unix.POLLIN, unix.POLLOUT
	equal(readiness(buf), in|out, "an idle buffer")
	name := attachFence(card, dumb.Handle, 0)
	equal(readiness(buf), in, "a buffer with a read fence")
	signalFence(card, name)
	equal(readiness(buf), in|out, "an idle buffer")
	name = attachFence(card, dumb.Handle, vgem.FenceWrite)
	equal(readiness(buf), 0, "a buffer with a write fence")

	epoll := must(unix.EpollCreate1(unix.EPOLL_CLOEXEC))
	check(unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, buf, &unix.EpollEvent{Events: unix.EPOLLIN}))
	events := make([]unix.EpollEvent, 1)
	equal(must(unix.EpollWait(epoll, events, 0)), 0, "events of a buffer with a write fence")

	// A child has one descriptor by inheritance and another from a socket. The
	// buffer tells it what to do next.
	pair := must(unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))
	child := exec.Command("/proc/self/exe", "dmabufchild")
	child.ExtraFiles = []*os.File{os.NewFile(uintptr(must(unix.Dup(buf))), "dma-buf"), os.NewFile(uintptr(pair[1]), "socket")}
	child.Stdout = os.Stdout
	check(child.Start())
	check(child.ExtraFiles[0].Close())
	check(child.ExtraFiles[1].Close())
	passed := exportBuffer(card, dumb.Handle, uapi.Cloexec) // the same file
	check(unix.Sendmsg(pair[0], []byte{1}, unix.UnixRights(passed), nil, 0))
	check(unix.Close(passed))
	equal(string(readFull(pair[0], 1)), "w", "the child, at the start")
	direct[0] = 1
	signalFence(card, name)
	equal(must(epollWait(epoll, events)), 1, "events of a buffer whose fence is signalled")
	equal(events[0].Events, uint32(unix.EPOLLIN), "the event")
	equal(string(readFull(pair[0], 1)), "d", "the child, at the end")
	equal(direct[0], 2, "what the child wrote")
	check(child.Wait())

	// It can be imported again when everything else is closed.
	check(client(card).CloseHandle(dumb.Handle))
	check(unix.Close(card))
	card = openCard(unix.O_RDWR | unix.O_CLOEXEC)
	equal(must(client(card).Import(int32(buf))), 1, "the handle of an imported buffer")
	check(unix.Close(buf))
	_, err = unix.Seek(buf, 0, unix.SEEK_END)
	want(err, unix.EBADF, "lseek after the close")
	node[5] = 1
	equal(direct[5], 1, "the mapping after the close")
	for _, e := range must(os.ReadDir("/proc/self/fd")) {
		if link, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.Contains(link, "gem object") {
			failf("descriptor %s of the buffer was left: %s", e.Name(), link)
		}
	}
}

// dmaBufChild has a dma-buf at 3 and receives it again from the socket at 4. It
// waits until the buffer has no write fence, and then answers in it.
func dmaBufChild([]string) {
	const buf, socket = 3, 4
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
	check(err)
	messages := must(unix.ParseSocketControlMessage(oob[:n]))
	received := must(unix.ParseUnixRights(&messages[0]))[0]
	equal(must(fstat(received)), must(fstat(buf)), "the received file")
	equal(readiness(received), 0, "a buffer with a write fence, in another process")
	check(unix.Close(buf))
	must(unix.Write(socket, []byte("w")))
	equal(pollIn(received, -1)&unix.POLLIN, unix.POLLIN, "a wait in another process")
	pixels := must(mmap(received, int(must(unix.Seek(received, 0, unix.SEEK_END))), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, 0))
	equal(pixels[0], 1, "what the first process wrote")
	pixels[0] = 2
	must(unix.Write(socket, []byte("d")))
}

// dmaBufStorm exports, maps, polls and closes in several threads until it is
// killed. It prints a line once all of them have started.
func dmaBufStorm([]string) {
	card := openCard(unix.O_RDWR | unix.O_CLOEXEC)
	var atWork sync.WaitGroup
	for range 4 {
		atWork.Add(1)
		go func() {
			for n := 0; ; n++ {
				if n == 3 {
					atWork.Done()
				}
				dumb := newDumb(card)
				name := attachFence(card, dumb.Handle, vgem.FenceWrite)
				buf := exportBuffer(card, dumb.Handle, uapi.Cloexec|uapi.RDWR)
				equal(readiness(buf), 0, "a buffer with a write fence")
				pixels := must(mmap(buf, int(dumb.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, 0))
				pixels[0] = 1
				signalFence(card, name)
				equal(readiness(buf), unix.POLLIN|unix.POLLOUT, "an idle buffer")
				check(client(card).CloseHandle(dumb.Handle))
				check(unix.Close(buf))
				equal(pixels[0], 1, "the mapping")
				check(munmap(pixels))
			}
		}()
	}
	atWork.Wait()
	must(os.Stdout.WriteString("at work\n"))
	select {}
}

func readFull(fd, n int) []byte {
	p := make([]byte, n)
	for got := 0; got < n; {
		m, err := unix.Read(fd, p[got:])
		if err == unix.EINTR {
			continue
		}
		check(err)
		if m == 0 {
			failf("the other end is closed")
		}
		got += m
	}
	return p
}

func epollWait(epoll int, events []unix.EpollEvent) (int, error) {
	for {
		n, err := unix.EpollWait(epoll, events, -1)
		if err != unix.EINTR {
			return n, err
		}
	}
}
