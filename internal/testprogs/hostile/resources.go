package main

import (
	"errors"
	"fmt"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/internal/kmsclient"
)

// makeSome makes a number of something.
func makeSome(args []string) {
	card := must(kmsclient.Open("/dev/dri/card0"))
	for range must(strconv.Atoi(args[1])) {
		check(makers[args[0]](card))
	}
}

// take makes as many of one thing as the host allows, and holds them.
func take(args []string) {
	raiseOwnLimit()
	card := must(kmsclient.Open("/dev/dri/card0"))
	one := makers[args[0]]
	for n := 0; ; n++ {
		err := one(card)
		if err == nil {
			continue
		}
		var errno unix.Errno
		if !errors.As(err, &errno) {
			failf("%v", err)
		}
		want(fmt.Sprintf("%s %d", args[0], n), errno, unix.EMFILE, unix.ENOMEM, unix.ENOSPC)
		if n < 100 {
			failf("only %d are allowed of %s", n, args[0])
		}
		hold()
		return
	}
}

// config makes a directory in configfs and removes it, more often than one
// process group could make directories.
func config([]string) {
	const dir, times = "/sys/kernel/config/shelf/mine", 100
	for range times {
		check(unix.Mkdir(dir, 0o755))
		check(unix.Rmdir(dir))
	}
}

// attribute sets an extended attribute and removes it, more often than one process
// group could set some.
func attribute([]string) {
	const name = "user.mine"
	for range 2000 {
		check(unix.Setxattr("/dev/dri", name, make([]byte, 1000), 0))
		check(unix.Removexattr("/dev/dri", name))
	}
}

// unload has many threads unload a driver, and waits for all of them.
func unload(args []string) {
	var all sync.WaitGroup
	for range must(strconv.Atoi(args[0])) {
		all.Go(func() { want("delete_module", unix.DeleteModule(args[1], 0), 0, unix.ENOENT, unix.ENODEV) })
	}
	fmt.Println("holding")
	all.Wait()
}

// control tries to unbind, remove, rescan and force, as root may.
func control([]string) {
	for _, path := range []string{
		"/sys/class/drm/card0/device/driver/unbind", "/sys/class/drm/card0/device/driver/bind",
		"/sys/bus/platform/drivers/vkms/unbind", "/sys/bus/platform/rescan", "/sys/class/drm/card0/device/uevent",
		"/sys/class/drm/card0/uevent", "/sys/class/drm/card0-Virtual-1/status", "/sys/class/drm/card0/../../../driver/unbind",
		"/sys/kernel/debug/dri/0/Virtual-1/force", "/sys/kernel/debug/dri/0/name",
	} {
		for _, flags := range []int{unix.O_WRONLY, unix.O_RDWR, unix.O_WRONLY | unix.O_TRUNC, unix.O_WRONLY | unix.O_CREAT} {
			_, err := open(path, flags)
			want("open of "+path, err, unix.EACCES, unix.ENOENT)
		}
		want("chmod of "+path, unix.Chmod(path, 0o666), unix.EPERM, unix.EACCES, unix.ENOENT)
	}
	want("delete_module", unix.DeleteModule("vkms", 0), unix.EPERM)
}
