package host

import (
	"errors"
	"sync"

	"golang.org/x/sys/unix"
)

// A denial is something that this machine does not let us do to programs. It
// is reported once: everything that needs it will fail.
type denial struct {
	once sync.Once
	mu   sync.Mutex
	err  error
}

// The kinds of denials.
const (
	denialMemory = iota // reading and writing the memory of programs
	denialTrace         // tracing them, to map buffers
	denialKinds
)

var denialAdvice = [denialKinds]string{
	denialMemory: "we may not read the memory of the program, so it will not see our devices; udrm doctor says more",
	denialTrace:  "we may not trace the program, so it cannot map buffers; if strace or a debugger is attached to it, detach that; udrm doctor says more",
}

// deny notes that something failed with err, if it was forbidden.
func (h *Host) deny(kind int, tid uint32, err error) {
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.ENOSYS) {
		return
	}
	d := &h.denials[kind]
	d.once.Do(func() {
		d.mu.Lock()
		d.err = err
		d.mu.Unlock()
		h.log.Error("host: "+denialAdvice[kind], "tid", tid, "err", err)
	})
}

// denied returns the error of the first denial, nil when there was none.
func (h *Host) denied(kind int) error {
	d := &h.denials[kind]
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}
