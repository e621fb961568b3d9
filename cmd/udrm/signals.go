package main

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// A forwarder passes the signals that udrm gets on to the program.
//
// The program is in the process group of udrm. What a terminal sends (Ctrl-C,
// Ctrl-\, Ctrl-Z) goes to the whole group, the program included, so only
// signals that somebody sent to udrm alone are passed on. When the program
// stops, udrm stops as well, so that the shell that waits for udrm sees it.
type forwarder struct{ signals chan os.Signal }

// catchSignals must be called before the program is started, so that none is
// lost in between.
func catchSignals() *forwarder {
	f := &forwarder{signals: make(chan os.Signal, 16)}
	signal.Notify(f.signals, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2,
		unix.SIGTSTP, unix.SIGCONT)
	return f
}

func (f *forwarder) to(pid int) {
	for s := range f.signals {
		switch s := s.(unix.Signal); s {
		case unix.SIGINT, unix.SIGQUIT:
			if !foreground() {
				_ = unix.Kill(pid, s)
			}
		case unix.SIGTSTP:
			if !foreground() {
				_ = unix.Kill(pid, s)
			}
			stopWith(pid)
		default:
			_ = unix.Kill(pid, s)
		}
	}
}

// foreground reports whether udrm's process group is the one that the
// terminal sends its signals to.
func foreground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// stopWith stops this process once the program has stopped. A program may
// also do something first, with our help, or not stop at all.
func stopWith(pid int) {
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if processState(pid) == 'T' {
			_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
			return
		}
	}
}

// processState returns the state of a process as /proc shows it, 0 when it is
// gone.
func processState(pid int) byte {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if i := bytes.LastIndexByte(stat, ')'); err == nil && i >= 0 && i+2 < len(stat) {
		return stat[i+2]
	}
	return 0
}
