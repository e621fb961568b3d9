package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/child"
	"github.com/udrm/udrm/host/internal/seccomp"
	"github.com/udrm/udrm/host/internal/thread"
)

// A StartError reports that a program could not be started. The failure is the
// host's or the caller's, never the program's.
type StartError struct {
	Program string
	Err     error
}

// Error names the program once: those of packages os and os/exec name it too.
func (e *StartError) Error() string {
	err := e.Err
	var path *fs.PathError
	var lookup *exec.Error
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &lookup):
		err = lookup.Err
	}
	name := e.Program
	if name == "" {
		name = `""`
	}
	return fmt.Sprintf("cannot start %s: %v", name, err)
}

func (e *StartError) Unwrap() error { return e.Err }

// A Process is a program started by a host, with everything that the program
// starts.
type Process struct {
	host   *Host
	cmd    *exec.Cmd
	server *server
	ended  chan struct{} // closed when the program has ended or was not started

	wait  sync.Once
	state syscall.WaitStatus
	err   error
}

// Start starts cmd and serves the host's devices to it. The caller must not
// call cmd's own Start or Wait, but [Process.Wait]. Every error is a
// [*StartError].
//
// The program and everything that it starts have no_new_privs: set-user-ID
// programs gain no privilege.
func (h *Host) Start(cmd *exec.Cmd) (*Process, error) {
	if cmd.Err != nil {
		return nil, &StartError{cmd.Path, cmd.Err}
	}
	p := &Process{host: h, cmd: cmd, ended: make(chan struct{})}
	pidfd := -1
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if cmd.SysProcAttr.PidFD == nil {
		cmd.SysProcAttr.PidFD = &pidfd
	}
	if cmd.SysProcAttr.Pdeathsig == 0 {
		cmd.SysProcAttr.Pdeathsig = unix.SIGKILL
	}
	if h.marker != "" {
		cmd.Env = append(cmd.Environ(), h.marker)
	}
	if h.cleaner != nil {
		started := h.cleaner.Started
		if h.reserved != nil {
			started = h.awaitCleaner
		}
		if err := started(); err != nil {
			h.log.Warn("host: programs may outlive this process if it is killed", "err", err)
		}
	}
	if err := h.cover(); err != nil {
		close(p.ended)
		return nil, &StartError{cmd.Path, err}
	}
	if h.reserved != nil {
		<-h.reserved
	}
	h.confine()
	started := make(chan error)
	err := child.Start(func() (int, error) {
		if h.launcher != nil {
			if err := p.launch(h); err != nil {
				return 0, err
			}
			return cmd.Process.Pid, nil
		}
		thread.Go(func() {
			err := p.start(h)
			started <- err
			if err == nil {
				<-p.ended // Pdeathsig is sent when this thread ends
			}
		})
		if err := <-started; err != nil {
			return 0, err
		}
		return cmd.Process.Pid, nil
	})
	if err != nil {
		close(p.ended)
		if p.server != nil {
			<-p.server.done
		}
		return nil, &StartError{cmd.Path, err}
	}
	if *cmd.SysProcAttr.PidFD < 0 {
		// Without a pidfd, waiting for the program would take stops away from
		// the thread that traces it.
		_ = cmd.Process.Kill()
		close(p.ended)
		return nil, &StartError{cmd.Path, errors.New("the kernel has no pidfds; Linux 5.4 or newer is needed")}
	}
	h.log.Info("host: program started", "program", cmd.Path, "args", cmd.Args, "pid", p.PID())
	go func() {
		child.AwaitEnd(*cmd.SysProcAttr.PidFD)
		if pidfd >= 0 {
			_ = unix.Close(pidfd)
		}
		close(p.ended)
	}()
	return p, nil
}

// awaitCleaner waits for the start of the cleaner, and until it has its threads where
// a program could use up the process IDs before.
func (h *Host) awaitCleaner() error {
	h.ready.Do(func() {
		if thread.Scarce() {
			h.readyErr = h.cleaner.AwaitReady()
		} else {
			h.readyErr = h.cleaner.Started()
		}
	})
	return h.readyErr
}

// start runs on a thread of its own: the program inherits what the thread does
// to itself.
func (p *Process) start(h *Host) error {
	cmd := p.cmd
	if cmd.Dir != "" {
		// The child must not change its directory itself. Between fork and
		// exec it holds up this whole process, and its chdir would wait for a
		// worker of this process. So this thread does, with a working
		// directory of its own.
		cmd.Env = cmd.Environ() // with PWD
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return fmt.Errorf("unsharing the working directory: %w", err)
		}
		if err := unix.Chdir(cmd.Dir); err != nil {
			return fmt.Errorf("changing to %s: %w", cmd.Dir, err)
		}
		cmd.Dir = ""
	}
	if h.mounts != nil {
		if err := h.mounts.namespace.Enter(); err != nil {
			return err
		}
	}
	listener, err := seccomp.Install(h.filter())
	if err != nil {
		return err
	}
	p.serve(h, listener)
	return cmd.Start()
}

// launch has the launcher start the program.
func (p *Process) launch(h *Host) error {
	err := h.launcher.Start(p.cmd, h.filter(), h.mounts != nil, func(l *seccomp.Listener) { p.serve(h, l) })
	if err != nil {
		return err
	}
	// Without a pidfd, Start ends the program.
	if fd, err := unix.PidfdOpen(p.cmd.Process.Pid, 0); err == nil {
		*p.cmd.SysProcAttr.PidFD = fd
	}
	return nil
}

// serve begins to serve the program, before it runs.
func (p *Process) serve(h *Host, listener *seccomp.Listener) {
	if h.cleaner != nil {
		if err := h.cleaner.Add(listener.FD()); err != nil {
			h.log.Warn("host: programs may outlive this process if it is killed", "err", err)
		}
	}
	p.server = startServer(h, listener, p.ended)
}

// PID returns the process id of the program.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Wait waits for the program to end and returns its exit status as a shell
// does: 128+n after signal n. Processes that it has started may run on; see
// [Process.Done]. An error reports a failure to copy its input or output.
//
// Wait must be called, or a zombie stays. As with [exec.Cmd.Wait], call it only
// after reading everything from pipes to the program.
func (p *Process) Wait() (status int, err error) {
	// Package os alone would also take the stops of traced threads, for which
	// their tracer waits.
	<-p.ended
	p.wait.Do(func() {
		err := p.cmd.Wait()
		child.Forget(p.cmd.Process.Pid)
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			p.err = err
		}
		if p.cmd.ProcessState != nil {
			p.state, _ = p.cmd.ProcessState.Sys().(syscall.WaitStatus)
		}
		p.host.log.Info("host: program ended", "program", p.cmd.Path, "pid", p.PID(), "state", p.cmd.ProcessState)
	})
	if p.state.Signaled() {
		return 128 + int(p.state.Signal()), p.err
	}
	return p.state.ExitStatus(), p.err
}

// Exited returns a channel that is closed when the program itself has ended.
func (p *Process) Exited() <-chan struct{} { return p.ended }

// Done returns a channel that is closed when the program and everything that
// it has started have ended and their files are released. Until then they are
// served.
func (p *Process) Done() <-chan struct{} { return p.server.done }

// Leftovers returns the processes that programs of this process's hosts have
// left behind: their parents have ended. They are served until they end.
// Parents come before their children. See [Options].AdoptOrphans.
func Leftovers() []int { return child.Leftovers() }
