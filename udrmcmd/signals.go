package udrmcmd

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/machine"
)

// A forwarder forwards signals of this process to the program.
//
// The program is in the process group of this process. A terminal sends its
// signals (Ctrl-C, Ctrl-\, Ctrl-Z) to the whole group, the program included, so
// only signals that were sent to this process alone are forwarded. When the
// program stops, this process stops too, so that the shell that waits for it
// notices.
//
// Go does not tell the sender of a signal. (signalfd(2) would, if all threads
// blocked the signal from before the start of the runtime.) This has two
// consequences. A signal sent to this process alone while it is in the
// foreground counts as the terminal's, and is not forwarded. And a signal that
// another process sends to the whole group, as shells send SIGHUP and SIGCONT,
// reaches the program twice.
type forwarder struct{ signals chan os.Signal }

// forwarded are the signals that a forwarder forwards.
var forwarded = []os.Signal{
	unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGTSTP, unix.SIGCONT,
}

// catchSignals begins to catch signals. It must be called before the program is
// started, so that no signal is lost.
func catchSignals() *forwarder {
	f := &forwarder{signals: make(chan os.Signal, 16)}
	signal.Notify(f.signals, forwarded...)
	return f
}

// endTime is how long this process may take to end, once a signal asks for it.
const endTime = time.Second

// stop is called when the program has ended, and this process is about to. A signal
// ends it only if it does not end by itself soon: its exit status says more.
func (f *forwarder) stop() {
	go func() {
		s := <-f.signals
		time.Sleep(endTime)
		signal.Reset(forwarded...)
		_ = unix.Kill(os.Getpid(), s.(unix.Signal))
	}()
}

// starting is called before the program is started. A signal that asks this process
// to end does so unless the program, which decides from then on, starts soon: a rule
// can hold its start up. The caller calls started when the program has started.
func (f *forwarder) starting() (started func()) {
	begun, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		var held []os.Signal
		var asked os.Signal
		var end <-chan time.Time
		for {
			select {
			case s := <-f.signals:
				held = append(held, s)
				if end == nil && slices.Contains(ending, s) {
					asked, end = s, time.After(endTime)
				}
			case <-end:
				signal.Reset(forwarded...)
				_ = unix.Kill(os.Getpid(), asked.(unix.Signal))
			case <-begun:
				for _, s := range held {
					select {
					case f.signals <- s:
					default: // as many are waiting as signal.Notify keeps
					}
				}
				return
			}
		}
	}()
	return func() {
		close(begun)
		<-watched
	}
}

// ending are the signals that ask a process to end.
var ending = []os.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP}

// to forwards signals to the program until it has ended.
func (f *forwarder) to(p *machine.Process) {
	for {
		select {
		case s := <-f.signals:
			if !sentByTerminal(s) {
				p.Signal(s)
			}
			if s == unix.SIGTSTP {
				stopWith(p.PID())
			}
		case <-p.Exited():
			return
		}
	}
}

// sentByTerminal reports whether the terminal has sent s, which has arrived
// here, to the whole process group.
func sentByTerminal(s os.Signal) bool {
	return (s == unix.SIGINT || s == unix.SIGQUIT || s == unix.SIGTSTP) && foreground()
}

// foreground reports whether the process group is in the foreground of its
// terminal.
func foreground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// stopWith stops this process once the program has stopped. A program may do
// something first, for which it needs this process, or not stop at all.
func stopWith(pid int) {
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if processState(pid) == 'T' {
			_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
			return
		}
	}
}

// processState returns the state of a process as /proc shows it, or 0 if the
// process does not exist.
func processState(pid int) byte {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if i := bytes.LastIndexByte(stat, ')'); err == nil && i >= 0 && i+2 < len(stat) {
		return stat[i+2]
	}
	return 0
}
