package host

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/seccomp"
)

// openCookie marks an open for reading only that is handed over because the file
// server has seen that it is one of a node. It stands in the upper half of an
// argument that is an int.
const openCookie = 0x7564726f

// atEmptyPath matches calls whose flags have AT_EMPTY_PATH: they may be on a
// descriptor.
func atEmptyPath(flags int) []seccomp.Cond {
	return []seccomp.Cond{{Arg: flags, Mask: unix.AT_EMPTY_PATH, Op: seccomp.Equal, Value: unix.AT_EMPTY_PATH}}
}

// followedLink matches calls with flags as of statx(2) that follow a link: it may be
// that of /proc to a descriptor.
func followedLink(flags int) []seccomp.Cond {
	return []seccomp.Cond{{Arg: flags, Mask: unix.AT_EMPTY_PATH | unix.AT_SYMLINK_NOFOLLOW, Op: seccomp.Equal, Value: 0}}
}

// opensForWriting matches opens that are not read-only, and openings those with
// the cookie.
func opensForWriting(flags int) []seccomp.Cond {
	return []seccomp.Cond{{Arg: flags, Mask: unix.O_ACCMODE, Op: seccomp.NotEqual, Value: unix.O_RDONLY}}
}

func opening(arg int) []seccomp.Cond {
	return []seccomp.Cond{{Arg: arg, High: true, Op: seccomp.Equal, Value: openCookie}}
}

// pathRules are the rules for calls on paths when the virtual files are mounted.
// A call with no rule is not handed over.
var pathRules = map[uint32][][]seccomp.Cond{
	unix.SYS_OPENAT:    {slices.Concat(notOurs, opensForWriting(2)), opening(0)},
	unix.SYS_OPENAT2:   {notOurs},
	unix.SYS_FACCESSAT: nil,

	unix.SYS_NEWFSTATAT:        {slices.Concat(notOurs, atEmptyPath(3)), slices.Concat(notOurs, followedLink(3))},
	unix.SYS_STATX:             {slices.Concat(notOurs, atEmptyPath(2)), slices.Concat(notOurs, followedLink(2))},
	unix.SYS_FACCESSAT2:        {slices.Concat(notOurs, atEmptyPath(3))},
	unix.SYS_FCHOWNAT:          {slices.Concat(notOurs, atEmptyPath(4))},
	unix.SYS_FCHMODAT2:         {slices.Concat(notOurs, atEmptyPath(3))},
	unix.SYS_NAME_TO_HANDLE_AT: {slices.Concat(notOurs, atEmptyPath(4))},
	unix.SYS_FILE_GETATTR:      {notOurs}, // FUSE does not know them
	unix.SYS_FILE_SETATTR:      {notOurs},

	unix.SYS_BIND: {{{Arg: 2, Op: seccomp.Equal, Value: unix.SizeofSockaddrNetlink}}},

	unix.SYS_FCHMODAT:          nil,
	unix.SYS_CHDIR:             nil,
	unix.SYS_GETCWD:            nil,
	unix.SYS_GETXATTR:          nil,
	unix.SYS_LGETXATTR:         nil,
	unix.SYS_LISTXATTR:         nil,
	unix.SYS_LLISTXATTR:        nil,
	unix.SYS_SETXATTR:          nil,
	unix.SYS_LSETXATTR:         nil,
	unix.SYS_REMOVEXATTR:       nil,
	unix.SYS_LREMOVEXATTR:      nil,
	unix.SYS_SETXATTRAT:        nil,
	unix.SYS_GETXATTRAT:        nil,
	unix.SYS_LISTXATTRAT:       nil,
	unix.SYS_REMOVEXATTRAT:     nil,
	unix.SYS_OPEN_TREE:         nil,
	unix.SYS_INOTIFY_ADD_WATCH: nil,
	unix.SYS_UTIMENSAT:         nil,
	unix.SYS_MKDIRAT:           nil,
	unix.SYS_UNLINKAT:          nil,
	unix.SYS_SYMLINKAT:         nil,
	unix.SYS_MKNODAT:           nil,
	unix.SYS_LINKAT:            nil,
	unix.SYS_RENAMEAT:          nil,
	unix.SYS_RENAMEAT2:         nil,
	unix.SYS_TRUNCATE:          nil,
}

// mountedCalls are the calls that are handed over when the virtual files are
// mounted.
func mountedCalls() (calls []sysCall) {
	for _, s := range sysCalls {
		rules, onPath := pathRules[s.nr]
		if !onPath {
			rules, onPath = ownPathRules[s.nr]
		}
		if !onPath {
			calls = append(calls, s)
			continue
		}
		for _, conds := range rules {
			s.conds = conds
			calls = append(calls, s)
		}
	}
	return calls
}

// openingArgs returns the arguments of an open with the cookie.
func openingArgs(nr int, args [6]uint64) [6]uint64 {
	i := cookieArg(nr)
	args[i] = args[i]&0xffffffff | openCookie<<32
	return args
}

// isOpening reports whether an open has the cookie.
func isOpening(nr int, args [6]uint64) bool { return args[cookieArg(nr)]>>32 == openCookie }
