package machine

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"

	"github.com/udrm/udrm/host"
)

// A Process is a program that a machine has started, together with everything
// that the program starts.
type Process struct {
	*host.Process
	cmd  *exec.Cmd
	name string

	waitOnce sync.Once
	ended    chan struct{} // see waited
}

// Name returns the base name of the program.
func (p *Process) Name() string { return p.name }

// Start starts a program on the machine; see [host.Host.Start]. Do not call the
// methods Start and Wait of cmd.
func (m *Machine) Start(cmd *exec.Cmd) (*Process, error) {
	m.mu.Lock()
	starts := slices.Clone(m.starts)
	m.mu.Unlock()
	for _, f := range starts {
		(*f)(filepath.Base(cmd.Path))
	}
	if m.seating != nil {
		cmd.Env = append(cmd.Environ(), m.seating.environ()...)
	}
	hp, err := m.host.Start(cmd)
	if err != nil {
		return nil, err
	}
	p := &Process{Process: hp, cmd: cmd, name: filepath.Base(cmd.Path), ended: make(chan struct{})}
	m.mu.Lock()
	m.processes = append(m.processes, p)
	m.mu.Unlock()
	go m.releaseFiles(p)
	return p, nil
}

// waited waits for the program. It returns a channel that is closed when the
// program and everything that it has started have ended, its output is copied and
// its files are released.
func (p *Process) waited() <-chan struct{} {
	p.waitOnce.Do(func() {
		go func() {
			_, _ = p.Wait()
			<-p.Done()
			close(p.ended)
		}()
	})
	return p.ended
}

// releaseFiles steps a clock that is stopped, once the last program has exited:
// the release of a file waits until its last flip is shown.
func (m *Machine) releaseFiles(p *Process) {
	<-p.Exited()
	m.mu.Lock()
	processes := slices.Clone(m.processes)
	m.mu.Unlock()
	for _, other := range processes {
		select {
		case <-other.Exited():
		default:
			return // its own releaseFiles follows
		}
	}
	ctx, cancel := context.WithCancel(m.clock.ended)
	defer cancel()
	go func() {
		<-p.Done()
		cancel()
	}()
	for m.Clock() == ClockStep && m.StepClock(ctx, 1) == nil {
	}
}

// BeforeStart arranges that Start calls f with the base name of the program,
// and starts the program when f has returned. remove ends that.
func (m *Machine) BeforeStart(f func(program string)) (remove func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.starts = append(m.starts, &f)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.starts = slices.DeleteFunc(m.starts, func(g *func(string)) bool { return g == &f })
	}
}

// Signal sends a signal to the program. It does nothing once the program has
// ended.
func (p *Process) Signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }
