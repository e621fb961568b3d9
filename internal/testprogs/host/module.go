package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

func deleteModule(name string) error { return unix.DeleteModule(name, unix.O_NONBLOCK) }

const initState = "/sys/module/vgem/initstate"

// unload unloads vgem, and loads it again. An open file or a mapping of it
// keeps the module in use. With an argument, it may do so as any user.
func unload(args []string) {
	if os.Getuid() != 0 && len(args) == 0 {
		want(deleteModule("vgem"), unix.EPERM, "delete_module without a privilege")
		return
	}
	const busy = unix.EWOULDBLOCK
	equal(string(must(os.ReadFile(initState))), "live\n", "the state of the module")
	fd := openCard(unix.O_RDWR)
	want(deleteModule("vgem"), busy, "delete_module with an open node")
	dumb := newDumb(fd)
	buf := exportBuffer(fd, dumb.Handle, uapi.RDWR)
	check(unix.Close(fd))
	want(deleteModule("vgem"), busy, "delete_module with a dma-buf")
	pixels := must(mmap(buf, int(dumb.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, 0))
	check(unix.Close(buf))
	want(deleteModule("vgem"), busy, "delete_module with a mapping")
	pixels[0] = 1
	check(munmap(pixels))
	check(deleteModule("vgem"))
	_, err := unix.Open(card, unix.O_RDWR, 0)
	want(err, unix.ENOENT, "the node of an unloaded driver")
	_, err = os.Stat(initState)
	if !os.IsNotExist(err) {
		failf("%s: %v", initState, err)
	}
	want(deleteModule("vgem"), unix.ENOENT, "delete_module again")
	want(deleteModule("udrm_unknown"), unknownModule(), "delete_module of an unknown module")

	// As modprobe does.
	for line := range strings.Lines(string(must(os.ReadFile("/run/modprobe.d/udrm.conf")))) {
		if command, ok := strings.CutPrefix(line, "install vgem "); ok {
			check(exec.Command("sh", "-c", command).Run())
		}
	}
	check(unix.Close(openCard(unix.O_RDWR)))
	equal(string(must(os.ReadFile(initState))), "live\n", "the state of the reloaded module")
}

// coreParameters writes to parameters of the module drm. The answers are those of
// Linux 7.2.13.
func coreParameters([]string) {
	const dir = "/sys/module/drm/parameters/"
	equal(must(os.Readlink("/sys/module/drm/holders/vgem")), "../../vgem", "what uses the module")
	if os.Getuid() != 0 {
		for _, name := range []string{"debug", "edid_fixup", "timestamp_precision_usec", "vblankoffdelay"} {
			_, err := unix.Open(dir+name, unix.O_RDONLY, 0)
			want(err, unix.EACCES, "opening "+name+" as another user than root")
		}
		return
	}
	equal(string(must(os.ReadFile(dir+"edid_fixup"))), "6\n", "edid_fixup")
	equal(string(must(os.ReadFile(dir+"timestamp_precision_usec"))), "20\n", "timestamp_precision_usec")
	for _, c := range []struct {
		name, write string
		err         error
		reads       string
	}{
		{"debug", "", nil, "0"},
		{"debug", "0x1f\n", nil, "31"},
		{"debug", "-1", unix.EINVAL, "31"},
		{"debug", "x", unix.EINVAL, "31"},
		{"debug", "\n", unix.EINVAL, "31"},
		{"debug", "0x", unix.EINVAL, "31"},
		{"debug", "18446744073709551616", unix.ERANGE, "31"},
		{"debug", "18446744073709551615", nil, "18446744073709551615"},
		{"debug", "010", nil, "8"},
		{"debug", "0", nil, "0"},
		{"vblankoffdelay", "", nil, "5000"},
		{"vblankoffdelay", "-1\n", nil, "-1"},
		{"vblankoffdelay", "99999999999", unix.ERANGE, "-1"},
	} {
		if c.write != "" {
			fd := must(unix.Open(dir+c.name, unix.O_WRONLY, 0))
			_, err := unix.Write(fd, []byte(c.write))
			equal(err, c.err, "writing "+strconv.Quote(c.write)+" to "+c.name)
			check(unix.Close(fd))
		}
		equal(string(must(os.ReadFile(dir+c.name))), c.reads+"\n", c.name+" after "+strconv.Quote(c.write))
	}
}

// unknownModule returns the kernel's error for an unknown module, which depends
// on whether it supports modules.
func unknownModule() unix.Errno {
	if _, err := os.Stat("/proc/modules"); err != nil {
		return unix.ENOSYS
	}
	return unix.ENOENT
}
