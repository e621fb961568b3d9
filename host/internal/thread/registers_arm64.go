package thread

import "golang.org/x/sys/unix"

// registers are the user registers of a stopped thread.
//
// The kernel prepares the restart of an interrupted call before the thread stops,
// in arch/arm64/kernel/signal.c: the thread is at the SVC instruction again then,
// with its first argument in x0, and leaves no call. On amd64 it does so afterwards.
type registers struct {
	unix.PtraceRegs
	nr  int32  // of the call that the thread is in; see notInSyscall
	svc uint64 // where the SVC instruction lies; 0 before leaving has found it
}

// syscallSize is the length of the SVC instruction.
const syscallSize = 4

// notInSyscall is NO_SYSCALL. At the entry of a call, it keeps the kernel from
// running it.
const notInSyscall = -1

// canRelay is false: a debugger's thread cannot be used to trace.
const canRelay = false

// callRegister has the number of a call.
const callRegister = 8

func getRegs(t ID, r *registers) error {
	if err := unix.PtraceGetRegSetArm64(int(t), unix.NT_PRSTATUS, (*unix.PtraceRegsArm64)(&r.PtraceRegs)); err != nil {
		return err
	}
	return callRegSet(unix.PTRACE_GETREGSET, t, &r.nr)
}

func setRegs(t ID, r *registers) error {
	if err := unix.PtraceSetRegSetArm64(int(t), unix.NT_PRSTATUS, (*unix.PtraceRegsArm64)(&r.PtraceRegs)); err != nil {
		return err
	}
	return callRegSet(unix.PTRACE_SETREGSET, t, &r.nr)
}

// leaving reports whether the thread is leaving call nr at ip with an error, or is
// about to make the call again because of that.
func (r *registers) leaving(nr int, ip uint64, errno unix.Errno) bool {
	r.svc = ip - syscallSize
	if errno == errRestart {
		return r.Pc == r.svc && r.Regs[callRegister] == uint64(nr)
	}
	return r.Pc == ip && r.Regs[callRegister] == uint64(nr) && int64(r.Regs[0]) == -int64(errno)
}

// prepare makes the thread run the SVC instruction again, for another call.
func (r *registers) prepare(nr int, args [6]uint64) {
	r.Pc = r.instruction()
	r.nr = notInSyscall
	copy(r.Regs[:], args[:])
	r.Regs[callRegister] = uint64(nr)
}

// sameCall reports whether a thread with registers r, at the entry of a call,
// makes the call that prepare has put into p. The kernel changes x7 meanwhile.
func (r *registers) sameCall(p *registers) bool {
	return r.Pc == p.Pc+syscallSize && r.Sp == p.Sp && uint64(r.nr) == p.Regs[callRegister] &&
		[6]uint64(r.Regs[:6]) == [6]uint64(p.Regs[:6])
}

func (r *registers) result() int64 { return int64(r.Regs[0]) }

// moveTo makes it seem that the thread is behind an SVC instruction that ends at ip.
func (r *registers) moveTo(ip uint64) { r.Pc, r.svc, r.nr = ip, 0, notInSyscall }

// finish makes the original call return result.
func (r *registers) finish(result int64) {
	r.Pc = r.instruction() + syscallSize
	r.Regs[0], r.nr = uint64(result), notInSyscall
}

// restart makes the thread run its SVC instruction again, for call nr. It has its
// first argument if the call ended with errRestart.
func (r *registers) restart(nr int) {
	r.Pc = r.instruction()
	r.Regs[callRegister], r.nr = uint64(nr), notInSyscall
}

// sleptIn reports whether the thread left call b because it was interrupted while
// it slept there.
func (r *registers) sleptIn(b Blocked) bool {
	r.svc = b.IP - syscallSize
	return r.Pc == r.svc && r.Sp == b.SP && r.Regs[callRegister] == uint64(b.NR) && [6]uint64(r.Regs[:6]) == b.Args
}

// syscallInstruction is the code of SVC #0.
var syscallInstruction = []byte{0x01, 0x00, 0x00, 0xd4}

// instruction returns where the SVC instruction lies that the thread has just run,
// or is about to run.
func (r *registers) instruction() uint64 {
	if r.svc != 0 {
		return r.svc
	}
	return r.Pc - syscallSize
}

// inCall reports whether the thread was stopped in a system call.
func (r *registers) inCall() bool { return r.nr >= 0 }

// skip keeps the kernel from running the call that the thread has entered.
func (r *registers) skip() { r.nr = notInSyscall }

// interrupt makes it seem that the call was interrupted, and is to be restarted.
func (r *registers) interrupt() { r.restart(int(r.nr)) }

// call returns the number of the call that the thread was stopped in, and keep
// puts it back, for a debugger that looks at it.
func (r *registers) call() uint64   { return r.Regs[callRegister] }
func (r *registers) keep(nr uint64) { r.nr = int32(nr) }

// continueCall has nothing to do: the kernel has prepared the restart.
func (r *registers) continueCall(bool) {}
