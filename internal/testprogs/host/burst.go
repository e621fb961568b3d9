package main

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// burst sends requests without a pause until a byte arrives at standard input, and
// then one that the device holds. After another byte, while that one waits, another
// thread sends one more request.
func burst([]string) {
	fd := openCard(unix.O_RDWR)
	for stdin := []unix.PollFd{{Fd: 0, Events: unix.POLLIN}}; must(unix.Poll(stdin, 0)) == 0; {
		for range 100 {
			check(ioctl(fd, reqNothing, 0))
		}
	}
	readByte()
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		check(ioctl(fd, reqHold, 0))
		close(done)
	}()
	readByte()
	check(ioctl(fd, reqNothing, 0))
	fmt.Println("served")
	<-done
}

func readByte() { must(unix.Read(0, make([]byte, 1))) }
