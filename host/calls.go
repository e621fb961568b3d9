package host

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/fence/swsync"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/host/internal/seccomp"
)

// mmapCookie marks the calls that this process makes a thread run: it stands in
// the upper half of mmap's descriptor, which the kernel ignores. See inject.go.
const mmapCookie = 0x7564726d

// pathCookie does the same in the directory of the …at calls on real files. A
// program that sets either gets the kernel's own answer, and nothing else.
const pathCookie = 0x7564726e

// notOurs matches …at calls that the program makes itself.
var notOurs = []seccomp.Cond{{Arg: 0, High: true, Op: seccomp.NotEqual, Value: pathCookie}}

// notOursUnused does the same for calls on paths without a directory. They have
// fewer than six arguments, so the cookie stands in the last register.
var notOursUnused = []seccomp.Cond{{Arg: 5, High: true, Op: seccomp.NotEqual, Value: pathCookie}}

// terminalRequests match the ioctls that change a terminal: TCSETS to TIOCSCTTY,
// TCSETS2 and the like, and some more. They must not reach a dma-buf.
var terminalRequests = [][]seccomp.Cond{
	{
		{Arg: 1, Mask: 0xffff, Op: seccomp.AtLeast, Value: unix.TCSETS},
		{Arg: 1, Mask: 0xffff, Op: seccomp.Less, Value: unix.TIOCSCTTY + 1},
	},
	{
		{Arg: 1, Mask: 0xffff, Op: seccomp.AtLeast, Value: unix.TCSETS2 & 0xffff},
		{Arg: 1, Mask: 0xffff, Op: seccomp.Less, Value: unix.TCSETSF2&0xffff + 1},
	},
	{{Arg: 1, Op: seccomp.Equal, Value: unix.TIOCSTI}},
	{{Arg: 1, Op: seccomp.Equal, Value: unix.TIOCSETD}},
	{{Arg: 1, Op: seccomp.Equal, Value: unix.TIOCVHANGUP}},
	{{Arg: 1, Op: seccomp.Equal, Value: unix.TIOCSLCKTRMIOS}},
	// Those of virtual terminals, which have no size in their number.
	{{Arg: 1, Op: seccomp.Equal, Value: unix.TIOCLINUX}},
	{{Arg: 1, Mask: 0xffffff00, Op: seccomp.Equal, Value: keyboardType << 8}},
	{{Arg: 1, Mask: 0xffffff00, Op: seccomp.Equal, Value: vtType << 8}},
}

// uffdioAPI is UFFDIO_API of linux/userfaultfd.h, and uffdType its type.
const (
	uffdioAPI = 0xc018aa3f
	uffdType  = 0xaa
)

// sizeofFamily is the size of the family with which a socket address begins.
const sizeofFamily = 2

// refusedCalls fail with EPERM, as where kernel.io_uring_disabled is 2. What is
// submitted to an io_uring is no system call, so no filter sees it: an open
// would reach the machine's own files, and nothing could tell which of them is
// a card. Programs that use io_uring have another way for kernels without it.
// The numbers are the same for 32-bit programs.
var refusedCalls = []uint32{unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER}

// sysCalls are the system calls that are handed over, and their handlers. All other
// calls cost nothing more: the kernel caches the numbers that a filter always
// allows.
var sysCalls = slices.Concat(everyCalls, ownCalls)

// everyCalls are those that all architectures have. Frequent calls come first.
var everyCalls = []sysCall{
	{nr: unix.SYS_IOCTL, name: "ioctl", handle: (*call).ioctl, conds: []seccomp.Cond{
		{Arg: 1, Mask: 0xff00, Op: seccomp.Equal, Value: 'd' << 8},
	}},
	{nr: unix.SYS_IOCTL, name: "ioctl", handle: (*call).ioctl, conds: []seccomp.Cond{
		{Arg: 1, Mask: 0xff00, Op: seccomp.Equal, Value: 'b' << 8},
	}},
	{nr: unix.SYS_IOCTL, name: "ioctl", handle: (*call).ioctl, conds: []seccomp.Cond{
		{Arg: 1, Mask: 0xff00, Op: seccomp.Equal, Value: uapi.SyncIOCMagic << 8},
	}},
	{nr: unix.SYS_IOCTL, name: "ioctl", handle: (*call).ioctl, conds: []seccomp.Cond{
		{Arg: 1, Mask: 0xff00, Op: seccomp.Equal, Value: swsync.Magic << 8},
	}},
	{nr: unix.SYS_IOCTL, name: "ioctl", handle: (*call).ioctl, conds: []seccomp.Cond{
		{Arg: 1, Mask: 0xff00, Op: seccomp.Equal, Value: udmabufMagic << 8},
	}},
	{nr: unix.SYS_IOCTL, name: "ioctl", handle: (*call).ioctl, conds: []seccomp.Cond{
		{Arg: 1, Mask: 0xff00, Op: seccomp.Equal, Value: dmaHeapMagic << 8},
	}},
	{nr: unix.SYS_IOCTL, name: "ioctl", handle: (*call).ioctl, conds: []seccomp.Cond{
		{Arg: 1, Mask: 0xff00, Op: seccomp.Equal, Value: fbdevMagic << 8},
	}},
	// The first request to a userfaultfd.
	{nr: unix.SYS_IOCTL, name: "ioctl", handle: (*call).ioctl, conds: []seccomp.Cond{
		{Arg: 1, Op: seccomp.Equal, Value: uffdioAPI},
	}},
	// Mappings at the offsets that package drm hands out.
	{nr: unix.SYS_MMAP, name: "mmap", handle: (*call).mmap, conds: []seccomp.Cond{
		{Arg: 5, High: true, Op: seccomp.AtLeast, Value: fakeOffsetMin >> 32},
		{Arg: 5, High: true, Op: seccomp.Less, Value: fakeOffsetMax >> 32},
		{Arg: 4, High: true, Op: seccomp.NotEqual, Value: mmapCookie},
	}},
	// Shared mappings of files: the descriptor may be a dma-buf. Libraries are
	// mapped privately. No dma-buf has 4 GiB.
	{nr: unix.SYS_MMAP, name: "mmap", handle: (*call).mmap, conds: []seccomp.Cond{
		{Arg: 3, Mask: unix.MAP_SHARED | unix.MAP_ANONYMOUS, Op: seccomp.Equal, Value: unix.MAP_SHARED},
		{Arg: 5, High: true, Op: seccomp.Equal, Value: 0},
		{Arg: 4, High: true, Op: seccomp.NotEqual, Value: mmapCookie},
	}},
	// lseek to the end: the descriptor may be a dma-buf.
	{nr: unix.SYS_LSEEK, name: "lseek", handle: (*call).lseek, conds: []seccomp.Cond{
		{Arg: 1, Op: seccomp.Equal, Value: 0},
		{Arg: 1, High: true, Op: seccomp.Equal, Value: 0},
		{Arg: 2, Op: seccomp.Equal, Value: unix.SEEK_END},
	}},
	// Reads that could tear an event, see read.go.
	{nr: unix.SYS_READ, name: "read", handle: (*call).read, conds: []seccomp.Cond{
		{Arg: 0, Op: seccomp.AtLeast, Value: firstReadFD},
		{Arg: 2, High: true, Op: seccomp.Equal, Value: 0},
		{Arg: 2, Op: seccomp.Less, Value: 8},
	}},
	{nr: unix.SYS_READ, name: "read", handle: (*call).read, conds: []seccomp.Cond{
		{Arg: 0, Op: seccomp.AtLeast, Value: firstReadFD},
		{Arg: 2, High: true, Op: seccomp.Equal, Value: 0},
		{Arg: 2, Op: seccomp.AtLeast, Value: 9},
		{Arg: 2, Op: seccomp.Less, Value: oddReadLimit},
		{Arg: 2, Mask: eventSize - 1, Op: seccomp.NotEqual, Value: 0},
	}},
	{nr: unix.SYS_OPENAT, name: "openat", handle: (*call).openat, conds: notOurs},
	{nr: unix.SYS_OPENAT2, name: "openat2", handle: (*call).openat2, conds: notOurs},
	{nr: unix.SYS_FSTAT, name: "fstat", handle: (*call).fstat},
	{nr: unix.SYS_NEWFSTATAT, name: "newfstatat", handle: (*call).newfstatat, conds: notOurs},
	{nr: unix.SYS_STATX, name: "statx", handle: (*call).statx, conds: notOurs},
	{nr: unix.SYS_FACCESSAT, name: "faccessat", handle: (*call).faccessat},
	{nr: unix.SYS_FACCESSAT2, name: "faccessat2", handle: (*call).faccessat2, conds: notOurs},
	{nr: unix.SYS_READLINKAT, name: "readlinkat", handle: (*call).readlinkat, conds: notOurs},
	{nr: unix.SYS_STATFS, name: "statfs", handle: (*call).statfs},
	{nr: unix.SYS_FSTATFS, name: "fstatfs", handle: (*call).fstatfs, conds: notOurs},
	{nr: unix.SYS_FCHMOD, name: "fchmod", handle: (*call).fchmod},
	{nr: unix.SYS_FCHMODAT, name: "fchmodat", handle: (*call).fchmodat, conds: notOurs},
	{nr: unix.SYS_FCHMODAT2, name: "fchmodat2", handle: (*call).fchmodat2, conds: notOurs},
	{nr: unix.SYS_FCHOWN, name: "fchown", handle: (*call).fchown},
	{nr: unix.SYS_FCHOWNAT, name: "fchownat", handle: (*call).fchownat, conds: notOurs},
	{nr: unix.SYS_CHDIR, name: "chdir", handle: (*call).chdir},
	{nr: unix.SYS_GETCWD, name: "getcwd", handle: (*call).getcwd},
	{nr: unix.SYS_FCNTL, name: "fcntl", handle: (*call).fcntl, conds: []seccomp.Cond{
		{Arg: 1, Op: seccomp.AtLeast, Value: unix.F_GETFL}, {Arg: 1, Op: seccomp.Less, Value: unix.F_SETFL + 1},
	}},
	// Sockets of libudev's monitors.
	{nr: unix.SYS_SOCKET, name: "socket", handle: (*call).socket, conds: []seccomp.Cond{
		{Arg: 0, Op: seccomp.Equal, Value: unix.AF_NETLINK},
		{Arg: 2, Op: seccomp.Equal, Value: unix.NETLINK_KOBJECT_UEVENT},
	}},
	// Those, and Unix sockets: no shorter address has a path.
	{nr: unix.SYS_BIND, name: "bind", handle: (*call).bind, conds: []seccomp.Cond{
		{Arg: 2, Op: seccomp.AtLeast, Value: sizeofFamily + 1},
	}},
	{nr: unix.SYS_LANDLOCK_RESTRICT_SELF, name: "landlock_restrict_self", handle: (*call).restrictSelf},
	{nr: unix.SYS_DELETE_MODULE, name: "delete_module", handle: (*call).deleteModule},
	{nr: unix.SYS_GETXATTR, name: "getxattr", handle: (*call).getxattr, conds: notOursUnused},
	{nr: unix.SYS_LGETXATTR, name: "lgetxattr", handle: (*call).lgetxattr, conds: notOursUnused},
	{nr: unix.SYS_LISTXATTR, name: "listxattr", handle: (*call).listxattr, conds: notOursUnused},
	{nr: unix.SYS_LLISTXATTR, name: "llistxattr", handle: (*call).llistxattr, conds: notOursUnused},
	{nr: unix.SYS_SETXATTR, name: "setxattr", handle: (*call).setxattr, conds: notOursUnused},
	{nr: unix.SYS_LSETXATTR, name: "lsetxattr", handle: (*call).lsetxattr, conds: notOursUnused},
	{nr: unix.SYS_REMOVEXATTR, name: "removexattr", handle: (*call).removexattr, conds: notOursUnused},
	{nr: unix.SYS_LREMOVEXATTR, name: "lremovexattr", handle: (*call).lremovexattr, conds: notOursUnused},
	{nr: unix.SYS_SETXATTRAT, name: "setxattrat", handle: (*call).setxattrat, conds: notOurs},
	{nr: unix.SYS_GETXATTRAT, name: "getxattrat", handle: (*call).getxattrat, conds: notOurs},
	{nr: unix.SYS_LISTXATTRAT, name: "listxattrat", handle: (*call).listxattrat, conds: notOurs},
	{nr: unix.SYS_REMOVEXATTRAT, name: "removexattrat", handle: (*call).removexattrat, conds: notOurs},
	{nr: unix.SYS_NAME_TO_HANDLE_AT, name: "name_to_handle_at", handle: (*call).nameToHandleAt, conds: notOurs},
	{nr: unix.SYS_OPEN_TREE, name: "open_tree", handle: (*call).openTree},
	{nr: unix.SYS_INOTIFY_ADD_WATCH, name: "inotify_add_watch", handle: (*call).inotifyAddWatch, conds: notOursUnused},
	{nr: unix.SYS_UTIMENSAT, name: "utimensat", handle: (*call).utimensat, conds: notOurs},
	{nr: unix.SYS_MKDIRAT, name: "mkdirat", handle: (*call).mkdirat},
	{nr: unix.SYS_UNLINKAT, name: "unlinkat", handle: (*call).unlinkat},
	{nr: unix.SYS_SYMLINKAT, name: "symlinkat", handle: (*call).symlinkat},
	{nr: unix.SYS_MKNODAT, name: "mknodat", handle: (*call).mknodat},
	{nr: unix.SYS_LINKAT, name: "linkat", handle: (*call).linkat},
	{nr: unix.SYS_RENAMEAT, name: "renameat", handle: (*call).renameat},
	{nr: unix.SYS_RENAMEAT2, name: "renameat2", handle: (*call).renameat2},
	{nr: unix.SYS_FILE_GETATTR, name: "file_getattr", handle: (*call).fileGetattr, conds: notOurs},
	{nr: unix.SYS_FILE_SETATTR, name: "file_setattr", handle: (*call).fileSetattr, conds: notOurs},
	{nr: unix.SYS_TRUNCATE, name: "truncate", handle: (*call).truncate, conds: notOursUnused},
}
