package host

import (
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/seccomp"
	"github.com/udrm/udrm/host/internal/thread"
)

// A StartError says that a program could not be started. It is our failure,
// never the program's.
type StartError struct {
	Program string
	Err     error
}

func (e *StartError) Error() string {
	return fmt.Sprintf("%s could not be started: %v", e.Program, e.Err)
}

func (e *StartError) Unwrap() error { return e.Err }

// A Process is a program that was started under a host, with all that it
// starts in turn.
type Process struct {
	cmd    *exec.Cmd
	server *server
	ended  chan struct{} // closed when the program itself has ended, or was not started

	wait  sync.Once
	state syscall.WaitStatus
	err   error
}

// Start starts cmd with the devices of the host. cmd is as for its own Start
// method, which must not be called, nor its Wait: call [Process.Wait]. Errors are
// [StartError]s.
//
// From then on the program and all that it starts have no_new_privs: set-uid
// programs gain nothing.
func (h *Host) Start(cmd *exec.Cmd) (*Process, error) {
	if cmd.Err != nil {
		return nil, &StartError{cmd.Path, cmd.Err}
	}
	adopted.start(h.log)
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	pidfd := -1
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if cmd.SysProcAttr.PidFD == nil {
		cmd.SysProcAttr.PidFD = &pidfd
	}
	started := make(chan error)
	err := adopted.known.add(func() (int, error) {
		thread.Go(func() { started <- p.start(h) })
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
		// Not without one: waiting in another way takes stops away from the
		// thread that traces.
		_ = cmd.Process.Kill()
		close(p.ended)
		return nil, &StartError{cmd.Path, errors.New("the kernel gives no pidfds; Linux 5.4 or newer is needed")}
	}
	go func() {
		awaitReadable(*cmd.SysProcAttr.PidFD)
		if pidfd >= 0 {
			_ = unix.Close(pidfd)
		}
		close(p.ended)
	}()
	return p, nil
}

// start runs on a thread that nothing else will run on: what it does to
// itself, the program inherits.
func (p *Process) start(h *Host) error {
	cmd := p.cmd
	if cmd.Dir != "" {
		// The child must not change its directory itself: between fork and
		// exec it holds up the whole process, us included, and chdir waits for
		// us. So this thread does, with a directory of its own.
		cmd.Env = cmd.Environ() // with PWD
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return fmt.Errorf("a working directory of its own: %w", err)
		}
		if err := unix.Chdir(cmd.Dir); err != nil {
			return fmt.Errorf("changing to %s: %w", cmd.Dir, err)
		}
		cmd.Dir = ""
	}
	listener, err := seccomp.Install(filter)
	if err != nil {
		return err
	}
	p.server = serve(h, listener, p.ended)
	return cmd.Start()
}

// PID returns the process id of the program.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Wait waits for the program to end and returns its exit status as a shell
// does: 128+n after signal n. Programs that it has started may go on; see
// [Process.Done]. An error is one of copying its input or output.
//
// It must be called, or a zombie stays; as with [exec.Cmd.Wait], which it
// calls, not before everything is read from a pipe to the program.
func (p *Process) Wait() (status int, err error) {
	// Not with the means of package os alone: those also take what a traced
	// thread reports, which its tracer waits for.
	<-p.ended
	p.wait.Do(func() {
		err := p.cmd.Wait()
		adopted.known.remove(p.cmd.Process.Pid)
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			p.err = err
		}
		if p.cmd.ProcessState != nil {
			p.state, _ = p.cmd.ProcessState.Sys().(syscall.WaitStatus)
		}
	})
	if p.state.Signaled() {
		return 128 + int(p.state.Signal()), p.err
	}
	return p.state.ExitStatus(), p.err
}

// Exited is closed when the program itself has ended.
func (p *Process) Exited() <-chan struct{} { return p.ended }

// Done is closed when the program and all that it has started have ended, and
// what they had open is released. Until then they are served.
func (p *Process) Done() <-chan struct{} { return p.server.done }
