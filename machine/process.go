package machine

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/udrm/udrm/host"
)

// A Process is a program that a machine has started, together with everything
// that the program starts.
type Process struct {
	*host.Process
	cmd  *exec.Cmd
	name string
}

// Name returns the base name of the program.
func (p *Process) Name() string { return p.name }

// Start starts a program on the machine; see [host.Host.Start]. Do not call the
// methods Start and Wait of cmd.
func (m *Machine) Start(cmd *exec.Cmd) (*Process, error) {
	cmd.Env = append(cmd.Environ(), m.marker)
	hp, err := m.host.Start(cmd)
	if err != nil {
		return nil, err
	}
	p := &Process{Process: hp, cmd: cmd, name: filepath.Base(cmd.Path)}
	m.mu.Lock()
	m.processes = append(m.processes, p)
	m.mu.Unlock()
	return p, nil
}

// Signal sends a signal to the program. It does nothing once the program has
// ended.
func (p *Process) Signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }
