package launcher

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/confine"
	"github.com/udrm/udrm/host/internal/mounts"
	"github.com/udrm/udrm/host/internal/seccomp"
	"github.com/udrm/udrm/host/internal/thread"
)

// Run is the launcher process. Its standard input is its socket. It returns
// when the host's process has ended.
func Run() error {
	const socket = 0
	unix.CloseOnExec(socket)
	if os.Getenv(networkVariable) != "" {
		return runNetwork()
	}
	// killall and pkill of the host's name must miss this process.
	_ = os.WriteFile("/proc/self/comm", []byte("launcher"), 0)
	confine.Yield() // before Hide, after which only root may write the file
	if err := confine.Hide(); err != nil {
		return err
	}
	thread.ReserveFew()
	var programs programs
	var namespace namespace
	for {
		var r request
		files, err := receive(socket, &r)
		if errors.Is(err, io.EOF) {
			programs.end()
			return nil
		}
		if err != nil {
			return fmt.Errorf("launcher: %w", err)
		}
		if r.Network {
			if err := serveNetwork(socket); err != nil {
				return fmt.Errorf("launcher: %w", err)
			}
			continue
		}
		if r.Namespace || len(r.Covers)+len(r.Changes) > 0 {
			if err := namespace.serve(socket, &r); err != nil {
				return fmt.Errorf("launcher: %w", err)
			}
			continue
		}
		done := make(chan reply)
		thread.Go(func() { done <- r.start(socket, files, namespace.Namespace) })
		last := <-done
		programs.add(last.PID, r.Attr.Pdeathsig)
		closeAll(files)
		if err := send(socket, last); err != nil {
			return fmt.Errorf("launcher: %w", err)
		}
	}
}

// start runs on a thread of its own, which ends afterwards: the program inherits
// what the thread does to itself. It sends the listener and returns the second
// reply.
func (r *request) start(socket int, files []int, namespace *mounts.Namespace) reply {
	if len(r.Dir) > 0 {
		if err := ownDirectory(string(r.Dir)); err != nil {
			return newReply(err)
		}
	}
	if r.Inside {
		if namespace == nil {
			return newReply(errors.New("there is no mount namespace"))
		}
		if err := namespace.Enter(); err != nil {
			return newReply(err)
		}
	}
	listener, err := seccomp.Install(&r.Filter)
	if err != nil {
		return newReply(err)
	}
	err = send(socket, reply{}, listener.FD())
	if closeErr := listener.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return newReply(err)
	}
	attr := &syscall.ProcAttr{Env: stringsOf(r.Env)}
	for _, fd := range files {
		attr.Files = append(attr.Files, uintptr(fd))
	}
	sys := r.Attr
	sys.Cloneflags |= unix.CLONE_PARENT
	sys.Pdeathsig = 0 // package syscall takes a parent that is not the caller for a dead one
	attr.Sys = &sys
	pid, err := syscall.ForkExec(string(r.Path), stringsOf(r.Args), attr)
	if err != nil {
		failure := newReply(err)
		failure.Start = true
		return failure
	}
	return reply{PID: pid}
}

// programs are the running programs that are to get a signal when the host's
// process ends: pidfds and the signals.
type programs map[int]unix.Signal

// add adds a program, and removes those that have ended. The host does not wait
// for the program before it has the reply, so the id is still the program's.
func (p *programs) add(pid int, s unix.Signal) {
	for fd := range *p {
		if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0); n > 0 {
			_ = unix.Close(fd)
			delete(*p, fd)
		}
	}
	if pid == 0 || s == 0 {
		return
	}
	if fd, err := unix.PidfdOpen(pid, 0); err == nil {
		if *p == nil {
			*p = make(programs)
		}
		(*p)[fd] = s
	}
}

// end sends the signals.
func (p *programs) end() {
	for fd, s := range *p {
		_ = unix.PidfdSendSignal(fd, s, nil, 0)
	}
}

// ownDirectory gives the calling thread a working directory of its own.
func ownDirectory(dir string) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unsharing the working directory: %w", err)
	}
	if err := unix.Chdir(dir); err != nil {
		return fmt.Errorf("changing to %s: %w", dir, err)
	}
	return nil
}
