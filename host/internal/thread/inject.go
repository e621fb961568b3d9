package thread

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// A Tracee is a thread that is traced for a moment, to make it run system
// calls. Its methods must be called on the OS thread that called [ID.Trace],
// with all signals blocked. That must not be the main thread, for which
// children of the process are waited.
//
// The order of calls is Trace, Stop, Syscall as often as needed, Return. Once a
// method has failed, the thread is released and no further method may be
// called. If it was killed, the error wraps ESRCH, and the thread is reaped,
// unless its parent waits for it in this process.
type Tracee struct {
	id     ID
	saved  registers // at the stop, in the call that the thread waits in
	mask   uint64
	masked bool
	given  []int // see Give
	alarm  alarm
	halted bool                                          // the stop by the alarm's SIGSTOP was seen
	compat func(nr int, args [6]uint64) (int, [6]uint64) // see MakesCompatCalls

	relay *relay // how a debugger's thread is used, if one traces the thread
}

// errRestart is ERESTARTNOINTR. A call that ends with it is made again, unseen
// by the program, unless a tracer changes the registers first.
const errRestart = unix.Errno(513)

// ErrMoved reports that the thread has left the call that it waited in. It will
// make the call again by itself.
var ErrMoved = errors.New("thread: the thread has left its system call; it will make it again")

// ErrNotRun reports that the thread did not run an injected call in time, or ran
// another one. The program sees EINTR.
var ErrNotRun = errors.New("thread: the thread does not run the call that it was given")

// Trace attaches to the thread, which runs on. EPERM when a debugger or strace
// traces it, or when we may not.
func (t ID) Trace() (*Tracee, error) {
	if err := seize(t); err != nil {
		return nil, fmt.Errorf("thread %d: tracing it: %w", t, err)
	}
	x := &Tracee{id: t}
	x.alarm.start(t)
	return x, nil
}

// Stop stops the thread in system call nr, whose instruction ends at ip.
// release must end the call with the error that it is given.
func (x *Tracee) Stop(nr int, ip uint64, release func(unix.Errno) error) error {
	return x.stopIn(nr, ip, errRestart, release)
}

// StopEnding is Stop for a call that the thread does not make again by itself:
// release must end it with EINTR.
func (x *Tracee) StopEnding(nr int, ip uint64, release func(unix.Errno) error) error {
	return x.stopIn(nr, ip, unix.EINTR, release)
}

func (x *Tracee) stopIn(nr int, ip uint64, errno unix.Errno, release func(unix.Errno) error) error {
	if err := x.stop(release, errno); err != nil {
		return err
	}
	if err := x.getRegs(&x.saved); err != nil {
		return x.lost(err)
	}
	if !x.saved.leaving(nr, ip, errno) {
		if err := x.takeBack(ip); err != nil {
			return err
		}
		return x.abandon(ErrMoved)
	}
	return x.blockSignals()
}

// blockSignals blocks all signals of the stopped thread: a handler that runs
// between the injected calls would see their registers.
func (x *Tracee) blockSignals() error {
	if err := x.sigmask(unix.PTRACE_GETSIGMASK, &x.mask); err != nil {
		return x.abandon(err)
	}
	all := ^uint64(trapSignal) // to block it would make the kernel kill the program
	if err := x.sigmask(unix.PTRACE_SETSIGMASK, &all); err != nil {
		return x.abandon(err)
	}
	x.masked = true
	return nil
}

// Refuse ends call nr with errno, in place of Stop and Return.
func (x *Tracee) Refuse(nr int, ip uint64, errno unix.Errno, release func(unix.Errno) error) error {
	if len(x.given) > 0 {
		if err := x.Stop(nr, ip, release); err != nil {
			return err
		}
		return x.Return(-int64(errno))
	}
	if x.relay != nil {
		x.relay.end()
		return release(errno)
	}
	if err := x.stop(release, errno); err != nil {
		return err
	}
	return x.detach()
}

func (x *Tracee) stop(release func(unix.Errno) error, errno unix.Errno) error {
	if x.relay != nil {
		return x.relay.stop(release, errno)
	}
	// Request the stop first, so that the thread cannot escape. It takes effect
	// only when the call ends.
	if err := unix.PtraceInterrupt(int(x.id)); err != nil {
		return x.lost(err)
	}
	if err := release(errno); err != nil {
		return x.lost(err) // ENOENT: it was killed
	}
	for {
		status, err := x.wait()
		switch {
		case err != nil:
			return err
		case isEventStop(status):
			return nil
		}
		signal := status.StopSignal()
		if signal == unix.SIGSTOP && x.alarm.hasRung() {
			x.halted, signal = true, 0
		}
		if err := unix.PtraceCont(int(x.id), int(signal)); err != nil {
			return x.lost(err)
		}
	}
}

// Syscall makes the stopped thread run one system call and returns the result.
// A negative number is an error.
func (x *Tracee) Syscall(nr int, args [6]uint64) (int64, error) {
	regs := x.saved
	if x.compat != nil {
		nr, args = x.compat(nr, args)
		regs.prepareCompat(nr, args)
	} else {
		regs.prepare(nr, args)
	}
	if err := x.setRegs(&regs); err != nil {
		return 0, x.lost(err)
	}
	if x.relay != nil {
		if err := x.relay.passCall(); err != nil {
			return 0, err
		}
		if err := x.getRegs(&regs); err != nil {
			return 0, x.lost(err)
		}
		return regs.result(), nil
	}
	err := x.run() // to the entry
	if err == nil && !x.makes(regs) {
		err = ErrNotRun
	}
	if err == nil {
		err = x.run() // to the exit
	}
	switch {
	case err == ErrNotRun:
		x.saved.finish(-int64(unix.EINTR))
		if err := setRegs(x.id, &x.saved); err != nil {
			return 0, x.lost(err)
		}
		return 0, x.abandon(ErrNotRun)
	case err != nil:
		return 0, err
	}
	if err := getRegs(x.id, &regs); err != nil {
		return 0, x.lost(err)
	}
	result := regs.result()
	if (result == int64(nr) || result == int64(args[0])) && parseMask([]byte(x.id.Status()["SigPnd"]))&trapSignal != 0 {
		return -int64(unix.EPERM), x.dropTrap()
	}
	return result, nil
}

// trapSignal is SIGSYS in a mask of signals. A seccomp filter of the program sends it
// with SECCOMP_RET_TRAP in place of a call, whose registers stay as they were.
const trapSignal = 1 << (unix.SIGSYS - 1)

// dropTrap takes the signal away: the program has not made the call, so its handler
// must not answer it.
func (x *Tracee) dropTrap() error {
	for {
		switch stop, err := x.resumeTo(unix.SIGSYS); {
		case err != nil:
			return err
		case stop == unix.SIGSYS:
			return nil // and the thread is resumed without it
		case stop == callStop: // the signal is gone
			return x.lost(ErrNotRun)
		}
	}
}

// callStop is the stop at the entry or the exit of a system call.
const callStop = unix.SIGTRAP | 0x80

// run lets the stopped thread run until it has stopped at the entry or the exit
// of a system call. ErrNotRun when it was stopped before; the thread is not
// released then.
func (x *Tracee) run() error {
	stop, err := x.resumeTo(callStop)
	if err == nil && stop != callStop {
		return ErrNotRun
	}
	return err
}

// resumeTo lets the stopped thread run until a signal, a callStop or the alarm's
// SIGSTOP, and returns which. The thread gets all other signals.
func (x *Tracee) resumeTo(signal unix.Signal) (unix.Signal, error) {
	for pass := 0; ; {
		if err := unix.PtraceSyscall(int(x.id), pass); err != nil {
			return 0, x.lost(err)
		}
		status, err := x.wait()
		if err != nil {
			return 0, err
		}
		pass = 0
		switch stop := status.StopSignal(); {
		case stop == callStop, stop == signal:
			return stop, nil
		case isEventStop(status):
			// SIGSTOP or SIGCONT for the whole process. The thread runs on for
			// now and follows the others when it is released.
		case stop == unix.SIGSTOP && x.alarm.hasRung():
			x.halted = true
			return stop, nil
		default:
			pass = int(stop) // SIGSTOP cannot be blocked
		}
	}
}

// makes reports whether the thread, which stops at the entry of a call, makes
// the prepared one. Another thread can have changed the code, so that it makes
// another.
func (x *Tracee) makes(prepared registers) bool {
	var now registers
	if getRegs(x.id, &now) != nil {
		return false
	}
	// The number of a call means another call if the instruction is another one.
	compat, err := entersCompat(x.id)
	switch {
	case err != nil, compat != (x.compat != nil):
		return false
	case compat:
		return now.sameCompatCall(&prepared)
	}
	return now.sameCall(&prepared)
}

// Return releases the thread as if its original call had returned result.
func (x *Tracee) Return(result int64) error {
	if err := x.closeGiven(); err != nil {
		return err
	}
	nr := x.saved.call()
	x.saved.finish(result)
	if x.relay != nil {
		x.saved.keep(nr)
	}
	if err := x.setRegs(&x.saved); err != nil {
		return x.lost(err)
	}
	return x.detach()
}

// Restart releases the thread so that it makes its original call nr again.
func (x *Tracee) Restart(nr int) error {
	if err := x.closeGiven(); err != nil {
		return err
	}
	x.saved.restart(nr)
	if err := x.setRegs(&x.saved); err != nil {
		return x.lost(err)
	}
	return x.detach()
}

// RestartAs releases the thread so that it makes call nr with these arguments. The
// registers keep them.
func (x *Tracee) RestartAs(nr int, args [6]uint64) error {
	x.saved.prepare(nr, args)
	if err := setRegs(x.id, &x.saved); err != nil {
		return x.lost(err)
	}
	return x.detach()
}

// abandon releases a stopped thread unchanged and returns why.
func (x *Tracee) abandon(why error) error {
	if err := x.detach(); err != nil {
		return err
	}
	return fmt.Errorf("thread %d: %w", x.id, why)
}

func (x *Tracee) detach() error {
	if x.masked {
		if err := x.sigmask(unix.PTRACE_SETSIGMASK, &x.mask); err != nil {
			return x.lost(err)
		}
	}
	if x.relay != nil {
		return x.relay.release()
	}
	if x.alarm.stop() && !x.halted {
		// The SIGSTOP is pending. The thread must not run into it alone.
		if err := x.halt(); err != nil {
			return err
		}
	}
	if err := unix.PtraceDetach(int(x.id)); err != nil {
		return x.lost(err)
	}
	return nil
}

// halt lets the thread run until it stops by the alarm's SIGSTOP.
func (x *Tracee) halt() error {
	for signal := 0; ; {
		if err := unix.PtraceCont(int(x.id), signal); err != nil {
			return x.lost(err)
		}
		status, err := x.wait()
		switch {
		case err != nil:
			return err
		case isEventStop(status):
			signal = 0
		case status.StopSignal() == unix.SIGSTOP:
			return nil
		default:
			signal = int(status.StopSignal())
		}
	}
}

// lost handles a thread that does not obey. Nearly always it was killed. Then
// it must be waited for, or its process could never be reaped.
func (x *Tracee) lost(why error) error {
	if x.relay != nil {
		x.relay.end()
		return fmt.Errorf("thread %d: tracing it through its debugger: %w", x.id, why)
	}
	// Whatever has the id now is no thread that we may stop or kill.
	x.alarm.stop()
	if !errors.Is(why, unix.ESRCH) && !errors.Is(why, unix.ENOENT) {
		_ = unix.PtraceDetach(int(x.id))
		return fmt.Errorf("thread %d: tracing it: %w", x.id, why)
	}
	for {
		if _, err := x.wait(); err != nil {
			return err
		}
		// It has stopped, so it may not have been killed: its id may belong to
		// another thread by now, which must run on.
		if unix.PtraceDetach(int(x.id)) == nil {
			return fmt.Errorf("thread %d: it does not wait any more: %w", x.id, unix.ESRCH)
		}
	}
}

// wait waits for the next stop. ESRCH when the thread has ended.
func (x *Tracee) wait() (unix.WaitStatus, error) {
	for {
		info, err := x.waitID(unix.WEXITED | unix.WSTOPPED | unix.WNOWAIT)
		if err == nil && !info.exited() {
			// Take the stop, and no exit that comes meanwhile.
			if info, err = x.waitID(unix.WSTOPPED | unix.WNOHANG); err == nil && info.code != 0 {
				return unix.WaitStatus(info.status<<8 | 0x7f), nil
			}
			continue
		}
		x.alarm.stop()
		if err != nil { // ECHILD: another thread's exec replaced it
			return 0, fmt.Errorf("thread %d: it ended while we traced it: %w", x.id, unix.ESRCH)
		}
		// If the parent also traces, the kernel has one exit status only. It
		// is for the code that has started the process.
		status := x.id.Status()
		if status["Tgid"] != status["Pid"] || status["PPid"] != strconv.Itoa(os.Getpid()) {
			_, _ = x.waitID(unix.WEXITED)
		}
		return 0, fmt.Errorf("thread %d: it was killed while we traced it: %w", x.id, unix.ESRCH)
	}
}

// waitID is waitid(2) for the thread.
func (x *Tracee) waitID(options int) (info childInfo, err error) {
	err = unix.EINTR
	for err == unix.EINTR {
		info, err = waitID(x.id, options|unix.WALL|unix.WNOTHREAD)
	}
	return info, err
}

// getRegs, setRegs and sigmask send a ptrace request to the stopped thread.
func (x *Tracee) getRegs(r *registers) error {
	if x.relay != nil {
		return x.relay.getRegs(r)
	}
	return getRegs(x.id, r)
}

func (x *Tracee) setRegs(r *registers) error {
	if x.relay != nil {
		return x.relay.setRegs(r)
	}
	return setRegs(x.id, r)
}

func (x *Tracee) sigmask(request uintptr, mask *uint64) error {
	if x.relay != nil {
		return x.relay.sigmask(request, mask)
	}
	return sigmask(request, x.id, mask)
}

func isEventStop(status unix.WaitStatus) bool {
	return int(status)>>16 == unix.PTRACE_EVENT_STOP
}
