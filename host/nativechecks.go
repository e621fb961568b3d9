package host

import "golang.org/x/sys/unix"

// nativeChecks are the methods that isNative calls, by the number of the call.
// For calls without one, the handler decides.
var nativeChecks = checksOf(everyChecks, ownChecks)

func checksOf(all ...map[int]func(*call) bool) (list [512]func(*call) bool) {
	for _, checks := range all {
		for nr, check := range checks {
			list[nr] = check
		}
	}
	return list
}

// everyChecks are those for calls that all architectures have.
var everyChecks = map[int]func(*call) bool{
	unix.SYS_LSEEK: func(c *call) bool { return c.nativeFD(c.fd(0)) },
	unix.SYS_READ:  func(c *call) bool { return c.nativeFD(c.fd(0)) },
	unix.SYS_FCNTL: func(c *call) bool { return c.nativeFD(c.fd(0)) },
	unix.SYS_MMAP:  func(c *call) bool { return c.host.attributes.Count() == 0 && c.nativeFD(c.fd(4)) },

	unix.SYS_OPENAT: func(c *call) bool {
		return !isOpening(int(c.n.Data.NR), c.n.Data.Args) && c.nativePath(c.fd(0), c.arg(1), followed(int(c.arg(2))))
	},

	unix.SYS_FSTAT:      func(c *call) bool { return c.nativeFD(c.fd(0)) },
	unix.SYS_NEWFSTATAT: func(c *call) bool { return c.nativeAt(c.fd(0), c.arg(1), int(c.arg(3))) },
	unix.SYS_STATX:      func(c *call) bool { return c.nativeAt(c.fd(0), c.arg(1), int(c.arg(2))) },
	unix.SYS_FACCESSAT:  func(c *call) bool { return c.nativePath(c.fd(0), c.arg(1), true) },
	unix.SYS_FACCESSAT2: func(c *call) bool { return c.nativeAt(c.fd(0), c.arg(1), int(c.arg(3))) },
	unix.SYS_READLINKAT: func(c *call) bool {
		return c.nativeAt(c.fd(0), c.arg(1), unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW)
	},
	unix.SYS_STATFS:  nativeFollowed,
	unix.SYS_FSTATFS: func(c *call) bool { return c.nativeFD(c.fd(0)) && c.mountedPath(c.fd(0)) == "" },
	unix.SYS_CHDIR:   nativeFollowed,
	unix.SYS_GETCWD: func(c *call) bool {
		link := c.baseLink(unix.AT_FDCWD)
		return len(link) > 0 && c.foreign(link)
	},

	unix.SYS_FCHMOD:   func(c *call) bool { return c.nativeFD(c.fd(0)) },
	unix.SYS_FCHMODAT: func(c *call) bool { return c.nativePath(c.fd(0), c.arg(1), true) },
	unix.SYS_FCHOWN:   func(c *call) bool { return c.nativeFD(c.fd(0)) },
	unix.SYS_FCHOWNAT: func(c *call) bool { return c.nativeAt(c.fd(0), c.arg(1), int(c.arg(4))) },
	unix.SYS_TRUNCATE: nativeFollowed,

	unix.SYS_GETXATTR:   nativeFollowed,
	unix.SYS_LGETXATTR:  nativeNotFollowed,
	unix.SYS_LISTXATTR:  nativeFollowed,
	unix.SYS_LLISTXATTR: nativeNotFollowed,

	unix.SYS_MKNODAT:   func(c *call) bool { return c.nativeNew(c.fd(0), c.arg(1)) },
	unix.SYS_RENAMEAT:  nativeMoveAt,
	unix.SYS_RENAMEAT2: nativeMoveAt,
	unix.SYS_MKDIRAT:   func(c *call) bool { return c.nativeNew(c.fd(0), c.arg(1)) },
	unix.SYS_UNLINKAT:  func(c *call) bool { return c.nativePath(c.fd(0), c.arg(1), false) },
	unix.SYS_SYMLINKAT: func(c *call) bool { return c.nativeNew(c.fd(1), c.arg(2)) },
}

// nativeFollowed and nativeNotFollowed check calls whose first argument is the
// path.
func nativeFollowed(c *call) bool    { return c.nativePath(unix.AT_FDCWD, c.arg(0), true) }
func nativeNotFollowed(c *call) bool { return c.nativePath(unix.AT_FDCWD, c.arg(0), false) }

// nativeMove and nativeMoveAt check calls with an old and a new path.
func nativeMove(c *call) bool {
	return c.nativePath(unix.AT_FDCWD, c.arg(0), false) && c.nativeNew(unix.AT_FDCWD, c.arg(1))
}

func nativeMoveAt(c *call) bool {
	return c.nativePath(c.fd(0), c.arg(1), false) && c.nativeNew(c.fd(2), c.arg(3))
}

// followed reports whether an open with flags follows a link at the end.
func followed(flags int) bool {
	return flags&unix.O_NOFOLLOW == 0 && flags&(unix.O_CREAT|unix.O_EXCL) != unix.O_CREAT|unix.O_EXCL
}
