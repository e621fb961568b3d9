package main

import "golang.org/x/sys/unix"

// atCall is at the beginning or end of a system call.
func (d *tracer) atCall(tid int, t *traced) {
	var regs unix.PtraceRegs
	if unix.PtraceGetRegs(tid, &regs) != nil {
		return
	}
	t.inCall = !t.inCall
	if t.inCall {
		t.regs = regs
		return
	}
	before := t.regs
	before.Rax = regs.Rax
	switch t.regs.Orig_rax {
	case unix.SYS_MMAP, unix.SYS_OPENAT, unix.SYS_CHDIR:
	default:
		return // it may change others
	}
	if before != regs {
		failf("a call has changed the registers of thread %d:\n%+v\n%+v", tid, t.regs, regs)
	}
	if regs.Orig_rax == unix.SYS_MMAP && int64(regs.R9) == mapOffset && int64(regs.Rax) > 0 {
		d.mappings++
	}
}
