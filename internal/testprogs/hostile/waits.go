package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// version sends a request, and says when it is answered.
func version([]string) {
	card := must(kmsclient.Open("/dev/dri/card0"))
	check(kmsclient.Ioctl(card, uapi.IoctlVersion, &uapi.Version{}))
	fmt.Println("answered")
}

// unbind unbinds the first card, and says when its next call is answered.
func unbind([]string) {
	fd := must(open("/sys/class/drm/card0/device/driver/unbind", unix.O_WRONLY))
	_ = must(unix.Write(fd, []byte("vkms")))
	fmt.Println("written")
	fmt.Println("card0:", unix.Access("/dev/dri/card0", unix.F_OK))
}

// closing closes a file of the first card, and says when its next request is
// answered, or those of the given number of threads.
func closing(args []string) {
	master, other := must(kmsclient.Open("/dev/dri/card0")), must(kmsclient.Open("/dev/dri/card0"))
	check(master.Close())
	fmt.Println("closed")
	threads := 1
	if len(args) > 0 {
		threads = must(strconv.Atoi(args[0]))
	}
	var all sync.WaitGroup
	for range threads {
		all.Go(func() { check(kmsclient.Ioctl(other, uapi.IoctlVersion, &uapi.Version{})) })
	}
	all.Wait()
	fmt.Println("answered")
}

// status forces a connector of the second card off and back, and reads it each
// time. It also reads a file about the drivers of all cards.
func status([]string) {
	path := must(filepath.Glob("/sys/class/drm/card1-Virtual-*/status"))[0]
	for _, force := range []struct{ write, read string }{{"off", "disconnected\n"}, {"on", "connected\n"}, {"detect", "connected\n"}} {
		fd := must(open(path, unix.O_WRONLY))
		_ = must(unix.Write(fd, []byte(force.write)))
		if got := string(must(os.ReadFile(path))); got != force.read {
			failf("status after %q: %q", force.write, got)
		}
		check(unix.Close(fd))
	}
	_ = must(os.ReadFile("/run/modprobe.d/udrm.conf"))
}
