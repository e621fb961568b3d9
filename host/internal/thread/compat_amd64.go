package thread

import (
	"golang.org/x/sys/unix"
)

// A 32-bit program makes its system calls by the instruction INT 0x80, or by a
// function of the vDSO that returns behind one. A 64-bit program may use INT 0x80
// too. Such calls have numbers and argument registers of their own.

// int80Instruction is the code of the instruction INT 0x80.
var int80Instruction = [syscallSize]byte{0xcd, 0x80}

// prepareCompat is prepare for the INT 0x80 instruction.
func (r *registers) prepareCompat(nr int, args [6]uint64) {
	r.Rip -= syscallSize
	r.Rax, r.Orig_rax = uint64(uint32(nr)), notInSyscall
	for i, to := range r.compatArgRegisters() {
		*to = uint64(uint32(args[i]))
	}
}

// sameCompatCall is sameCall for the INT 0x80 instruction. The kernel ignores the
// upper halves of the arguments.
func (r *registers) sameCompatCall(p *registers) bool {
	return r.Rip == p.Rip+syscallSize && r.Orig_rax == p.Rax && r.Rsp == p.Rsp && r.compatArgs() == p.compatArgs()
}

// compatArgs returns the arguments of a call by INT 0x80.
func (r *registers) compatArgs() (args [6]uint64) {
	for i, from := range r.compatArgRegisters() {
		args[i] = uint64(uint32(*from))
	}
	return args
}

func (r *registers) compatArgRegisters() [6]*uint64 {
	return [6]*uint64{&r.Rbx, &r.Rcx, &r.Rdx, &r.Rsi, &r.Rdi, &r.Rbp}
}

// entersCompat reports whether a thread that stops at the entry of a system call
// makes a call of 32-bit programs.
func entersCompat(t ID) (bool, error) {
	arch, err := callArch(t)
	return arch == unix.AUDIT_ARCH_I386, err
}

// checkCompat completes b if the thread sleeps in a call of 32-bit programs.
func (t ID) checkCompat(b *Blocked) {
	var code [syscallSize]byte
	if t.Read(code[:], b.IP-syscallSize) != nil || code != int80Instruction {
		return
	}
	b.Compat = true
	for i := range b.Args {
		b.Args[i] = uint64(uint32(b.Args[i]))
	}
	nr, ok := sleepingCalls[b.NR]
	if !ok {
		nr = -1
	}
	b.NR = nr
}

// sleepingCalls are the calls of 32-bit programs that wait to write, with the
// numbers that 64-bit programs have for them. The numbers are those of
// asm/unistd_32.h.
var sleepingCalls = map[int]int{
	4:   unix.SYS_WRITE,
	146: unix.SYS_WRITEV,
	168: unix.SYS_POLL,
	187: unix.SYS_SENDFILE,
	239: unix.SYS_SENDFILE, // sendfile64
	309: unix.SYS_PPOLL,
	313: unix.SYS_SPLICE,
	315: unix.SYS_TEE,
	316: unix.SYS_VMSPLICE,
	345: unix.SYS_SENDMMSG,
	369: unix.SYS_SENDTO,
	370: unix.SYS_SENDMSG,
	379: unix.SYS_PWRITEV2,
	414: unix.SYS_PPOLL, // ppoll_time64
}
