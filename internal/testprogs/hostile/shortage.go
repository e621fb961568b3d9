package main

import (
	"bufio"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// shortage makes a request on an open card, an open and a stat for each line of its
// standard input, and prints their errors. The host may have no descriptor left.
func shortage([]string) {
	card := must(kmsclient.Open("/dev/dri/card0"))
	fmt.Println("holding")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		request := kmsclient.Errno(kmsclient.Ioctl(card, uapi.IoctlVersion, &uapi.Version{}))
		fd, opened := open("/dev/dri/card0", unix.O_RDWR)
		if opened == nil {
			check(unix.Close(fd))
		}
		fmt.Printf("request: %v, open: %v, stat: %v\n", request, opened, unix.Stat("/sys/class/drm/card0/dev", new(unix.Stat_t)))
	}
}
