package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// debugger runs another part of this program as a debugger does, in one of three
// ways, and checks that it sees the stops that a kernel's card would cause, and
// no others:
//
//	gdb     the program asks to be traced, and runs freely
//	strace  the debugger attaches with PTRACE_SEIZE, and sees all system calls
//	plain   the same without PTRACE_O_TRACESYSGOOD
func debugger(args []string) {
	d := tracer{mode: args[0], threads: make(map[int]*traced)}
	cmd := exec.Command("/proc/self/exe", args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	check(cmd.Start())
	pid := cmd.Process.Pid
	var status unix.WaitStatus
	_ = must(unix.Wait4(pid, &status, 0, nil)) // at its exec
	options := unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if d.mode == "gdb" {
		d.threads[pid] = &traced{}
		check(unix.PtraceSetOptions(pid, options))
		check(unix.PtraceCont(pid, 0))
	} else {
		d.request = unix.PTRACE_SYSCALL
		if d.mode == "strace" {
			options |= unix.PTRACE_O_TRACESYSGOOD
		}
		check(detachStopped(pid))
		check(seize(pid, options))
		check(unix.Kill(pid, unix.SIGCONT))
	}
	for d.loop(pid) {
	}
	if d.mode != "gdb" && d.mappings == 0 && args[1] != "chdir" {
		failf("the debugger has seen no mapping")
	}
}

// A tracer is a debugger, and traced a thread that it traces.
type tracer struct {
	mode     string
	request  int
	threads  map[int]*traced
	mappings int
	begun    bool // the program has made a call
}

type traced struct {
	inCall bool
	regs   unix.PtraceRegs // at the beginning of the call
}

// loop handles one stop. It returns false when the program has ended.
func (d *tracer) loop(main int) bool {
	var status unix.WaitStatus
	tid, err := unix.Wait4(-1, &status, unix.WALL, nil)
	if err == unix.EINTR {
		return true
	}
	check(err)
	event, s := int(status)>>16, status.StopSignal()
	t := d.threads[tid]
	passed := 0
	switch {
	case !status.Stopped():
		if tid == main {
			equal(status, 0, "the status of the program")
		}
		delete(d.threads, tid)
		return tid != main
	case event == unix.PTRACE_EVENT_CLONE:
	case t == nil && (event == unix.PTRACE_EVENT_STOP || s == unix.SIGSTOP):
		d.threads[tid] = &traced{}
	case t == nil:
		failf("thread %d begins with status %#x", tid, status)
	case event == 0 && s == unix.SIGTRAP|0x80, event == 0 && d.mode == "plain" && s == unix.SIGTRAP:
		d.begun = true
		d.atCall(tid, t)
	case event == 0 && s == unix.SIGCONT, event == unix.PTRACE_EVENT_STOP && tid == main && !d.begun:
		if event == 0 { // otherwise it is the group-stop that SIGCONT ends
			passed = int(s)
		}
	case event != 0, s == unix.SIGSTOP, s == unix.SIGTRAP:
		failf("thread %d has stopped with status %#x", tid, status)
	default:
		passed = int(s)
	}
	err = resume(d.request, tid, passed)
	if err != unix.ESRCH { // it was killed by the end of the program
		check(err)
	}
	return true
}

// mappings maps from several threads, under signals that come now and then.
func mappings([]string) {
	const each = 10
	fd := openCard(unix.O_RDWR)
	signals := make(chan os.Signal, 100)
	signal.Notify(signals, unix.SIGALRM)
	interval := unix.Timeval{Usec: 5000}
	_ = must(unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{Interval: interval, Value: interval}))
	var wrong atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			runtime.LockOSThread()
			for range each {
				m, err := mmap(fd, 65536, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, mapOffset)
				if err != nil {
					fmt.Println("mmap:", err)
					wrong.Add(1)
					return
				}
				m[65535]++
				check(munmap(m))
			}
		})
	}
	wg.Wait()
	equal(wrong.Load(), 0, "threads that could not map")
	equal(openFiles(fd), 1, "open files")
}
func ptrace(request, tid int, data uintptr) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), 0, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// detachStopped ends the tracing of a process, which does not run on.
func detachStopped(pid int) error { return ptrace(unix.PTRACE_DETACH, pid, uintptr(unix.SIGSTOP)) }

func seize(pid, options int) error { return ptrace(unix.PTRACE_SEIZE, pid, uintptr(options)) }

// resume lets a thread run: to its next call if request is PTRACE_SYSCALL, and
// freely if it is 0.
func resume(request, tid, signal int) error {
	if request == 0 {
		request = unix.PTRACE_CONT
	}
	return ptrace(request, tid, uintptr(signal))
}
