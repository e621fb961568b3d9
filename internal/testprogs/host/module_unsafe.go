package main

import (
	"os"
	"os/exec"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

func deleteModule(name string) error {
	p := append([]byte(name), 0)
	_, _, errno := unix.Syscall(unix.SYS_DELETE_MODULE, uintptr(unsafe.Pointer(&p[0])), unix.O_NONBLOCK, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

const initState = "/sys/module/vgem/initstate"

// unload unloads vgem, which nothing of it that is open or mapped allows, and
// loads it again.
func unload([]string) {
	if os.Getuid() != 0 {
		want(deleteModule("vgem"), unix.EPERM, "delete_module without a privilege")
		return
	}
	const busy = unix.EWOULDBLOCK
	equal(string(must(os.ReadFile(initState))), "live\n", "the state of the module")
	fd := openCard(unix.O_RDWR)
	want(deleteModule("vgem"), busy, "delete_module with an open node")
	dumb := newDumb(fd)
	buf := exportBuffer(fd, dumb.handle, unix.O_RDWR)
	check(unix.Close(fd))
	want(deleteModule("vgem"), busy, "delete_module with a dma-buf")
	pixels := must(mmap(buf, int(dumb.size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, 0))
	check(unix.Close(buf))
	want(deleteModule("vgem"), busy, "delete_module with a mapping")
	pixels[0] = 1
	check(munmap(pixels))
	check(deleteModule("vgem"))
	_, err := unix.Open(card, unix.O_RDWR, 0)
	want(err, unix.ENOENT, "the node of a driver that is unloaded")
	_, err = os.Stat(initState)
	if !os.IsNotExist(err) {
		failf("%s: %v", initState, err)
	}
	want(deleteModule("vgem"), unix.ENOENT, "delete_module again")
	want(deleteModule("udrm has none of that name"), kernelSays(), "delete_module of another one")

	// As modprobe does.
	for line := range strings.Lines(string(must(os.ReadFile("/run/modprobe.d/udrm.conf")))) {
		if command, ok := strings.CutPrefix(line, "install vgem "); ok {
			check(exec.Command("sh", "-c", command).Run())
		}
	}
	check(unix.Close(openCard(unix.O_RDWR)))
	equal(string(must(os.ReadFile(initState))), "live\n", "the state of the module that is loaded again")
}

// kernelSays is how the kernel refuses a module that there is not, if it has
// modules at all.
func kernelSays() unix.Errno {
	if _, err := os.Stat("/proc/modules"); err != nil {
		return unix.ENOSYS
	}
	return unix.ENOENT
}
