package launcher

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/confine"
	"github.com/udrm/udrm/host/internal/mounts"
	"github.com/udrm/udrm/host/internal/seccomp"
	"github.com/udrm/udrm/internal/pollfd"
)

// A Launcher is a launcher process, as the host sees it. Its methods may be
// called concurrently.
type Launcher struct {
	mu     sync.Mutex // held while a program is started
	socket int
	pid    int
}

// variable tells the replaced process of its launcher.
const variable = "UDRM_LAUNCHER"

// Confine starts a launcher, whose command must call [Run], and replaces this
// process by the same command with fewer capabilities: the main function runs
// again. It then returns the launcher, and this process is undumpable. If it
// fails, the caller must exit.
func Confine(command []string) (*Launcher, error) {
	if state, replaced := os.LookupEnv(variable); replaced {
		if err := os.Unsetenv(variable); err != nil {
			return nil, err
		}
		return replacedBy(state)
	}
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		return nil, err
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	defer unix.Close(fds[0]) // ends the launcher, too
	stdin := os.NewFile(uintptr(fds[1]), "launcher")
	defer stdin.Close()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin = stdin
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the launcher: %w", err)
	}
	err = replace(fds[0], cmd.Process.Pid, strings.TrimSpace(string(comm)))
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return nil, err
}

// replace replaces this process. It returns only if it fails.
//
// Only the main thread calls exec: if another one did, it would take the place
// of the main thread, which the parent of this process can notice in a wait.
func replace(socket, launcher int, comm string) error {
	if unix.Gettid() != unix.Getpid() {
		return errors.New("Confine must be called on the main thread, with runtime.LockOSThread in an init function")
	}
	if err := confine.DropCapabilities(); err != nil {
		return err
	}
	confine.Spare() // the launcher, and with it the programs, have started without this
	if _, err := unix.FcntlInt(uintptr(socket), unix.F_SETFD, 0); err != nil {
		return err
	}
	state := fmt.Sprintf("%s=%d %d %s", variable, socket, launcher, comm)
	return fmt.Errorf("exec: %w", syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), state)))
}

// replacedBy finishes Confine in the replaced process.
func replacedBy(state string) (*Launcher, error) {
	l := new(Launcher)
	if _, err := fmt.Sscanf(state, "%d %d", &l.socket, &l.pid); err != nil {
		return nil, fmt.Errorf("%s=%s: %w", variable, state, err)
	}
	unix.CloseOnExec(l.socket)
	if kind, err := unix.GetsockoptInt(l.socket, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_SEQPACKET {
		return nil, fmt.Errorf("%s=%s is not the socket of a launcher; unset it", variable, state)
	}
	// The exec has called the process exe. Its other threads keep that name: the end of
	// a process whose threads were looked at in /proc costs its parent milliseconds.
	if fields := strings.SplitN(state, " ", 3); len(fields) == 3 {
		_ = os.WriteFile("/proc/self/comm", []byte(fields[2]), 0)
	}
	return l, confine.Hide()
}

// PID returns the process id of the launcher.
func (l *Launcher) PID() int { return l.pid }

// Start starts a program under the filter. The files of cmd must be [os.File]s.
// inside starts it in the mount namespace. served is called with the listener
// before the program runs. Start sets cmd.Process, so that cmd.Wait can be
// called.
func (l *Launcher) Start(cmd *exec.Cmd, filter *seccomp.Filter, inside bool, served func(*seccomp.Listener)) error {
	r := request{Path: []byte(cmd.Path), Args: bytesOf(cmd.Args), Env: bytesOf(cmd.Environ()), Dir: []byte(cmd.Dir), Filter: *filter, Inside: inside}
	if cmd.SysProcAttr != nil {
		r.Attr = *cmd.SysProcAttr
		r.Attr.PidFD = nil
	}
	if !r.Attr.Setsid && !r.Attr.Setpgid && !r.Attr.Foreground {
		r.Attr.Setpgid, r.Attr.Pgid = true, unix.Getpgrp()
	}
	files, closeFiles, err := filesOf(cmd)
	if err != nil {
		return err
	}
	defer closeFiles()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := send(l.socket, r, files...); err != nil {
		return fmt.Errorf("asking the launcher: %w", err)
	}
	var first, second reply
	fds, err := l.reply(&first, cmd.Path)
	if err != nil {
		return err
	}
	served(seccomp.FromFD(fds[0]))
	if _, err := l.reply(&second, cmd.Path); err != nil {
		return err
	}
	cmd.Process, err = os.FindProcess(second.PID)
	return err
}

// NewNamespace makes the mount namespace of the programs, and returns the
// connections and the roots of its file systems: see [mounts.New].
func (l *Launcher) NewNamespace() (connections [2]int, roots mounts.Roots, err error) {
	var r reply
	fds, err := l.ask(request{Namespace: true}, &r)
	if err != nil {
		return connections, roots, err
	}
	return [2]int{fds[0], fds[1]}, mounts.Roots{Files: fds[2], Devices: fds[3], Namespace: r.Inode}, nil
}

// Cover mounts over directories in the namespace: see [mounts.Namespace.Cover].
func (l *Launcher) Cover(covers []mounts.Cover) (dev pollfd.ID, err error) {
	var r reply
	_, err = l.ask(request{Covers: covers}, &r)
	return r.Dev, err
}

// Change makes and removes names in the namespace: see [mounts.Namespace.Change].
func (l *Launcher) Change(changes []mounts.Change) error {
	_, err := l.ask(request{Changes: changes}, new(reply))
	return err
}

func (l *Launcher) ask(r request, answer *reply) (fds []int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := send(l.socket, r); err != nil {
		return nil, fmt.Errorf("asking the launcher: %w", err)
	}
	return l.reply(answer, "")
}

// reply receives a reply, or the error in it.
func (l *Launcher) reply(r *reply, path string) ([]int, error) {
	fds, err := receive(l.socket, r)
	if err != nil {
		return nil, fmt.Errorf("the launcher has ended: %w", err)
	}
	return fds, r.err(path)
}

// filesOf returns the descriptors of a program's files, and a function that
// closes those that were opened for it.
func filesOf(cmd *exec.Cmd) (fds []int, done func(), err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, file := range []any{cmd.Stdin, cmd.Stdout, cmd.Stderr} {
		switch f := file.(type) {
		case nil:
			fds = append(fds, int(null.Fd()))
		case *os.File:
			fds = append(fds, int(f.Fd()))
		default:
			return nil, nil, fmt.Errorf("a launcher passes files on only, no %T; use os.Pipe", file)
		}
	}
	for _, f := range cmd.ExtraFiles {
		fds = append(fds, int(f.Fd()))
	}
	return fds, func() { _ = null.Close() }, nil
}

// Close ends the launcher. No method may be running.
func (l *Launcher) Close() {
	_ = unix.Close(l.socket)
	_ = unix.Kill(l.pid, unix.SIGKILL) // a child that nothing has waited for
	for {
		if _, err := unix.Wait4(l.pid, nil, 0, nil); err != unix.EINTR {
			return
		}
	}
}
