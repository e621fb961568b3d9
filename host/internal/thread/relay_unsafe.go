package thread

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// These methods pass what a request takes or gives
// through the memory of the debugger.

func (r *relay) getRegs(regs *registers) error {
	if err := r.ptrace(unix.PTRACE_GETREGS, 0, r.page+regsAt); err != nil {
		return err
	}
	return r.tracer.id.Read(bytesOf(regs), r.page+regsAt)
}

func (r *relay) setRegs(regs *registers) error {
	if r.tracer == nil {
		return unix.ESRCH
	}
	if err := r.tracer.id.Write(r.page+regsAt, bytesOf(regs)); err != nil {
		return err
	}
	return r.ptrace(unix.PTRACE_SETREGS, 0, r.page+regsAt)
}

func (r *relay) sigmask(request uintptr, mask *uint64) error {
	if r.tracer == nil {
		return unix.ESRCH
	}
	if request == unix.PTRACE_SETSIGMASK {
		if err := r.tracer.id.Write(r.page+maskAt, bytesOf(mask)); err != nil {
			return err
		}
	}
	if err := r.ptrace(int(request), uint64(unsafe.Sizeof(*mask)), r.page+maskAt); err != nil {
		return err
	}
	if request == unix.PTRACE_GETSIGMASK {
		return r.tracer.id.Read(bytesOf(mask), r.page+maskAt)
	}
	return nil
}

// signalInfo returns what is known of the signal that has stopped the thread, and
// setSignalInfo changes it.
func (r *relay) signalInfo() (childInfo, error) {
	if err := r.ptrace(unix.PTRACE_GETSIGINFO, 0, r.page+siginfoAt); err != nil {
		return childInfo{}, err
	}
	return r.readInfo()
}

func (r *relay) setSignalInfo(info *childInfo) error {
	if err := r.tracer.id.Write(r.page+siginfoAt, bytesOf(info)); err != nil {
		return err
	}
	return r.ptrace(unix.PTRACE_SETSIGINFO, 0, r.page+siginfoAt)
}

// readInfo reads what the last request has stored.
func (r *relay) readInfo() (info childInfo, err error) {
	err = r.tracer.id.Read(bytesOf(&info), r.page+siginfoAt)
	return info, err
}

// bytesOf returns the memory of a structure without pointers.
func bytesOf[T any](p *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p)) }
