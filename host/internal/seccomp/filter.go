package seccomp

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// A Filter says which system calls are handed over or refused. All others run
// in the kernel. Programs of one architecture may also make the calls of
// another, as 64-bit programs can with int 0x80.
type Filter struct {
	Arch   uint32 // AUDIT_ARCH_*, see [NativeArch]
	Limit  uint32 // numbers from here on are another ABI's and fail with ENOSYS; 0: no limit
	Traps  []Trap
	Action uint32 // what happens to a call that a rule matches; 0: SECCOMP_RET_USER_NOTIF

	OneArch bool // calls of other architectures fail with ENOSYS

	CompatArch  uint32 // the architecture of 32-bit programs; 0: none
	CompatTraps []Trap
}

// A Trap matches the calls with number NR whose arguments meet all conditions.
type Trap struct {
	NR    uint32
	Conds []Cond
	Errno unix.Errno // the call fails with it; 0: the call is handed over
}

// A Cond compares one half of an argument, as an unsigned number, with Value.
type Cond struct {
	Arg   int  // 0 to 5
	High  bool // the upper 32 bits instead of the lower
	Mask  uint32
	Op    Op
	Value uint32
}

// An Op is a comparison.
type Op int

const (
	Equal Op = iota
	NotEqual
	AtLeast
	Less
)

// Offsets in struct seccomp_data.
const (
	offsetNR   = 0
	offsetArch = 4
	offsetArgs = 16
)

// Instructions of classic BPF.
const (
	load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	least = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	and   = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	jump  = unix.BPF_JMP | unix.BPF_JA
	ret   = unix.BPF_RET | unix.BPF_K
)

func stmt(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

// Program returns the filter in classic BPF. Rules are tried in their order.
func (f *Filter) Program() ([]unix.SockFilter, error) {
	action := f.Action
	if action == 0 {
		action = unix.SECCOMP_RET_USER_NOTIF
	}
	p := []unix.SockFilter{stmt(load, offsetArch)}
	if len(f.CompatTraps) > 0 {
		compat, err := rules(f.CompatTraps, action)
		if err != nil {
			return nil, err
		}
		p = append(p,
			unix.SockFilter{Code: equal, K: f.CompatArch, Jt: 1},
			stmt(jump, uint32(len(compat)+1)), // over a load and the rules
			stmt(load, offsetNR))
		p = append(p, compat...)
	}
	other := uint32(unix.SECCOMP_RET_ALLOW)
	if f.OneArch {
		other = refuse(unix.ENOSYS)
	}
	p = append(p,
		unix.SockFilter{Code: equal, K: f.Arch, Jt: 1},
		stmt(ret, other),
		stmt(load, offsetNR))
	if f.Limit != 0 {
		p = append(p,
			unix.SockFilter{Code: least, K: f.Limit, Jf: 1},
			stmt(ret, refuse(unix.ENOSYS)))
	}
	native, err := rules(f.Traps, action)
	if err != nil {
		return nil, err
	}
	p = append(p, native...)
	if len(p) > 4096 {
		return nil, fmt.Errorf("seccomp: the filter has %d instructions, the kernel takes 4096", len(p))
	}
	return p, nil
}

// refuse returns the action that makes a call fail with an error.
func refuse(errno unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(errno) }

// rules returns the instructions for traps, with the number of the call in the
// accumulator. They end with a return.
func rules(traps []Trap, action uint32) (p []unix.SockFilter, err error) {
	for _, t := range traps {
		// Each rule is a block that starts with the number in the accumulator,
		// and that falls off its end, with the number there again, when it
		// does not match.
		var body []unix.SockFilter
		for _, c := range t.Conds {
			if c.Arg < 0 || c.Arg > 5 {
				return nil, fmt.Errorf("seccomp: rule for call %d: there is no argument %d", t.NR, c.Arg)
			}
			offset := uint32(offsetArgs + 8*c.Arg)
			if c.High {
				offset += 4
			}
			body = append(body, stmt(load, offset))
			if c.Mask != 0 {
				body = append(body, stmt(and, c.Mask))
			}
			code := uint16(equal)
			if c.Op == AtLeast || c.Op == Less {
				code = least
			}
			// The distance to the block's end is filled in below.
			j := unix.SockFilter{Code: code, K: c.Value}
			if c.Op == Equal || c.Op == AtLeast {
				j.Jf = 1
			} else {
				j.Jt = 1
			}
			body = append(body, j)
		}
		if t.Errno != 0 {
			body = append(body, stmt(ret, refuse(t.Errno)))
		} else {
			body = append(body, stmt(ret, action))
		}
		if len(t.Conds) > 0 {
			body = append(body, stmt(load, offsetNR))
		}
		if len(body) > 255 {
			return nil, fmt.Errorf("seccomp: rule for call %d: %d conditions are too many", t.NR, len(t.Conds))
		}
		for i := range body {
			if body[i].Code != equal && body[i].Code != least {
				continue
			}
			distance := uint8(len(body) - 2 - i) // to the load that ends the block
			if body[i].Jf != 0 {
				body[i].Jf = distance
			} else {
				body[i].Jt = distance
			}
		}
		p = append(p, unix.SockFilter{Code: equal, K: t.NR, Jf: uint8(len(body))})
		p = append(p, body...)
	}
	return append(p, stmt(ret, unix.SECCOMP_RET_ALLOW)), nil
}
