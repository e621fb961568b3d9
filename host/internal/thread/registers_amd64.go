package thread

import "golang.org/x/sys/unix"

// registers are the user registers of a stopped thread.
type registers struct{ unix.PtraceRegs }

// canRelay reports whether a debugger's thread can be used to trace: see relay.
const canRelay = true

// syscallSize is the length of the SYSCALL instruction.
const syscallSize = 2

// notInSyscall in place of the call's number keeps the kernel from restarting
// the call when it next checks for signals.
const notInSyscall = ^uint64(0)

// restartSys is ERESTARTSYS: the call is made again unless a handler without
// SA_RESTART runs.
const restartSys = 512

// getRegs and setRegs take all registers also of a thread of a 32-bit program.
func getRegs(t ID, r *registers) error {
	return unix.PtraceGetRegsAmd64(int(t), (*unix.PtraceRegsAmd64)(&r.PtraceRegs))
}

func setRegs(t ID, r *registers) error {
	return unix.PtraceSetRegsAmd64(int(t), (*unix.PtraceRegsAmd64)(&r.PtraceRegs))
}

// leaving reports whether the thread is leaving call nr at ip with an error.
func (r *registers) leaving(nr int, ip uint64, errno unix.Errno) bool {
	return r.Rip == ip && r.Orig_rax == uint64(nr) && int64(r.Rax) == -int64(errno)
}

// prepare makes the thread run the SYSCALL instruction again, for another call.
func (r *registers) prepare(nr int, args [6]uint64) {
	r.Rip -= syscallSize
	r.Rax, r.Orig_rax = uint64(nr), notInSyscall
	r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9 = args[0], args[1], args[2], args[3], args[4], args[5]
}

// sameCall reports whether a thread with registers r, at the entry of a call,
// makes the call that prepare has put into p.
func (r *registers) sameCall(p *registers) bool {
	return r.Rip == p.Rip+syscallSize && r.Orig_rax == p.Rax && r.Rsp == p.Rsp &&
		[6]uint64{r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9} == [6]uint64{p.Rdi, p.Rsi, p.Rdx, p.R10, p.R8, p.R9}
}

func (r *registers) result() int64 { return int64(r.Rax) }

// moveTo makes it seem that the thread is behind a SYSCALL instruction that ends at
// ip.
func (r *registers) moveTo(ip uint64) { r.Rip, r.Orig_rax = ip, notInSyscall }

// finish makes the original call return result.
func (r *registers) finish(result int64) {
	r.Rax, r.Orig_rax = uint64(result), notInSyscall
}

// restart makes the thread run its SYSCALL instruction again, for call nr.
func (r *registers) restart(nr int) {
	r.Rip -= syscallSize
	r.Rax, r.Orig_rax = uint64(nr), notInSyscall
}

// sleptIn reports whether the thread is leaving call b because it was
// interrupted while it slept there.
func (r *registers) sleptIn(b Blocked) bool {
	args := [6]uint64{r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9}
	if b.Compat {
		args = r.compatArgs()
	}
	return r.Rip == b.IP && r.Rsp == b.SP && r.Orig_rax == uint64(b.MadeNR) && args == b.Args && int64(r.Rax) == -restartSys
}

// syscallInstruction is the code of the SYSCALL instruction.
var syscallInstruction = []byte{0x0f, 0x05}

// instruction returns where the SYSCALL instruction lies that the thread has
// just run.
func (r *registers) instruction() uint64 { return r.Rip - syscallSize }

// inCall reports whether the thread was stopped in a system call.
func (r *registers) inCall() bool { return int64(r.Orig_rax) >= 0 }

// skip keeps the kernel from running the call that the thread has entered.
func (r *registers) skip() { r.Orig_rax = notInSyscall }

// interrupt makes it seem that the call was interrupted, and is to be restarted.
func (r *registers) interrupt() { r.Rax = ^uint64(errRestart) + 1 }

// call returns the number of the call that the thread was stopped in, and keep
// puts it back, for a debugger that looks at it.
func (r *registers) call() uint64   { return r.Orig_rax }
func (r *registers) keep(nr uint64) { r.Orig_rax = nr }

// continueCall makes a thread go on that was stopped while it left a call. The
// kernel restarts an interrupted call only as part of the stop, so this does. A
// call that a handler of a signal always ends is not made again if caught says
// that one is about to run.
func (r *registers) continueCall(caught bool) {
	const (
		restartNoHandler = 514 // ERESTARTNOHAND
		restartBlock     = 516 // ERESTART_RESTARTBLOCK
	)
	again := r.Orig_rax
	switch errno := -int64(r.Rax); {
	case errno == restartBlock:
		again = unix.SYS_RESTART_SYSCALL
	case errno < restartSys || errno > restartNoHandler:
		r.Orig_rax = notInSyscall
		return
	case errno == restartNoHandler && caught:
		r.finish(-int64(unix.EINTR))
		return
	}
	r.restart(int(again))
}
