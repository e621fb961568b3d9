package machine

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host"
)

// The processes that a program leaves behind become children of this process,
// whichever machine they belong to. A variable in their environment tells them
// apart.

// markerVariable is the environment variable that a machine sets for its
// programs. Its value is different for each machine.
const markerVariable = "UDRM_MACHINE"

func newMarker() string {
	return markerVariable + "=" + rand.Text()
}

// Leftovers returns the process ids of what the ended programs of the machine
// have left behind.
func (m *Machine) Leftovers() []int {
	deadline := time.Now().Add(execWait)
	return slices.DeleteFunc(host.Leftovers(), func(pid int) bool { return m.foreign(pid, deadline) })
}

// foreign reports whether a process belongs to another machine. A process
// whose environment cannot be read, or has no marker, belongs to every one.
func (m *Machine) foreign(pid int, deadline time.Time) bool {
	text, err := environ(pid, deadline)
	if err != nil {
		return false
	}
	prefix := []byte(markerVariable + "=")
	for variable := range bytes.SplitSeq(text, []byte{0}) {
		if bytes.HasPrefix(variable, prefix) {
			return string(variable) != m.marker
		}
	}
	return false
}

// Abandon lets the programs that run now live on when this process ends. They
// lose their cards then.
func (m *Machine) Abandon() error { return errors.Join(m.seating.close(), m.host.Abandon()) }

// killInterval is how often Kill looks for processes that were started
// meanwhile.
const killInterval = 10 * time.Millisecond

// Kill kills all programs of the machine and everything that they have left
// behind, and waits until they have ended. If ctx ends before, because a process
// hangs in the kernel for example, Kill returns an error that names a program.
func (m *Machine) Kill(ctx context.Context) error {
	m.mu.Lock()
	processes := slices.Clone(m.processes)
	m.mu.Unlock()
	for _, p := range processes {
		p.Signal(unix.SIGKILL)
	}
	ticker := time.NewTicker(killInterval)
	defer ticker.Stop()
	for _, p := range processes {
		select {
		case <-p.Exited():
		case <-ctx.Done():
		}
		for waited := false; !waited; {
			for _, pid := range m.Leftovers() {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
			if ctx.Err() != nil {
				return fmt.Errorf("machine: %s was killed and has not ended: %w", p.name, context.Cause(ctx))
			}
			select {
			case <-p.waited():
				waited = true
			case <-ctx.Done():
			case <-ticker.C:
			}
		}
	}
	return nil
}
