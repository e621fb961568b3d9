package host

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/seccomp"
)

// ownCalls are further system calls that are handed over. Later architectures
// have only the newer ones that took their places.
var ownCalls = []sysCall{
	// A close must show in a poll that does not wait.
	{nr: unix.SYS_POLL, name: "poll", handle: (*call).poll, conds: []seccomp.Cond{
		{Arg: 1, Op: seccomp.Equal, Value: 1},
		{Arg: 2, Op: seccomp.Equal, Value: 0},
	}},
	{nr: unix.SYS_OPEN, name: "open", handle: (*call).open},
	{nr: unix.SYS_CREAT, name: "creat", handle: (*call).creat},
	{nr: unix.SYS_STAT, name: "stat", handle: (*call).stat},
	{nr: unix.SYS_LSTAT, name: "lstat", handle: (*call).lstat},
	{nr: unix.SYS_ACCESS, name: "access", handle: (*call).access},
	{nr: unix.SYS_READLINK, name: "readlink", handle: (*call).readlink},
	{nr: unix.SYS_CHMOD, name: "chmod", handle: (*call).chmod},
	{nr: unix.SYS_CHOWN, name: "chown", handle: (*call).chown},
	{nr: unix.SYS_LCHOWN, name: "lchown", handle: (*call).lchown},
	{nr: unix.SYS_UTIMES, name: "utimes", handle: (*call).utimes},
	{nr: unix.SYS_FUTIMESAT, name: "futimesat", handle: (*call).futimesat},
	{nr: unix.SYS_UTIME, name: "utime", handle: (*call).utime},
	{nr: unix.SYS_MKDIR, name: "mkdir", handle: (*call).mkdir},
	{nr: unix.SYS_RMDIR, name: "rmdir", handle: (*call).rmdir},
	{nr: unix.SYS_UNLINK, name: "unlink", handle: (*call).unlink},
	{nr: unix.SYS_SYMLINK, name: "symlink", handle: (*call).symlink},
	{nr: unix.SYS_MKNOD, name: "mknod", handle: (*call).mknod},
	{nr: unix.SYS_LINK, name: "link", handle: (*call).link},
	{nr: unix.SYS_RENAME, name: "rename", handle: (*call).rename},
}

// ownChecks are those for calls that other architectures lack.
var ownChecks = map[int]func(*call) bool{
	unix.SYS_POLL: func(c *call) bool { return c.host.files.Count() <= 1 },
	unix.SYS_OPEN: func(c *call) bool {
		return !isOpening(int(c.n.Data.NR), c.n.Data.Args) && c.nativePath(unix.AT_FDCWD, c.arg(0), followed(int(c.arg(1))))
	},
	unix.SYS_CREAT: func(c *call) bool {
		return !isOpening(int(c.n.Data.NR), c.n.Data.Args) && nativeFollowed(c)
	},
	unix.SYS_STAT:     func(c *call) bool { return c.leadsToNone() || nativeFollowed(c) },
	unix.SYS_LSTAT:    nativeNotFollowed,
	unix.SYS_ACCESS:   nativeFollowed,
	unix.SYS_READLINK: func(c *call) bool { return c.leadsToNone() || nativeNotFollowed(c) },
	unix.SYS_CHMOD:    nativeFollowed,
	unix.SYS_CHOWN:    nativeFollowed,
	unix.SYS_LCHOWN:   nativeNotFollowed,
	unix.SYS_MKNOD:    func(c *call) bool { return c.nativeNew(unix.AT_FDCWD, c.arg(0)) },
	unix.SYS_LINK:     nativeMove,
	unix.SYS_RENAME:   nativeMove,
	unix.SYS_MKDIR:    func(c *call) bool { return c.nativeNew(unix.AT_FDCWD, c.arg(0)) },
	unix.SYS_RMDIR:    nativeNotFollowed,
	unix.SYS_UNLINK:   nativeNotFollowed,
	unix.SYS_SYMLINK:  func(c *call) bool { return c.nativeNew(unix.AT_FDCWD, c.arg(1)) },
}

// ownPathRules are those of pathRules for calls that other architectures lack.
var ownPathRules = map[uint32][][]seccomp.Cond{
	unix.SYS_OPEN:      {opensForWriting(1), opening(1)},
	unix.SYS_CREAT:     {nil},
	unix.SYS_STAT:      {nil}, // it follows links
	unix.SYS_LSTAT:     nil,
	unix.SYS_ACCESS:    nil,
	unix.SYS_CHMOD:     nil,
	unix.SYS_CHOWN:     nil,
	unix.SYS_LCHOWN:    nil,
	unix.SYS_UTIMES:    nil,
	unix.SYS_FUTIMESAT: nil,
	unix.SYS_UTIME:     nil,
	unix.SYS_MKDIR:     nil,
	unix.SYS_RMDIR:     nil,
	unix.SYS_UNLINK:    nil,
	unix.SYS_SYMLINK:   nil,
	unix.SYS_MKNOD:     nil,
	unix.SYS_LINK:      nil,
	unix.SYS_RENAME:    nil,
}

// oldStats are the calls that ask for the status of a file by its path, and that
// other architectures lack.
var oldStats = []int{unix.SYS_STAT, unix.SYS_LSTAT}

// cookieArg returns the argument of an open that has the cookie.
func cookieArg(nr int) int {
	if nr == unix.SYS_OPEN || nr == unix.SYS_CREAT {
		return 1
	}
	return 0
}

// openFlags returns the flags of a call that opens a file. Those of openat2 are in
// memory, and it is handed over anyway.
func openFlags(nr int, args [6]uint64) (flags uint64, ok bool) {
	switch nr {
	case unix.SYS_OPEN:
		return args[1], true
	case unix.SYS_OPENAT:
		return args[2], true
	case unix.SYS_CREAT:
		return unix.O_CREAT | unix.O_WRONLY | unix.O_TRUNC, true
	}
	return 0, false
}
