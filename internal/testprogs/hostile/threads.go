package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// int80 makes system calls by the gate for 32-bit programs, which must not
// change the terminal behind a dma-buf.
func int80([]string) {
	card := must(kmsclient.Open("/dev/dri/card0"))
	dumb := must(card.CreateDumb(64, 64, 32))
	fd := must(card.Export(dumb.Handle, uapi.Cloexec|uapi.RDWR))
	poll := func() int16 {
		return must(kmsclient.FromFD(int(fd)).Poll(unix.POLLIN|unix.POLLOUT, 0))
	}
	const ioctl32 = 54
	before := poll()
	for _, request := range []uintptr{unix.TCXONC, unix.TCFLSH, unix.TCSBRK} {
		for arg := range uintptr(3) {
			want("a terminal's request", unix.IoctlSetInt(int(fd), uint(request), int(arg)), unix.ENOTTY, unix.EINVAL)
			if got := int(int32(call80(ioctl32, uintptr(fd), request, arg))); got >= 0 {
				failf("request %#x by int 0x80 returned %d", request, got)
			}
			if after := poll(); after != before {
				failf("poll of the dma-buf after request %#x: %#x, before %#x", request, after, before)
			}
		}
	}
}

// bypass makes calls that would miss the host: io_uring's, also by int 0x80,
// and those of the x32 ABI.
func bypass([]string) {
	for _, nr := range []uintptr{unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER} {
		_, _, errno := unix.Syscall6(nr, 8, 0, 0, 0, 0, 0)
		want(fmt.Sprintf("io_uring, call %d", nr), errno, unix.EPERM)
		// A kernel without 32-bit programs has no int 0x80.
		errno = unix.Errno(-int32(call80(nr, 8, 0, 0)))
		want(fmt.Sprintf("io_uring by int 0x80, call %d", nr), errno, unix.EPERM, unix.ENOSYS)
	}
	const x32 = 0x40000000
	for _, nr := range []uintptr{unix.SYS_GETPID, unix.SYS_OPENAT, 512, 546} {
		_, _, errno := unix.Syscall6(nr|x32, 0, 0, 0, 0, 0, 0)
		want(fmt.Sprintf("call %d of x32", nr), errno, unix.ENOSYS)
	}
}

// jumper makes the host run an mmap in this thread, from code that another
// thread makes an endless loop after the given time.
func jumper(args []string) {
	card := must(kmsclient.Open("/dev/dri/card0"))
	dumb := must(card.CreateDumb(64, 64, 32))
	offset := must(card.MapDumb(dumb.Handle))
	code := must(unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS))
	copy(code, callCode)
	after := time.Duration(must(strconv.Atoi(args[0]))) * time.Microsecond
	started := make(chan struct{})
	go func() {
		close(started)
		for start := time.Now(); time.Since(start) < after; {
		}
		copy(code, loopCode)
	}()
	<-started
	fmt.Println("jumping")
	callAt(code, unix.SYS_MMAP, 0, uintptr(dumb.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, uintptr(card.FD), uintptr(offset))
	os.Exit(0)
}

// jump runs many jumpers, kills them when all have begun, and then holds.
func jump(args []string) {
	var all []*exec.Cmd
	for i := range must(strconv.Atoi(args[0])) {
		cmd := exec.Command("/proc/self/exe", "jumper", strconv.Itoa(20+10*i))
		out := must(cmd.StdoutPipe())
		check(cmd.Start())
		_, err := out.Read(make([]byte, 8))
		check(err)
		all = append(all, cmd)
	}
	hold()
	for _, cmd := range all {
		if err := cmd.Process.Kill(); !errors.Is(err, os.ErrProcessDone) {
			check(err)
		}
		_ = cmd.Wait()
	}
}

// fault sends a request whose argument lies in memory that this process alone
// could provide, and does not. It holds once the host waits for the memory.
func fault([]string) {
	fd := openCard()
	faults, page := missingPage()
	go func() { kmsclient.IoctlAt(fd, uapi.IoctlVersion, page) }()
	_, err := unix.Read(faults, make([]byte, 32)) // struct uffd_msg
	check(err)
	hold()
	os.Exit(0)
}

// stall makes calls whose paths lie in memory that this process alone could
// provide, and does not. After each, the host must still answer others.
func stall([]string) {
	for range 8 {
		faults, page := missingPage()
		go accessAt(page)
		_, err := unix.Read(faults, make([]byte, 32)) // struct uffd_msg
		check(err)
		check(unix.Access("/usr", unix.F_OK))
		check(unix.Access("/dev/dri/card0", unix.F_OK))
	}
	hold()
	os.Exit(0)
}
