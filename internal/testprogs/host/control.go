package main

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// control writes to writable attributes, and reads from a stream.
func control([]string) {
	const dir = "/sys/kernel/debug/dri/0/echo"
	const ctl, data = dir + "/control", dir + "/data"
	stored := func() string { return string(must(os.ReadFile(ctl))) }
	put := func(fd int, s string) { equal(must(unix.Write(fd, []byte(s))), len(s), "bytes written") }

	w := must(unix.Open(ctl, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC, 0o644))
	equal(fdLink(w), "/sys/kernel/debug/dri/vkms/echo/control", "the link of an attribute")
	var st unix.Stat_t
	check(unix.Fstat(w, &st))
	equal(st.Mode, uint32(unix.S_IFREG|0o644), "the mode of an attribute")
	_, err := unix.Read(w, make([]byte, 1))
	want(err, unix.EBADF, "reading a file opened for writing")
	put(w, "one")
	equal(stored(), "\"one\"\n", "the stored lines")
	put(w, "two\n")
	put(w, "three")
	check(unix.Close(w))
	equal(stored(), "\"one\"\n\"two\\n\"\n\"three\"\n", "the stored lines after close")

	// A rejected write stores nothing.
	for bad, errno := range map[string]unix.Errno{"refuse": unix.EINVAL, "panic": unix.EIO} {
		for _, flags := range []int{unix.O_WRONLY, unix.O_RDWR, unix.O_WRONLY | unix.O_NONBLOCK, unix.O_RDWR | unix.O_NONBLOCK} {
			w = must(unix.Open(ctl, flags, 0))
			_, err := unix.Write(w, []byte(bad))
			want(err, errno, "a write that is rejected")
			check(unix.SetNonblock(w, true))
			_, err = unix.Write(w, []byte(bad))
			want(err, errno, "a write that is rejected, after O_NONBLOCK was set")
			check(unix.Close(w))
		}
		// Package os sets O_NONBLOCK and asks epoll for events.
		if err := os.WriteFile(ctl, []byte(bad), 0); !errors.Is(err, errno) {
			failf("os.WriteFile of what is rejected: %v, want %v", err, errno)
		}
	}
	w = must(unix.Open(ctl, unix.O_WRONLY, 0))
	_, _, errno := unix.Syscall(unix.SYS_WRITE, uintptr(w), 8, 5)
	want(errno, unix.EFAULT, "a write of memory that is not there")
	equal(strings.Count(stored(), "\n"), 3, "lines stored")

	// An attribute open for reading and writing.
	rw := must(unix.Open(ctl, unix.O_RDWR, 0))
	equal(fdLink(rw), "/sys/kernel/debug/dri/vkms/echo/control", "the link of an attribute")
	buf := make([]byte, 4096)
	n := must(unix.Read(rw, buf))
	equal(string(buf[:n]), "\"one\"\n\"two\\n\"\n\"three\"\n", "the lines read")
	equal(must(unix.Read(rw, buf)), 0, "a read at the end")
	put(rw, "four")
	equal(must(unix.Writev(rw, [][]byte{[]byte("fo"), nil, []byte("ur")})), 4, "bytes written")
	equal(strings.HasSuffix(stored(), "\"four\"\n"), true, "a write to it is stored")
	check(unix.Close(rw))

	// A stream: one open at a time; one packet a read; poll and O_NONBLOCK.
	r := must(unix.Open(data, unix.O_RDONLY|unix.O_NONBLOCK, 0))
	equal(fdLink(r), "/sys/kernel/debug/dri/vkms/echo/data", "the link of a stream")
	check(unix.Fstat(r, &st))
	equal(st.Mode, uint32(unix.S_IFREG|0o444), "the mode of a stream")
	_, err = unix.Open(data, unix.O_RDONLY, 0)
	want(err, unix.EBUSY, "opening a stream that is open")
	_, err = unix.Read(r, buf)
	want(err, unix.EAGAIN, "reading an empty stream")
	poll := []unix.PollFd{{Fd: int32(r), Events: unix.POLLIN}}
	equal(must(unix.Poll(poll, 0)), 0, "polling an empty stream")
	w = must(unix.Open(ctl, unix.O_WRONLY, 0))
	put(w, "five")
	put(w, "six")
	check(unix.SetNonblock(r, false))
	equal(must(unix.Poll(poll, -1)), 1, "waiting for the stream")
	n = must(unix.Read(r, buf))
	equal(string(buf[:n]), "five", "the first packet")
	n = must(unix.Read(r, buf))
	equal(string(buf[:n]), "six", "the second packet")
	want(ioctl(r, reqNothing, 0), unix.ENOTTY, "an ioctl on a stream")
	for range 10 {
		check(unix.Close(r))
		r = must(unix.Open(data, unix.O_RDONLY, 0))
	}

	// The program ends right after this write.
	put(w, "last words")
}
