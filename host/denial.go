package host

import (
	"errors"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/seccomp"
	"github.com/udrm/udrm/host/internal/thread"
)

// A Denial is something that the machine may forbid a host to do to programs.
type Denial int

const (
	DenialMemory Denial = iota // reading and writing the memory of programs
	DenialTrace                // tracing programs, to map buffers
	denialKinds
)

// A denial is reported once: everything that needs it fails.
type denial struct {
	once sync.Once
	mu   sync.Mutex
	err  error
}

var denialReports = [denialKinds]string{
	DenialMemory: "may not read the memory of a program, so it will not see the devices; run udrm doctor",
	DenialTrace:  "may not trace a program, so it cannot map buffers; if a debugger or strace traces udrm too, start it inside instead: udrm run -- strace PROGRAM; otherwise run udrm doctor",
}

// deny notes that the host failed with err to do something to a thread, if it
// was forbidden.
func (h *Host) deny(kind Denial, tid uint32, err error) {
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.ENOSYS) {
		return
	}
	d := &h.denials[kind]
	d.once.Do(func() {
		d.mu.Lock()
		d.err = err
		d.mu.Unlock()
		h.log.Error("host: "+denialReports[kind], "tid", tid, "err", err)
	})
}

// Denied returns the error of the first denial of that kind, or nil.
func (h *Host) Denied(kind Denial) error {
	d := &h.denials[kind]
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// CheckListener reports why this process cannot receive the system calls of
// programs, or nil. It installs the filter on a thread that ends at once.
func CheckListener() error {
	result := make(chan error)
	thread.Go(func() {
		l, err := seccomp.Install(filterCalls())
		if err == nil {
			err = l.Close() // this thread makes no call that is handed over
		}
		result <- err
	})
	return <-result
}
