package thread

import "golang.org/x/sys/unix"

// stopAfterCall stops a thread as it leaves a system call, and blocks its
// signals. A thread that computes is stopped in its next call, which it makes
// again later.
func (x *Tracee) stopAfterCall() error {
	if err := x.stop(func(unix.Errno) error { return nil }, 0); err != nil {
		return err
	}
	if err := x.blockSignals(); err != nil {
		return err
	}
	if err := x.getRegs(&x.saved); err != nil {
		return x.lost(err)
	}
	if x.leavesCall() {
		return nil
	}
	if err := x.skipCall(); err != nil {
		return err
	}
	if !x.leavesCall() {
		return x.abandon(ErrMoved) // it has another way to make calls
	}
	return nil
}

// leavesCall reports whether the saved registers are those of a thread that has
// run the SYSCALL instruction. In a handler of a signal that has ended a call
// they are not.
func (x *Tracee) leavesCall() bool {
	code := make([]byte, len(syscallInstruction))
	return x.saved.inCall() && x.id.Read(code, x.saved.instruction()) == nil && string(code) == string(syscallInstruction)
}

// skipCall runs a stopped thread to its next system call, which the kernel does
// not run. The thread then seems to leave a call that is to be made again.
func (x *Tracee) skipCall() error {
	run := func() error {
		err := x.run()
		if err == ErrNotRun {
			return x.abandon(err)
		}
		return err
	}
	if err := run(); err != nil {
		return err
	}
	if err := x.getRegs(&x.saved); err != nil {
		return x.lost(err)
	}
	skipped := x.saved
	skipped.skip()
	if err := x.setRegs(&skipped); err != nil {
		return x.lost(err)
	}
	x.saved.interrupt()
	return run()
}
