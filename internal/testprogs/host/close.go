package main

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// closes checks that the request after a close finds the file released,
// whatever the file was used for just before.
func closes([]string) {
	fd := openCard(unix.O_RDWR)
	for i := range 600 {
		other := openCard(unix.O_RDWR)
		equal(openFiles(fd), 2, "open files")
		if i%2 == 0 {
			check(ioctl(other, reqNothing, 0))
		} else {
			check(munmap(must(mmap(other, 4096, unix.PROT_READ, unix.MAP_SHARED, mapOffset))))
		}
		check(unix.Close(other))
		equal(openFiles(fd), 1, "open files after a close")
	}
}

// closeWait closes a file while a thread waits in a request on it. The request
// goes on, and does not delay others.
func closeWait([]string) {
	fd, other := openCard(unix.O_RDWR), openCard(unix.O_RDWR)
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- ioctl(other, reqWait, 0)
	}()
	for waiters(fd) == 0 {
		runtime.Gosched()
	}
	check(unix.Close(other))
	for range 100 {
		equal(openFiles(fd), 2, "open files while a request goes on")
	}
	check(ioctl(fd, reqUnplug, 0))
	check(<-done)
}

func waiters(fd int) (n uint64) {
	check(ioctlPtr(fd, reqWaiters, &n))
	return n
}
