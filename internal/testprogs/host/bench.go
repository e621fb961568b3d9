package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// bench prints the median duration of one call over batches, in nanoseconds:
// "nothing", "sum", "map" and "open" use the device; "stat", "fstat", "filemap"
// and "seek" use ordinary files; "socket" sends 64 bytes to the socket 3 and
// reads 64 bytes back.
func bench(args []string) {
	n := must(strconv.Atoi(args[1]))
	var sum [8]uint64
	var st unix.Stat_t
	buf := make([]byte, 64)
	fd := -1
	if slices.Contains([]string{"nothing", "sum", "map", "open"}, args[0]) {
		fd = openCard(unix.O_RDWR)
	}
	const path = "/usr/bin/env"
	file := must(unix.MemfdCreate("bench", unix.MFD_CLOEXEC))
	check(unix.Ftruncate(file, mapSize))
	one := map[string]func(){
		"nothing": func() { check(ioctl(fd, reqNothing, 0)) },
		"sum":     func() { check(ioctlPtr(fd, reqSum, &sum)) },
		"map": func() {
			check(munmap(must(mmap(fd, mapSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, mapOffset))))
		},
		"filemap": func() {
			check(munmap(must(mmap(file, mapSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, 0))))
		},
		"seek":  func() { must(unix.Seek(file, 0, unix.SEEK_END)) },
		"stat":  func() { check(unix.Stat(path, &st)) },
		"fstat": func() { check(unix.Fstat(0, &st)) },
		"openfile": func() {
			check(unix.Close(must(unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0))))
		},
		"xattr": func() { _, _ = unix.Lgetxattr(path, "user.none", buf) },
		"poll":  func() { _ = pollNow(0) },
		"getfl": func() { must(unix.FcntlInt(0, unix.F_GETFL, 0)) },
		"read":  func() { must(unix.Read(file, buf[:20])) },
		"open":  func() { check(unix.Close(openCard(unix.O_RDWR))) },
		"socket": func() {
			_ = must(unix.Write(3, buf))
			_ = must(unix.Read(3, buf))
		},
	}[args[0]]
	const batch = 50
	var batches []time.Duration
	for range n/batch + 1 {
		start := time.Now()
		for range batch {
			one()
		}
		batches = append(batches, time.Since(start)/batch)
	}
	slices.Sort(batches)
	fmt.Println(batches[len(batches)/2].Nanoseconds())
}
