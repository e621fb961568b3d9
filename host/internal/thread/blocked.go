package thread

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"
)

// A Blocked is a system call in which a thread sleeps.
type Blocked struct {
	NR   int
	Args [6]uint64
	SP   uint64 // stack pointer
	IP   uint64 // where the instruction ends

	// Compat says that it is a call of a 32-bit program: structures in memory
	// have that layout. NR is that of the same call of a 64-bit program, or -1, and
	// MadeNR that which the thread has used.
	Compat bool
	MadeNR int
}

// Blocked returns the system call in which the thread sleeps. It returns false
// when the thread runs, has ended or is out of reach.
func (t ID) Blocked() (b Blocked, ok bool) {
	text, err := t.readFile("syscall")
	if err != nil {
		return Blocked{}, false
	}
	// The number, six arguments, the stack pointer, the instruction pointer.
	fields := bytes.Fields(text)
	if len(fields) != 9 {
		return Blocked{}, false // "running", or no system call
	}
	if b.NR, err = strconv.Atoi(string(fields[0])); err != nil {
		return Blocked{}, false
	}
	for i, to := range []*uint64{&b.Args[0], &b.Args[1], &b.Args[2], &b.Args[3], &b.Args[4], &b.Args[5], &b.SP, &b.IP} {
		if *to, err = strconv.ParseUint(string(fields[1+i]), 0, 64); err != nil {
			return Blocked{}, false
		}
	}
	b.MadeNR = b.NR
	t.checkCompat(&b)
	return b, true
}

// StopBlocked stops a thread that sleeps in call b, if signals can interrupt
// that call. It takes the place of [Tracee.Stop]. ErrMoved when the thread does
// not sleep there any more.
func (x *Tracee) StopBlocked(b Blocked) error {
	if err := x.stop(func(unix.Errno) error { return nil }, 0); err != nil {
		return err
	}
	if err := getRegs(x.id, &x.saved); err != nil {
		return x.lost(err)
	}
	if !x.saved.sleptIn(b) {
		return x.abandon(ErrMoved)
	}
	return nil
}
