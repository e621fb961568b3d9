package seccomp

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
)

// interpret runs a program as the kernel does, for the instructions that
// filters use.
func interpret(t *testing.T, program []unix.SockFilter, d Data) uint32 {
	t.Helper()
	var memory [64]byte
	binary.NativeEndian.PutUint32(memory[0:], uint32(d.NR))
	binary.NativeEndian.PutUint32(memory[4:], d.Arch)
	binary.NativeEndian.PutUint64(memory[8:], d.IP)
	for i, arg := range d.Args {
		binary.NativeEndian.PutUint64(memory[16+8*i:], arg)
	}
	var a uint32
	for pc := 0; pc < len(program); pc++ {
		jump := func(taken bool) {
			if taken {
				pc += int(program[pc].Jt)
			} else {
				pc += int(program[pc].Jf)
			}
		}
		switch in := program[pc]; in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = binary.NativeEndian.Uint32(memory[in.K:])
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			a &= in.K
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump(a == in.K)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			jump(a >= in.K)
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(in.K)
		case unix.BPF_RET | unix.BPF_K:
			return in.K
		default:
			t.Fatalf("instruction %d: code %#x", pc, in.Code)
		}
	}
	t.Fatal("the program has no end")
	return 0
}

// action says what a filter means, without jumps.
func (f *Filter) action(d Data) uint32 {
	traps := f.Traps
	switch {
	case d.Arch == f.CompatArch && len(f.CompatTraps) > 0:
		traps = f.CompatTraps
	case d.Arch != f.Arch && f.OneArch:
		return unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	case d.Arch != f.Arch:
		return unix.SECCOMP_RET_ALLOW
	case f.Limit != 0 && uint32(d.NR) >= f.Limit:
		return unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	}
	for _, trap := range traps {
		all := trap.NR == uint32(d.NR)
		for _, c := range trap.Conds {
			half := uint32(d.Args[c.Arg])
			if c.High {
				half = uint32(d.Args[c.Arg] >> 32)
			}
			if c.Mask != 0 {
				half &= c.Mask
			}
			switch c.Op {
			case Equal:
				all = all && half == c.Value
			case NotEqual:
				all = all && half != c.Value
			case AtLeast:
				all = all && half >= c.Value
			case Less:
				all = all && half < c.Value
			}
		}
		switch {
		case all && trap.Errno != 0:
			return unix.SECCOMP_RET_ERRNO | uint32(trap.Errno)
		case all:
			return unix.SECCOMP_RET_USER_NOTIF
		}
	}
	return unix.SECCOMP_RET_ALLOW
}

func TestProgram(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	small := func() uint32 { return random.Uint32N(4) } // so that values coincide
	for range 300 {
		traps := func() (traps []Trap) {
			for range random.IntN(6) {
				trap := Trap{NR: small(), Errno: unix.Errno(small())}
				for range random.IntN(4) {
					trap.Conds = append(trap.Conds, Cond{
						Arg: random.IntN(6), High: random.IntN(2) == 0, Mask: small(), Op: Op(random.IntN(4)), Value: small(),
					})
				}
				traps = append(traps, trap)
			}
			return traps
		}
		f := &Filter{Arch: small(), Limit: random.Uint32N(6), Traps: traps(), CompatArch: small(), CompatTraps: traps(), OneArch: random.IntN(2) == 0}
		program, err := f.Program()
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			d := Data{NR: int32(random.Uint32N(6)), Arch: small()}
			for i := range d.Args {
				d.Args[i] = uint64(small())<<32 | uint64(small())
			}
			if got, want := interpret(t, program, d), f.action(d); got != want {
				t.Fatalf("%+v of %+v: got %#x, want %#x", f, d, got, want)
			}
		}
	}
}

func TestProgramRefuses(t *testing.T) {
	many := make([]Cond, 200)
	for i, f := range []Filter{
		{Traps: []Trap{{Conds: []Cond{{Arg: 6}}}}},
		{Traps: []Trap{{Conds: []Cond{{Arg: -1}}}}},
		{Traps: []Trap{{Conds: many}}},
		{Traps: make([]Trap, 4096)},
	} {
		if _, err := f.Program(); err == nil {
			t.Errorf("filter %d is accepted", i)
		}
	}
}

// TestInstall hands calls of a thread over and answers each in another way.
func TestInstall(t *testing.T) {
	const nr = unix.SYS_GETPRIORITY // the runtime does not use it
	listeners := make(chan *Listener)
	results := make(chan unix.Errno)
	numbers := make(chan int)
	const calls = 3
	thread.Go(func() {
		l, err := Install(&Filter{Arch: NativeArch, Limit: NativeLimit, Traps: []Trap{
			{NR: nr, Conds: []Cond{{Arg: 0, Op: Equal, Value: 7}}},
		}})
		if err != nil {
			t.Error(err)
			close(listeners)
			return
		}
		listeners <- l
		for range calls {
			r, _, errno := unix.Syscall(nr, 7, 0, 0)
			numbers <- int(r)
			results <- errno
		}
	})
	l, ok := <-listeners
	if !ok {
		return
	}
	var n Notification
	for i, c := range []struct {
		answer func(id uint64) error
		number int
		errno  unix.Errno
	}{
		{func(id uint64) error { return l.Return(id, 42) }, 42, 0},
		{func(id uint64) error { return l.Fail(id, unix.EXDEV) }, -1, unix.EXDEV},
		{l.Continue, -1, unix.EINVAL},
	} {
		if err := l.Receive(&n); err != nil {
			t.Fatal(err)
		}
		if n.Data.NR != nr || n.Data.Args[0] != 7 || n.Data.Arch != NativeArch || !l.Valid(n.ID) {
			t.Errorf("call %d: %+v", i, n)
		}
		if err := c.answer(n.ID); err != nil {
			t.Error(err)
		}
		if number, errno := <-numbers, <-results; number != c.number || errno != c.errno {
			t.Errorf("answer %d: the caller got %d, %v; want %d, %v", i, number, errno, c.number, c.errno)
		}
		if l.Valid(n.ID) {
			t.Errorf("call %d is valid after its answer", i)
		}
		if err := l.Return(n.ID, 0); err != unix.ENOENT {
			t.Errorf("a second answer: %v", err)
		}
	}
	if err := l.Wait(); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
