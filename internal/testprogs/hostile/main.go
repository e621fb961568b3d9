// Command hostile attacks the host that serves it, one way for each name: it
// takes what others need, or keeps the host occupied. The tests of package host
// run it as another user, and look at what other programs notice.
//
// It exits with status 0 if it got the kernel's answers, or prints the first
// wrong one and exits with status 1. Attacks that last print "holding" and end
// with their standard input.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

var attacks = map[string]func(args []string){
	"fifo":     fifo,
	"reads":    reads,
	"monitors": monitors,
	"closed":   closedMonitors,
	"argument": arguments,
	"int80":    int80,
	"bypass":   bypass,
	"jump":     jump,
	"jail":     jail,
	"landlock": landlock,
	"jumper":   jumper,
	"fault":    fault,
	"nested":   nested,
	"query":    query,
	"disturb":  disturb,
	"polls":    polls,
	"pull":     pull,
	"prod":     prod,
	"stall":    stall,
	"stuck":    stuck,
	"version":  version,
	"unbind":   unbind,
	"closing":  closing,
	"status":   status,
	"take":     take,
	"make":     makeSome,
	"config":   config,
	"xattr":    attribute,
	"unload":   unload,
	"control":  control,
	"refused":  refused,
	"honest":   honest,
	"leader":   leader,
	"flood":    flood,
	"more":     takeForEver,
	"measure":  measure,
	"flips":    flips,
	"cycles":   cycles,
	"use":      use,
	"uses":     uses,
	"storm":    storm,
	"keep":     keep,
	"scarce":   scarce,
	"shortage": shortage,
	"trapped":  trapped,
	"groups":   groups,
	"withhold": withhold,
}

func main() {
	runtime.LockOSThread()
	attack := attacks[os.Args[1]]
	if attack == nil {
		failf("no attack %q", os.Args[1])
	}
	attack(os.Args[2:])
}

func failf(format string, args ...any) {
	_, file, line, _ := runtime.Caller(2)
	fmt.Printf("hostile %v: %s:%d: %s\n", os.Args[1:], file, line, fmt.Sprintf(format, args...))
	os.Exit(1)
}

func must[T any](v T, err error) T {
	if err != nil {
		failf("%v", err)
	}
	return v
}

func check(err error) {
	if err != nil {
		failf("%v", err)
	}
}

// want checks that a call returned one of the given errnos; 0 stands for
// success.
func want(what string, err error, errnos ...unix.Errno) {
	errno, _ := err.(unix.Errno)
	if err != nil && errno == 0 || !slices.Contains(errnos, errno) {
		failf("%s: got %v, want %v", what, err, errnos)
	}
}

// hold tells the test that everything is in place, and waits for its end.
func hold() {
	fmt.Println("holding")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func openCard() int { return must(open("/dev/dri/card0", unix.O_RDWR)) }

// open repeats an open(2) that a signal of the Go runtime interrupts.
func open(path string, flags int) (int, error) { return openat(unix.AT_FDCWD, path, flags) }

func openat(dir int, path string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, path, flags|unix.O_CLOEXEC, 0o644)
		if err != unix.EINTR {
			return fd, err
		}
	}
}
