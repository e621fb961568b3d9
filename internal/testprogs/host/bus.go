package main

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// busFiles unbinds, binds, removes and rescans through directories that it
// opened before, as core_hotunplug of IGT does.
func busFiles([]string) {
	dir := func(at int, path string) int {
		return must(unix.Openat(at, path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
	}
	put := func(at int, path, data string) {
		fd := must(unix.Openat(at, path, unix.O_WRONLY|unix.O_CLOEXEC, 0))
		equal(must(unix.Write(fd, []byte(data))), len(data), "bytes written to "+path)
		check(unix.Close(fd))
	}
	refused := func(at int, path, data string, errno unix.Errno) {
		fd := must(unix.Openat(at, path, unix.O_WRONLY|unix.O_CLOEXEC, 0))
		_, err := unix.Write(fd, []byte(data))
		want(err, errno, "writing "+data+" to "+path)
		check(unix.Close(fd))
	}
	exists := func(at int, path string) bool { return unix.Faccessat(at, path, unix.F_OK, 0) == nil }
	nodes := func() string {
		entries, err := os.ReadDir("/dev/dri")
		if err != nil {
			return ""
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return strings.Join(names, " ")
	}

	dev := dir(unix.AT_FDCWD, "/sys/class/drm/card0/device")
	driver, devices := dir(dev, "driver"), dir(dev, "subsystem/devices")
	equal(fdLink(driver), "/sys/bus/platform/drivers/vkms", "the driver's directory")
	equal(fdLink(devices), "/sys/bus/platform/devices", "the bus's directory of devices")
	equal(must(os.Readlink("/sys/bus/platform/drivers/vkms/vkms")), "../../../../devices/platform/vkms", "the link of a bound device")
	check(unix.Close(dev))

	// Wrong values change nothing.
	refused(driver, "unbind", "nothing", unix.ENODEV)
	refused(driver, "bind", "vkms", unix.EBUSY) // it is bound
	put(devices, "vkms/remove", "0")
	refused(devices, "vkms/remove", "yes", unix.EINVAL)
	equal(nodes(), "by-path card0", "nodes")

	put(driver, "unbind", "vkms\n")
	equal(exists(driver, "vkms"), false, "the device below its driver")
	equal(exists(devices, "vkms"), true, "the device on its bus")
	equal(exists(devices, "vkms/driver"), false, "the driver of the device")
	equal(exists(unix.AT_FDCWD, "/sys/kernel/debug/dri/0"), false, "the device in debugfs")
	equal(nodes(), "", "nodes without a driver")
	put(driver, "bind", "vkms")
	equal(exists(driver, "vkms"), true, "the device below its driver")
	equal(nodes(), "by-path card0", "nodes after bind")

	put(devices, "vkms/remove", "1")
	equal(exists(devices, "vkms"), false, "the device on its bus")
	equal(nodes(), "", "nodes without the device")
	put(devices, "../rescan", "1")
	equal(exists(devices, "vkms/driver"), true, "the driver of the rescanned device")
	equal(nodes(), "by-path card0", "nodes after rescan")

	// With the node open, its number stays in use.
	for _, what := range []struct {
		at            int
		out, name, in string
	}{{driver, "unbind", "vkms", "bind"}, {devices, "vkms/remove", "1", "../rescan"}} {
		open := must(unix.Open(card, unix.O_RDWR|unix.O_CLOEXEC, 0))
		_ = must(driverName(open))
		put(what.at, what.out, what.name)
		_, err := driverName(open)
		want(err, unix.ENODEV, "an ioctl right after "+what.out)
		put(what.at, what.in, what.name)
		equal(nodes(), "by-path card1", "nodes while the old one is open")
		equal(exists(unix.AT_FDCWD, "/sys/kernel/debug/dri/1/name"), true, "the new device in debugfs")
		check(unix.Close(open))
		put(what.at, what.out, what.name)
		put(what.at, what.in, what.name)
		equal(nodes(), "by-path card0", "nodes after the old one is closed")
	}
}
