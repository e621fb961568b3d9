package vt

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/seat"
)

// An owner is a process that controls a terminal by signals (VT_PROCESS). It
// implements [seat.Client].
type owner struct {
	terminals *Terminals
	number    int
	pid       int
	process   *os.File // a pidfd
	session   *seat.Session

	release, acquired atomic.Int32 // signals
	quiet             atomic.Bool  // it becomes active as it begins, and is not told

	ending sync.Once
}

// newOwner makes a process the owner of a terminal.
func (t *Terminals) newOwner(number, pid int, m mode) (*owner, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("vt: terminal %d: process %d: %w", number, pid, err)
	}
	o := &owner{terminals: t, number: number, pid: pid, process: os.NewFile(uintptr(fd), "pidfd")}
	o.setSignals(m)
	if o.session, err = t.seat.NewSessionOn(o, pid, number); err != nil {
		return nil, errors.Join(err, o.process.Close())
	}
	t.readers.Go(o.awaitExit)
	o.quiet.Store(true)
	o.session.Start()
	o.quiet.Store(false)
	return o, nil
}

func (o *owner) setSignals(m mode) {
	o.release.Store(int32(m.release))
	o.acquired.Store(int32(m.acquired))
}

// Enable implements seat.Client.
func (o *owner) Enable() {
	if !o.quiet.Load() {
		o.send(&o.acquired)
	}
}

// Disable implements seat.Client.
func (o *owner) Disable() { o.send(&o.release) }

// send sends a signal. The kernel resets the terminal of a process that it cannot
// send to.
func (o *owner) send(number *atomic.Int32) {
	signal := unix.Signal(number.Load())
	err := o.control(func(fd int) error { return unix.PidfdSendSignal(fd, signal, nil, 0) })
	if err != nil {
		o.terminals.log.Info(fmt.Sprintf("vt: terminal %d is reset: signal %d to process %d: %v", o.number, signal, o.pid, err))
		o.terminals.readers.Go(o.reset)
	}
}

// reset ends the control of the terminal.
func (o *owner) reset() {
	o.terminals.mu.Lock()
	if one := o.terminals.opened[o.number]; one.owner == o {
		one.reset()
	}
	o.terminals.mu.Unlock()
	o.end()
}

// end ends the session.
func (o *owner) end() {
	o.ending.Do(func() {
		_ = o.process.Close()
		o.session.Close()
	})
}

// awaitExit ends the session when the process has ended.
func (o *owner) awaitExit() {
	raw, err := o.process.SyscallConn()
	if err != nil {
		return
	}
	err = raw.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		return err == nil && n > 0
	})
	if err == nil { // otherwise it was closed
		o.reset()
	}
}

func (o *owner) control(do func(fd int) error) error {
	raw, err := o.process.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = raw.Control(func(fd uintptr) { result = do(int(fd)) })
	return errors.Join(err, result)
}
