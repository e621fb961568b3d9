package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// burst sends requests without a pause until a byte arrives at standard input, and
// at once one that the device holds. After another byte, while that one waits,
// another thread sends one more request. A third byte ends it.
func burst([]string) {
	fd := openCard(unix.O_RDWR)
	next, served := make(chan struct{}), make(chan struct{})
	go func() {
		<-next
		readByte()
		check(ioctl(fd, reqNothing, 0))
		fmt.Println("served")
		close(served)
	}()
	for stdin := []unix.PollFd{{Fd: 0, Events: unix.POLLIN}}; must(unix.Poll(stdin, 0)) == 0; {
		for range 100 {
			check(ioctl(fd, reqNothing, 0))
		}
	}
	readByte()
	close(next)
	check(ioctl(fd, reqHold, 0))
	<-served
	readByte()
}

func readByte() { must(unix.Read(0, make([]byte, 1))) }
