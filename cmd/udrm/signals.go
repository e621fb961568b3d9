package main

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host"
)

// A forwarder passes the signals that udrm gets on to the program.
//
// The program is in the process group of udrm. What a terminal sends (Ctrl-C,
// Ctrl-\, Ctrl-Z) goes to the whole group, the program included, so only
// signals that somebody sent to udrm alone are passed on. When the program
// stops, udrm stops as well, so that the shell that waits for udrm sees it.
//
// Go does not say who has sent a signal (signalfd(2) would, if all threads blocked
// it, from before the runtime starts). So what somebody sends to udrm alone while it
// is in the foreground is taken for the terminal's, and not passed on; and what is
// sent to the whole group by somebody else, as SIGHUP and SIGCONT are by shells,
// reaches the program twice.
//
// Once the program has ended, signals go to what it has left behind; if that
// lives on, the second one kills it.
type forwarder struct{ signals chan os.Signal }

// catchSignals must be called before the program is started, so that none is
// lost in between.
func catchSignals() *forwarder {
	f := &forwarder{signals: make(chan os.Signal, 16)}
	signal.Notify(f.signals, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2,
		unix.SIGTSTP, unix.SIGCONT)
	return f
}

// to passes signals on to the program until it has ended.
func (f *forwarder) to(program *os.Process, ended <-chan struct{}) {
	for {
		select {
		case s := <-f.signals:
			if !sentByTerminal(s) {
				_ = program.Signal(s)
			}
			if s == unix.SIGTSTP {
				stopWith(program.Pid)
			}
		case <-ended:
			return
		}
	}
}

// leftoversPatience is how long udrm waits for what the program left behind
// before it says so.
const leftoversPatience = time.Second

// toLeftovers passes signals on to what the program has left behind, until
// that has ended too.
func (f *forwarder) toLeftovers(program string, ended <-chan struct{}) {
	patience := time.After(leftoversPatience)
	for asked := false; ; {
		select {
		case s := <-f.signals:
			switch s {
			case unix.SIGTSTP:
				_ = unix.Kill(os.Getpid(), unix.SIGSTOP) // us alone
			case unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP:
				if asked {
					s = unix.SIGKILL
				}
				asked = true
				fallthrough
			default:
				signalLeftovers(s.(unix.Signal))
			}
		case <-patience:
			var names []string
			for _, pid := range host.Leftovers() {
				comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
				names = append(names, fmt.Sprintf("%s (process %d)", bytes.TrimSpace(comm), pid))
			}
			fmt.Fprintf(os.Stderr, "udrm: %s has ended; waiting for what it left behind, which still has the cards: %s. Ctrl-C is passed on to it, a second one kills it.\n",
				program, strings.Join(names, ", "))
		case <-ended:
			return
		}
	}
}

func signalLeftovers(s unix.Signal) {
	byTerminal := sentByTerminal(s)
	for _, pid := range host.Leftovers() {
		if group, err := unix.Getpgid(pid); byTerminal && err == nil && group == unix.Getpgrp() {
			continue
		}
		_ = unix.Kill(pid, s)
	}
}

// sentByTerminal reports whether the terminal has sent s, which has arrived
// here, to all of the process group.
func sentByTerminal(s os.Signal) bool {
	return (s == unix.SIGINT || s == unix.SIGQUIT || s == unix.SIGTSTP) && foreground()
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
