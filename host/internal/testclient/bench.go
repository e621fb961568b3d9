package main

import (
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// bench prints how long one request takes, in nanoseconds: "nothing", "sum",
// "map", "stat" (of a file that is not ours) or "socket", which sends 64 bytes
// to the socket 3 and reads 64 bytes back.
func bench(args []string) {
	n := must(strconv.Atoi(args[1]))
	var sum [8]uint64
	var st unix.Stat_t
	buf := make([]byte, 64)
	fd := -1
	if args[0] != "socket" {
		fd = openCard(unix.O_RDWR)
	}
	one := map[string]func(){
		"nothing": func() { check(ioctl(fd, reqNothing, 0)) },
		"sum":     func() { check(ioctlPtr(fd, reqSum, &sum)) },
		"map": func() {
			check(munmap(must(mmap(fd, mapSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, mapOffset))))
		},
		"stat":  func() { check(unix.Stat("/usr/bin/env", &st)) },
		"fstat": func() { check(unix.Fstat(0, &st)) },
		"open":  func() { check(unix.Close(openCard(unix.O_RDWR))) },
		"socket": func() {
			_ = must(unix.Write(3, buf))
			_ = must(unix.Read(3, buf))
		},
	}[args[0]]
	for range n / 10 {
		one()
	}
	start := time.Now()
	for range n {
		one()
	}
	fmt.Println(time.Since(start).Nanoseconds() / int64(n))
}
