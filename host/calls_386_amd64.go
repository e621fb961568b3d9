package host

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/seccomp"
)

// compatIoctl is the number of ioctl for 32-bit programs.
const compatIoctl = 54

// mapCookie marks the mmaps that this process makes a thread of a 32-bit program
// run: flags that the kernel ignores and no program sets together. All arguments
// of that call are in use, and have no upper halves.
const mapCookie = unix.MAP_DENYWRITE | unix.MAP_EXECUTABLE | 0x3e00000

// pageShift is the unit of mmap2's offset.
const pageShift = 12

// compatCalls are the calls of 32-bit programs that are handed over. The numbers
// are those of asm/unistd_32.h.
var compatCalls = []compatCall{
	{nr: compatIoctl, like: unix.SYS_IOCTL},
	{nr: 192, like: unix.SYS_MMAP, adapt: adaptMmap2, conds: [][]seccomp.Cond{
		{{Arg: 5, Op: seccomp.AtLeast, Value: fakeOffsetMin >> pageShift}},
		{
			{Arg: 3, Mask: unix.MAP_SHARED | unix.MAP_ANONYMOUS, Op: seccomp.Equal, Value: unix.MAP_SHARED},
			{Arg: 3, Mask: mapCookie, Op: seccomp.NotEqual, Value: mapCookie},
			{Arg: 5, Op: seccomp.Less, Value: 1 << (32 - pageShift)},
		},
	}},
	{nr: 90, like: unix.SYS_MMAP, adapt: adaptOldMmap, slow: true, conds: [][]seccomp.Cond{nil}},
	{nr: 19, like: unix.SYS_LSEEK},
	{nr: 140, like: unix.SYS_LSEEK, adapt: adaptLlseek, conds: [][]seccomp.Cond{{ // _llseek
		{Arg: 1, Op: seccomp.Equal, Value: 0},
		{Arg: 2, Op: seccomp.Equal, Value: 0},
		{Arg: 4, Op: seccomp.Equal, Value: unix.SEEK_END},
	}}},
	{nr: 3, like: unix.SYS_READ},
	{nr: 168, like: unix.SYS_POLL},
	{nr: 295, like: unix.SYS_OPENAT},
	{nr: 5, like: unix.SYS_OPEN},
	{nr: 8, like: unix.SYS_CREAT},
	{nr: 437, like: unix.SYS_OPENAT2},
	{nr: 108, like: unix.SYS_FSTAT},
	{nr: 197, like: unix.SYS_FSTAT, status: longStatus},      // fstat64
	{nr: 300, like: unix.SYS_NEWFSTATAT, status: longStatus}, // fstatat64
	{nr: 383, like: unix.SYS_STATX},
	{nr: 18, like: unix.SYS_STAT, status: oldStatus},  // oldstat
	{nr: 28, like: unix.SYS_FSTAT, status: oldStatus}, // oldfstat
	{nr: 84, like: unix.SYS_LSTAT, status: oldStatus}, // oldlstat
	{nr: 106, like: unix.SYS_STAT},
	{nr: 195, like: unix.SYS_STAT, status: longStatus}, // stat64
	{nr: 107, like: unix.SYS_LSTAT},
	{nr: 196, like: unix.SYS_LSTAT, status: longStatus}, // lstat64
	{nr: 33, like: unix.SYS_ACCESS},
	{nr: 307, like: unix.SYS_FACCESSAT},
	{nr: 439, like: unix.SYS_FACCESSAT2},
	{nr: 85, like: unix.SYS_READLINK},
	{nr: 305, like: unix.SYS_READLINKAT},
	{nr: 99, like: unix.SYS_STATFS},
	{nr: statfs64, like: unix.SYS_STATFS, adapt: adaptStatfs64, status: longStatus},
	{nr: 100, like: unix.SYS_FSTATFS},
	{nr: fstatfs64, like: unix.SYS_FSTATFS, adapt: adaptStatfs64, status: longStatus},
	{nr: 15, like: unix.SYS_CHMOD},
	{nr: 94, like: unix.SYS_FCHMOD},
	{nr: 306, like: unix.SYS_FCHMODAT},
	{nr: 452, like: unix.SYS_FCHMODAT2},
	{nr: 182, like: unix.SYS_CHOWN, adapt: adaptOwners},
	{nr: 212, like: unix.SYS_CHOWN}, // chown32
	{nr: 16, like: unix.SYS_LCHOWN, adapt: adaptOwners},
	{nr: 198, like: unix.SYS_LCHOWN}, // lchown32
	{nr: 95, like: unix.SYS_FCHOWN, adapt: adaptOwners},
	{nr: 207, like: unix.SYS_FCHOWN}, // fchown32
	{nr: 298, like: unix.SYS_FCHOWNAT},
	{nr: 12, like: unix.SYS_CHDIR},
	{nr: 183, like: unix.SYS_GETCWD},
	{nr: 55, like: unix.SYS_FCNTL},
	{nr: 221, like: unix.SYS_FCNTL}, // fcntl64
	{nr: 359, like: unix.SYS_SOCKET},
	{nr: 361, like: unix.SYS_BIND},
	{nr: 102, like: unix.SYS_SOCKET, adapt: adaptSocketcall, slow: true, conds: [][]seccomp.Cond{ // socketcall
		{{Arg: 0, Op: seccomp.Equal, Value: callSocket}},
		{{Arg: 0, Op: seccomp.Equal, Value: callBind}},
	}},
	{nr: 446, like: unix.SYS_LANDLOCK_RESTRICT_SELF},
	{nr: 129, like: unix.SYS_DELETE_MODULE},
	{nr: 229, like: unix.SYS_GETXATTR},
	{nr: 230, like: unix.SYS_LGETXATTR},
	{nr: 232, like: unix.SYS_LISTXATTR},
	{nr: 233, like: unix.SYS_LLISTXATTR},
	{nr: 226, like: unix.SYS_SETXATTR},
	{nr: 227, like: unix.SYS_LSETXATTR},
	{nr: 235, like: unix.SYS_REMOVEXATTR},
	{nr: 236, like: unix.SYS_LREMOVEXATTR},
	{nr: 463, like: unix.SYS_SETXATTRAT},
	{nr: 464, like: unix.SYS_GETXATTRAT},
	{nr: 465, like: unix.SYS_LISTXATTRAT},
	{nr: 466, like: unix.SYS_REMOVEXATTRAT},
	{nr: 341, like: unix.SYS_NAME_TO_HANDLE_AT},
	{nr: 428, like: unix.SYS_OPEN_TREE},
	{nr: 292, like: unix.SYS_INOTIFY_ADD_WATCH},
	{nr: 320, like: unix.SYS_UTIMENSAT},
	{nr: 412, like: unix.SYS_UTIMENSAT, longTime: true}, // utimensat_time64
	{nr: 271, like: unix.SYS_UTIMES},
	{nr: 299, like: unix.SYS_FUTIMESAT},
	{nr: 30, like: unix.SYS_UTIME},
	{nr: 39, like: unix.SYS_MKDIR},
	{nr: 296, like: unix.SYS_MKDIRAT},
	{nr: 40, like: unix.SYS_RMDIR},
	{nr: 10, like: unix.SYS_UNLINK},
	{nr: 301, like: unix.SYS_UNLINKAT},
	{nr: 83, like: unix.SYS_SYMLINK},
	{nr: 304, like: unix.SYS_SYMLINKAT},
	{nr: 14, like: unix.SYS_MKNOD},
	{nr: 297, like: unix.SYS_MKNODAT},
	{nr: 9, like: unix.SYS_LINK},
	{nr: 303, like: unix.SYS_LINKAT},
	{nr: 38, like: unix.SYS_RENAME},
	{nr: 302, like: unix.SYS_RENAMEAT},
	{nr: 353, like: unix.SYS_RENAMEAT2},
	{nr: 468, like: unix.SYS_FILE_GETATTR},
	{nr: 469, like: unix.SYS_FILE_SETATTR},
	{nr: 92, like: unix.SYS_TRUNCATE, adapt: adaptTruncate},
	{nr: truncate64, like: unix.SYS_TRUNCATE, adapt: adaptTruncate},
}

// Numbers that are used more than once.
const (
	truncate64 = 193
	statfs64   = 268
	fstatfs64  = 269
)

// Calls of socketcall(2).
const (
	callSocket = 1
	callBind   = 2
)

// compatCall turns a call that the thread is to run into one of 32-bit programs.
func (c *call) compatCall(nr int, args [6]uint64) (int, [6]uint64) {
	ours := args[0]>>32 == pathCookie || args[5]>>32 == pathCookie
	var length uint64
	switch nr {
	case unix.SYS_MMAP:
		if args[4]>>32 == mmapCookie {
			args[3] = withMapCookie(args[3])
		}
		args[5] >>= pageShift
	case unix.SYS_TRUNCATE:
		length = args[1]
		args[2] = length >> 32
	case unix.SYS_NEWFSTATAT:
		switch c.compat.like {
		case unix.SYS_STAT, unix.SYS_LSTAT:
			args = [6]uint64{args[1], args[2]}
		}
	case unix.SYS_FSTATFS:
		if c.compat.status == longStatus {
			args[1], args[2] = c.made[1], args[1]
		}
	}
	for i := range args {
		args[i] = uint64(uint32(args[i]))
	}
	if ours {
		args[compatCookieArg] = pathCookie
	}
	return c.compatNumber(nr), args
}

// compatNumber returns the number of a call that the thread is to run.
func (c *call) compatNumber(nr int) int {
	switch nr {
	case unix.SYS_NEWFSTATAT:
		switch c.compat.like {
		case unix.SYS_STAT, unix.SYS_LSTAT:
			return int(c.compat.nr)
		}
	case unix.SYS_FSTATFS:
		if c.compat.status == longStatus {
			return fstatfs64
		}
	}
	if number, ok := compatNumbers[nr]; ok {
		return number
	}
	return int(c.compat.nr) // the same call, with other arguments
}

// compatNumbers are the numbers for 32-bit programs of the calls that the host
// makes threads run.
var compatNumbers = map[int]int{
	unix.SYS_CLOSE:             6,
	unix.SYS_FACCESSAT2:        439,
	unix.SYS_FCHDIR:            133,
	unix.SYS_FCHMODAT:          306,
	unix.SYS_FCHOWNAT:          298,
	unix.SYS_FCNTL:             221,
	unix.SYS_FSTATFS:           100,
	unix.SYS_INOTIFY_ADD_WATCH: 292,
	unix.SYS_IOCTL:             compatIoctl,
	unix.SYS_MMAP:              192,
	unix.SYS_MSEAL:             462,
	unix.SYS_MUNMAP:            91,
	unix.SYS_NAME_TO_HANDLE_AT: 341,
	unix.SYS_NEWFSTATAT:        300,
	unix.SYS_OPENAT:            295,
	unix.SYS_OPENAT2:           437,
	unix.SYS_READLINKAT:        305,
	unix.SYS_STATX:             383,
	unix.SYS_TRUNCATE:          truncate64,
	unix.SYS_UTIMENSAT:         412,
}

// withMapCookie adds mapCookie to the flags of an mmap. MAP_SHARED_VALIDATE with
// flags that all kernels know is MAP_SHARED, with which the kernel ignores others.
func withMapCookie(flags uint64) uint64 {
	const known = unix.MAP_SHARED_VALIDATE | unix.MAP_FIXED | unix.MAP_ANONYMOUS | unix.MAP_GROWSDOWN | unix.MAP_DENYWRITE |
		unix.MAP_EXECUTABLE | unix.MAP_LOCKED | unix.MAP_NORESERVE | unix.MAP_POPULATE | unix.MAP_NONBLOCK | unix.MAP_STACK |
		unix.MAP_HUGETLB | unix.MAP_32BIT
	if flags&unix.MAP_TYPE == unix.MAP_SHARED_VALIDATE && flags&^known == 0 {
		flags = flags&^unix.MAP_TYPE | unix.MAP_SHARED
	}
	return flags | mapCookie
}

func adaptMmap2(c *call) bool {
	c.n.Data.Args[5] <<= pageShift
	return true
}

// adaptOldMmap reads struct mmap_arg_struct.
func adaptOldMmap(c *call) bool {
	var b [24]byte
	if c.readMemory(b[:], c.arg(0)) != nil {
		return false
	}
	for i := range c.n.Data.Args {
		c.n.Data.Args[i] = uint64(binary.NativeEndian.Uint32(b[4*i:]))
	}
	return c.arg(5)%pageSize == 0
}

// adaptLlseek joins the halves of an offset. The result goes to memory.
func adaptLlseek(c *call) bool {
	c.n.Data.Args[1], c.n.Data.Args[2] = c.arg(1)<<32|c.arg(2), c.arg(4)
	return true
}

// retOffset answers a seek.
func (c *call) retOffset(at int64) {
	const llseek = 140
	if c.compat == nil || c.compat.nr != llseek {
		c.ret(at)
		return
	}
	c.finish(c.write(c.made[3], binary.NativeEndian.AppendUint64(nil, uint64(at))))
}

// adaptStatfs64 takes away the size of the struct, which stands before it.
func adaptStatfs64(c *call) bool {
	const size = 84
	if c.arg(1) != size {
		return false // EINVAL
	}
	c.n.Data.Args[1] = c.arg(2)
	return true
}

// adaptOwners extends user and group ids of 16 bits.
func adaptOwners(c *call) bool {
	for i := 1; i <= 2; i++ {
		id := uint16(c.arg(i))
		c.n.Data.Args[i] = uint64(id)
		if id == ^uint16(0) { // keep it
			c.n.Data.Args[i] = uint64(^uint32(0))
		}
	}
	return true
}

// adaptTruncate extends a length, or joins its halves.
func adaptTruncate(c *call) bool {
	if c.compat.nr == truncate64 {
		c.n.Data.Args[1] |= c.arg(2) << 32
	} else {
		c.n.Data.Args[1] = uint64(int32(c.arg(1)))
	}
	return true
}

// adaptSocketcall reads the arguments of a call of socketcall(2).
func adaptSocketcall(c *call) bool {
	const count = 3 // of socket and bind
	var b [4 * count]byte
	if c.readMemory(b[:], c.arg(1)) != nil {
		return false
	}
	if c.arg(0) == callBind {
		c.n.Data.NR = unix.SYS_BIND
	}
	for i := range count {
		c.n.Data.Args[i] = uint64(binary.NativeEndian.Uint32(b[4*i:]))
	}
	if c.n.Data.NR == unix.SYS_SOCKET {
		return c.arg(0) == unix.AF_NETLINK && c.arg(2) == unix.NETLINK_KOBJECT_UEVENT
	}
	return c.arg(2) > sizeofFamily
}
