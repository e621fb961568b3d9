package thread

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// Give notes that the thread has a descriptor which its program did not ask for.
// It is closed before the thread is released, also when Stop fails with ErrMoved,
// but not after ErrNotRun: a thread that does not run one call runs no other.
func (x *Tracee) Give(fd int) { x.given = append(x.given, fd) }

// closeGiven closes the descriptors that were given to the stopped thread.
func (x *Tracee) closeGiven() error {
	for len(x.given) > 0 {
		fd := x.given[0]
		x.given = x.given[1:] // tried once
		if _, err := x.Syscall(unix.SYS_CLOSE, [6]uint64{uint64(fd)}); err != nil {
			return err
		}
	}
	return nil
}

// takeBack closes the descriptors that were given to a thread that has moved, and
// leaves it where it is. The instruction that ends at ip makes the calls.
func (x *Tracee) takeBack(ip uint64) error {
	code := make([]byte, len(syscallInstruction))
	if len(x.given) == 0 || x.id.Read(code, ip-uint64(len(code))) != nil || x.compat == nil && !bytes.Equal(code, syscallInstruction) {
		return nil
	}
	if err := x.blockSignals(); err != nil {
		return err
	}
	moved := x.saved
	x.saved.moveTo(ip)
	if err := x.closeGiven(); err != nil {
		return err
	}
	if x.saved = moved; moved.inCall() {
		x.saved.continueCall(x.id.catches(x.mask))
	}
	if err := x.setRegs(&x.saved); err != nil {
		return x.lost(err)
	}
	return nil
}

// catches reports whether a handler is about to run for a signal that mask does not
// block.
func (t ID) catches(mask uint64) bool {
	return t.pending()&^mask&parseMask([]byte(t.Status()["SigCgt"])) != 0
}
