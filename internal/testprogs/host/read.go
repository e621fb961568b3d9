package main

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// shortReads checks that no read returns a part of an event.
func shortReads([]string) {
	fd := openCard(unix.O_RDWR | unix.O_NONBLOCK)
	buf := make([]byte, 1024)
	for _, size := range []int{0, 1, 4, 31, 40, 255} {
		_, err := unix.Read(fd, buf[:size])
		want(err, unix.EAGAIN, "a short read without events")
	}
	for i := range uint64(9) {
		check(sendEvent(fd, i))
	}
	next := 0
	for _, c := range []struct{ size, events int }{
		{0, 0}, {1, 0}, {4, 0}, {7, 0}, {9, 0}, {31, 0}, {40, 1}, {1, 0}, {64, 2}, {100, 3}, {255, 3},
	} {
		n := must(unix.Read(fd, buf[:c.size]))
		equal(n, 32*c.events, "bytes read")
		for i := range c.events {
			equal(eventData(buf[32*i:]), uint64(next), "the data of an event")
			next++
		}
	}
	_, err := unix.Read(fd, buf)
	want(err, unix.EAGAIN, "a read without events, again")

	// A bad pointer loses no event.
	check(sendEvent(fd, 9))
	_, err = rawRead(fd, 8, 40)
	want(err, unix.EFAULT, "a read to a bad pointer")
	equal(must(unix.Read(fd, buf[:40])), 32, "the read after it")
	equal(eventData(buf), 9, "the data of its event")

	// An event wakes all readers whose buffers are too short for it.
	check(unix.SetNonblock(fd, false))
	const readers = 3
	for round := range uint64(20) {
		woken := make(chan int, readers)
		for range readers {
			go func() {
				runtime.LockOSThread()
				n, err := unix.Read(fd, make([]byte, 4))
				for err == unix.EINTR { // signals of the Go runtime
					n, err = unix.Read(fd, make([]byte, 4))
				}
				woken <- must(n, err)
			}()
		}
		check(sendEvent(fd, round))
		for range readers {
			equal(<-woken, 0, "a short read that waits")
		}
		equal(must(unix.Read(fd, buf)), 32, "the event that woke them")
		equal(eventData(buf), round, "its data")
	}

	// Reads of other files are unchanged.
	var p [2]int
	check(unix.Pipe2(p[:], unix.O_CLOEXEC))
	equal(must(unix.Write(p[1], []byte("abcdefghij"))), 10, "a write to a pipe")
	equal(must(unix.Read(p[0], buf[:1])), 1, "a read of one byte")
	equal(must(unix.Read(p[0], buf[:100])), 9, "a read of the rest")
	equal(string(buf[:9]), "bcdefghij", "the rest")
}
