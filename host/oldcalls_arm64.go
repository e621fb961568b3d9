package host

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/seccomp"
)

// These are empty: arm64 has only the calls that took the places of the old ones.
var (
	ownCalls     []sysCall
	ownChecks    map[int]func(*call) bool
	ownPathRules map[uint32][][]seccomp.Cond
	oldStats     []int
)

// cookieArg returns the argument of an open that has the cookie.
func cookieArg(int) int { return 0 }

// openFlags returns the flags of a call that opens a file. Those of openat2 are in
// memory, and it is handed over anyway.
func openFlags(nr int, args [6]uint64) (flags uint64, ok bool) {
	return args[2], nr == unix.SYS_OPENAT
}
