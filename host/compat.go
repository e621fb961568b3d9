package host

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/seccomp"
	"github.com/udrm/udrm/host/internal/thread"
)

// Kernels run 32-bit programs too. Their system calls, which 64-bit programs can
// also make, have numbers and structures of their own. Each is turned into the
// call of a 64-bit program that does the same, and served as that one. Pointers
// and other arguments of 32 bits are extended as the kernel does.
//
// What the host makes the program's thread run is turned back into calls of
// 32-bit programs: a thread cannot run others.

// A compatCall is a system call of 32-bit programs that is handed over.
type compatCall struct {
	nr   uint32
	like uint32 // the number of the call that does the same

	// conds are the conditions. nil: those of like.
	conds [][]seccomp.Cond

	// adapt turns the arguments into those of like. It returns false if the
	// kernel is to run the call. nil: they are the same.
	adapt func(*call) bool

	slow bool // adapt reads memory of the program

	status   statusLayout // of what stat and statfs write
	longTime bool         // times have 64 bits
}

// A statusLayout is a layout of the structures of stat and statfs.
type statusLayout int

const (
	shortStatus statusLayout = iota // struct stat and struct statfs
	longStatus                      // struct stat64 and struct statfs64
	oldStatus                       // struct __old_kernel_stat
)

// compatHandlers are compatCalls by number.
var compatHandlers = make(map[uint32]*compatCall)

func init() {
	for i := range compatCalls {
		compatHandlers[compatCalls[i].nr] = &compatCalls[i]
	}
}

// compatTraps returns the traps for the calls of 32-bit programs that do what the
// given calls do.
func compatTraps(sysCalls []sysCall) (traps []seccomp.Trap) {
	for _, call := range compatCalls {
		for _, conds := range call.conds {
			traps = append(traps, seccomp.Trap{NR: call.nr, Conds: conds})
		}
		for _, like := range sysCalls {
			if like.nr == call.like && call.conds == nil {
				traps = append(traps, seccomp.Trap{NR: call.nr, Conds: compatConds(like.conds)})
			}
		}
	}
	return traps
}

// compatConds turns the conditions of a call of 64-bit programs into those of the
// same call of 32-bit programs. The upper halves of arguments mean nothing there,
// so the last register has the cookie.
func compatConds(conds []seccomp.Cond) []seccomp.Cond {
	all := []seccomp.Cond{{Arg: compatCookieArg, Op: seccomp.NotEqual, Value: pathCookie}}
	for _, cond := range conds {
		if !cond.High {
			all = append(all, cond)
		}
	}
	return all
}

// compatCookieArg is the argument that has pathCookie in calls of 32-bit programs.
// None of them has so many arguments.
const compatCookieArg = 5

// adaptCompat turns a call of a 32-bit program into one of a 64-bit program. It
// returns false if the kernel is to run the call.
func (c *call) adaptCompat(call *compatCall) bool {
	for i, arg := range c.n.Data.Args {
		c.made[i] = uint64(uint32(arg))
	}
	c.compat, c.original = call, c.n.Data
	c.n.Data.Args, c.n.Data.NR = c.made, int32(call.like)
	return call.adapt == nil || call.adapt(c)
}

// answerCompat answers a call of a 32-bit program.
func (c *call) answerCompat() {
	call := compatHandlers[uint32(c.n.Data.NR)]
	if call == nil {
		c.proceed()
		return
	}
	c.name = handlers[call.like].name
	if !c.adaptCompat(call) {
		c.proceed()
		return
	}
	handlers[c.n.Data.NR].handle(c)
}

// isNativeCompat is isNative for a call of a 32-bit program.
func (c *call) isNativeCompat() (native bool) {
	call := compatHandlers[uint32(c.n.Data.NR)]
	if c.n.PID == 0 || call == nil || call.slow || nativeChecks[call.like] == nil {
		return false
	}
	before := c.n.Data
	defer func() {
		if recover() != nil {
			native = false
		}
		c.n.Data, c.compat = before, nil
	}()
	return c.adaptCompat(call) && nativeChecks[call.like](c)
}

// madeNR returns the number of the call as the program made it.
func (c *call) madeNR() int {
	if c.compat != nil {
		return int(c.compat.nr)
	}
	return int(c.n.Data.NR)
}

// makesCompatCalls prepares the thread to run calls, if it is in a call of 32-bit
// programs.
func (c *call) makesCompatCalls(x *thread.Tracee) {
	if c.compat != nil {
		x.MakesCompatCalls(c.compatCall)
	}
}

// writeCompatStat is writeStat for a 32-bit program.
func (c *call) writeCompatStat(addr uint64) statWriter {
	return func(_ string, st *unix.Statx_t) error {
		b, err := compatStat(st, c.compat.status)
		if err != nil {
			return err
		}
		return c.write(addr, b)
	}
}

// putCompatStatfs is putStatfs for a 32-bit program.
func (c *call) putCompatStatfs(addr uint64, st *unix.Statfs_t) error {
	b, err := compatStatfs(st, c.compat.status)
	if err != nil {
		return err
	}
	return c.write(addr, b)
}

// readLongs reads values of type long of the program as values of 64 bits to b.
func (c *call) readLongs(b []byte, addr uint64) error {
	if c.compat == nil || c.compat.longTime {
		return c.readMemory(b, addr)
	}
	short := make([]byte, len(b)/2)
	if err := c.readMemory(short, addr); err != nil {
		return err
	}
	for i := 0; i < len(short); i += 4 {
		binary.NativeEndian.PutUint64(b[2*i:], uint64(int32(binary.NativeEndian.Uint32(short[i:]))))
	}
	return nil
}
