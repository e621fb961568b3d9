package udrmtest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/machine"
)

// A Process is a program on a [Machine]. If it crashes, the test fails, unless the
// test has waited for its end.
type Process struct {
	*machine.Process
	m      *Machine
	stdin  io.Closer     // nil: the command has an input of its own
	logged chan struct{} // closed when every line is in the log

	out syscall.RawConn // the pipe of its output

	waited atomic.Bool // the test knows the exit status

	mu     sync.Mutex
	output strings.Builder
	line   string        // the part of a line that is not in the log yet
	more   chan struct{} // closed when the program prints more, and at the end
	ended  bool          // nothing follows
}

// Start starts a program. Each line that it prints goes to the log of the test.
// Its standard input is a pipe that stays open; see [Process.CloseStdin].
func (m *Machine) Start(name string, args ...string) *Process {
	m.t.Helper()
	return m.StartCmd(exec.Command(name, args...))
}

// StartCmd starts a command, for programs that need more than arguments. Outputs
// that cmd leaves nil go to the log of the test, and a nil input is a pipe that
// stays open.
func (m *Machine) StartCmd(cmd *exec.Cmd) *Process {
	m.t.Helper()
	p := &Process{m: m, more: make(chan struct{}), logged: make(chan struct{})}
	var opened, given []io.Closer // given: what the program has now
	check := func(err error) {
		m.t.Helper()
		if err != nil {
			for _, c := range opened {
				_ = c.Close()
			}
		}
		m.check(err)
	}
	pipe := func() (r, w *os.File) {
		m.t.Helper()
		r, w, err := os.Pipe()
		check(err)
		opened = append(opened, r, w)
		return r, w
	}
	if cmd.Stdin == nil {
		r, w := pipe()
		cmd.Stdin, p.stdin = r, w
		given = append(given, r)
	}
	out, in := pipe()
	given = append(given, in)
	if cmd.Stdout == nil {
		cmd.Stdout = in
	}
	if cmd.Stderr == nil {
		cmd.Stderr = in
	}
	var err error
	p.out, err = out.SyscallConn()
	check(err)
	p.Process, err = m.Machine.Start(cmd)
	check(err)
	for _, c := range given {
		_ = c.Close()
	}
	m.started = append(m.started, p)
	go p.read(out)
	return p
}

// read copies what the program prints, until everything that has its output has
// ended.
func (p *Process) read(out *os.File) {
	defer close(p.logged)
	defer out.Close()
	if err := p.out.Read(p.drain); err != nil {
		p.m.t.Logf("udrmtest: reading the output of %s: %v", p.Name(), err)
	}
}

// drain reads what the pipe holds, and logs the lines. It returns false if more
// can follow.
func (p *Process) drain(fd uintptr) (ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var buffer [4096]byte
	for {
		n, err := unix.Read(int(fd), buffer[:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return false
		case n > 0:
			p.output.Write(buffer[:n])
			p.line += string(buffer[:n])
			for line, rest, ok := strings.Cut(p.line, "\n"); ok; line, rest, ok = strings.Cut(p.line, "\n") {
				p.m.t.Logf("%s: %s", p.Name(), line)
				p.line = rest
			}
		default:
			if p.line != "" {
				p.m.t.Logf("%s: %s", p.Name(), p.line)
				p.line = ""
			}
			p.ended = true
		}
		close(p.more)
		p.more = make(chan struct{})
		if p.ended {
			return true
		}
	}
}

// Output returns what the program has printed so far.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// WaitOutput waits until the program has printed a text.
func (p *Process) WaitOutput(text string) {
	p.m.t.Helper()
	ctx, cancel := p.m.context()
	defer cancel()
	for {
		p.mu.Lock()
		found, ended, more := strings.Contains(p.output.String(), text), p.ended, p.more
		p.mu.Unlock()
		switch {
		case found:
			return
		case ended:
			p.m.t.Fatalf("udrmtest: %s ended and has not printed %q", p.Name(), text)
		}
		select {
		case <-more:
		case <-ctx.Done():
			p.m.t.Fatalf("udrmtest: %s has not printed %q: %v", p.Name(), text, context.Cause(ctx))
		}
	}
}

// Wait waits for the end of the program and returns its exit status, as
// [machine.Process.Wait] does.
func (p *Process) Wait() (status int, err error) {
	p.waited.Store(true)
	return p.Process.Wait()
}

// crashes are the signals of a program that is wrong.
var crashes = []unix.Signal{unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV, unix.SIGSYS}

// checkCrash fails the test if the program has crashed and the test does not know.
func (p *Process) checkCrash() {
	select {
	case <-p.Exited():
	default:
		return
	}
	status, _ := p.Process.Wait()
	if s := unix.Signal(status - 128); !p.waited.Load() && slices.Contains(crashes, s) {
		p.m.t.Errorf("udrmtest: %s crashed with %s; if this is right, say so: WantExit(%d)", p.Name(), unix.SignalName(s), status)
	}
}

// CloseStdin closes the standard input of the program.
func (p *Process) CloseStdin() {
	if p.stdin != nil {
		p.stdin.Close()
	}
}

// WantExit waits for the end of the program and fails the test if its exit
// status is another one. After signal N the status is 128+N.
func (p *Process) WantExit(status int) {
	p.m.t.Helper()
	if got := p.Exit(); got != status {
		p.m.t.Fatalf("udrmtest: %s ended with status %d, want %d", p.Name(), got, status)
	}
}

// Exit waits for the end of the program and returns its exit status. Everything
// that the program has printed is in the log then.
func (p *Process) Exit() (status int) {
	p.m.t.Helper()
	ctx, cancel := p.m.context()
	defer cancel()
	select {
	case <-p.Exited():
	case <-ctx.Done():
		p.m.t.Fatalf("udrmtest: %s has not ended: %v", p.Name(), context.Cause(ctx))
	}
	status, err := p.Wait()
	_ = p.out.Control(func(fd uintptr) { p.drain(fd) }) // an error says that all is read
	if err != nil {
		p.m.check(fmt.Errorf("%s: %w", p.Name(), err))
	}
	return status
}
