package gate

import "golang.org/x/sys/unix"

// isPoll reports whether a system call polls. Its first two arguments are then the
// files and their number.
func isPoll(nr int) bool { return nr == unix.SYS_PPOLL }
