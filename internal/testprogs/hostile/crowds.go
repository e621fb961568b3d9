package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// manyThreads is more than the threads that the Go runtime allows by default.
const manyThreads = 20_000

// fifo has threads open a FIFO by a path through a virtual directory. On a
// kernel they wait; here the open may also return at once.
func fifo(args []string) {
	path := filepath.Join(args[1], "fifo")
	check(unix.Mkfifo(path, 0o666))
	dri := must(open("/dev/dri", unix.O_RDONLY|unix.O_DIRECTORY))
	debug.SetMaxThreads(manyThreads)
	var tried sync.WaitGroup
	for i := range must(strconv.Atoi(args[0])) {
		tried.Add(1)
		go func() {
			tried.Done()
			_, _ = openat(dri, "../.."+path, []int{unix.O_RDONLY, unix.O_WRONLY}[i%2])
		}()
	}
	tried.Wait()
	hold()
}

// reads has threads wait for an event, in a read that the host serves.
func reads(args []string) {
	fd := openCard()
	debug.SetMaxThreads(manyThreads)
	for range must(strconv.Atoi(args[0])) {
		go func() { _, _ = unix.Read(fd, make([]byte, 4)) }()
	}
	hold()
}

// stuck has threads pass a path in memory that this process provides only after
// another call of it was served; with a second argument, never.
func stuck(args []string) {
	faults, page := missingPage()
	debug.SetMaxThreads(manyThreads)
	var all sync.WaitGroup
	threads := must(strconv.Atoi(args[0]))
	for range threads {
		all.Go(func() { _ = accessAt(page) })
	}
	if len(args) > 1 {
		for inCall(unix.SYS_FACCESSAT) < threads {
			time.Sleep(10 * time.Millisecond)
		}
		hold()
		os.Exit(0)
	}
	_, err := unix.Read(faults, make([]byte, 32)) // the host waits
	check(err)
	check(unix.Access("/dev/dri/card0", unix.F_OK))
	providePage(faults, page, []byte("/none\x00"))
	all.Wait()
}

// inCall returns how many threads of this process wait in a system call.
func inCall(nr int) (n int) {
	for _, path := range must(filepath.Glob("/proc/self/task/*/syscall")) {
		text, _ := os.ReadFile(path)
		if strings.HasPrefix(string(text), fmt.Sprint(nr, " ")) {
			n++
		}
	}
	return n
}

// monitors listens for events on many sockets and reads none until its standard
// input ends. A socket that missed an event must say so.
func monitors(args []string) {
	var sockets []int
	for range must(strconv.Atoi(args[0])) {
		s := must(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT))
		check(unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUF, 1)) // the least
		check(unix.Bind(s, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 3}))
		sockets = append(sockets, s)
	}
	hold()
	buf := make([]byte, 1<<16)
	for i, s := range sockets {
		overrun := false
		for {
			_, _, err := unix.Recvfrom(s, buf, 0)
			if err == unix.EAGAIN {
				break
			}
			want("reading a monitor", err, 0, unix.ENOBUFS)
			overrun = overrun || err == unix.ENOBUFS
		}
		if !overrun {
			failf("monitor %d missed events and was not told", i)
		}
	}
}

// closedMonitors opens and closes sockets for events.
func closedMonitors(args []string) {
	for range must(strconv.Atoi(args[0])) {
		check(unix.Close(must(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT))))
	}
}

// refused writes to a control file what it refuses, and prints how often.
func refused([]string) {
	fd := must(open("/sys/class/drm/card0-Virtual-1/status", unix.O_WRONLY))
	text := make([]byte, 4000)
	for i := range text {
		text[i] = 'A'
	}
	const writes = 5000
	for range writes {
		_, _ = unix.Write(fd, text)
	}
	fmt.Println(writes)
	_, _ = io.Copy(io.Discard, os.Stdin)
}
