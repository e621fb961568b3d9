package thread

import "golang.org/x/sys/unix"

// registers are the user registers of a stopped thread.
type registers struct{ unix.PtraceRegs }

// syscallSize is the length of the SYSCALL instruction.
const syscallSize = 2

// notInSyscall in place of the call's number keeps the kernel from restarting
// the call when it next checks for signals.
const notInSyscall = ^uint64(0)

func getRegs(t ID, r *registers) error { return unix.PtraceGetRegs(int(t), &r.PtraceRegs) }
func setRegs(t ID, r *registers) error { return unix.PtraceSetRegs(int(t), &r.PtraceRegs) }

// interrupted reports whether the thread is leaving call nr at ip with the
// error that restarts it.
func (r *registers) interrupted(nr int, ip uint64) bool {
	return r.Rip == ip && r.Orig_rax == uint64(nr) && int64(r.Rax) == -int64(errRestart)
}

// prepare makes the thread run the SYSCALL instruction again, for another call.
func (r *registers) prepare(nr int, args [6]uint64) {
	r.Rip -= syscallSize
	r.Rax, r.Orig_rax = uint64(nr), notInSyscall
	r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9 = args[0], args[1], args[2], args[3], args[4], args[5]
}

func (r *registers) result() int64 { return int64(r.Rax) }

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
	const restartSys = 512 // ERESTARTSYS
	args := [6]uint64{r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9}
	return r.Rip == b.IP && r.Rsp == b.SP && r.Orig_rax == uint64(b.NR) && args == b.Args && int64(r.Rax) == -restartSys
}
