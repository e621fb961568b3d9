package thread

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// FD reads the link /proc/TID/fd/N into buf: the path of the open file, or
// "pipe:[INODE]" and the like. ENOENT when the descriptor is not open. It
// allocates nothing.
func (t ID) FD(fd int, buf []byte) ([]byte, error) {
	var path [64]byte
	p := append(path[:0], "/proc/"...)
	p = strconv.AppendInt(p, int64(t), 10)
	p = append(p, "/fd/"...)
	p = strconv.AppendInt(p, int64(fd), 10)
	p = append(p, 0)
	n, err := readlink(unix.AT_FDCWD, p, buf)
	return buf[:n], err
}

// CWD reads the link /proc/TID/cwd into buf: the working directory.
func (t ID) CWD(buf []byte) ([]byte, error) {
	n, err := readlink(unix.AT_FDCWD, []byte(t.path("cwd\x00")), buf)
	return buf[:n], err
}

// RootLink reads the link /proc/TID/root into buf: the root directory of the
// thread, as a path in our root.
func (t ID) RootLink(buf []byte) ([]byte, error) {
	n, err := readlink(unix.AT_FDCWD, []byte(t.path("root\x00")), buf)
	return buf[:n], err
}

// RootPath returns our path of a file that has the given path in the root of the
// thread.
func (t ID) RootPath(path string) string { return t.path("root") + path }

// CWDPath returns our path of the thread's working directory.
func (t ID) CWDPath() string { return t.path("cwd") }

// FDPath returns the path at which a descriptor of the thread can be opened
// again.
func (t ID) FDPath(fd int32) string { return t.path("fd/" + strconv.Itoa(int(fd))) }

func (t ID) path(name string) string { return "/proc/" + strconv.Itoa(int(t)) + "/" + name }

// readFile reads a file of /proc/TID that the kernel makes as a whole: not a
// list. [os.ReadFile] makes four times as many system calls.
func (t ID) readFile(name string) ([]byte, error) {
	fd, err := unix.Open(t.path(name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	text := make([]byte, 0, os.Getpagesize())
	for {
		n, err := unix.Read(fd, text[len(text):cap(text)])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, err
		}
		// The kernel fills the buffer as long as there is more.
		if text = text[:len(text)+n]; n == 0 || len(text) < cap(text) {
			return text, nil
		}
		text = slices.Grow(text, len(text))
	}
}

// HasSignal reports whether a signal is pending that the thread does not block.
// A signal for the whole process counts, though another thread may take it.
func (t ID) HasSignal() bool {
	text, err := t.readFile("status")
	if err != nil {
		return true
	}
	var pending, blocked uint64
	for line := range bytes.Lines(text) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		switch string(key) {
		case "SigPnd", "ShdPnd":
			pending |= parseMask(value)
		case "SigBlk":
			blocked = parseMask(value)
		}
	}
	return pending&^blocked != 0
}

func parseMask(text []byte) uint64 {
	mask, _ := strconv.ParseUint(string(bytes.TrimSpace(text)), 16, 64)
	return mask
}

// StatFD returns the identity and type of an open file of the thread. EBADF when the
// descriptor is not open. EBADF also for an O_PATH descriptor of a character device: any
// user can make one of a device that they may not open.
func (t ID) StatFD(fd int32, st *unix.Stat_t) error {
	switch err := statCached(unix.AT_FDCWD, t.FDPath(fd), 0, st); {
	case err == unix.ENOENT:
		return unix.EBADF
	case err != nil:
		return err
	case st.Mode&unix.S_IFMT == unix.S_IFCHR && !t.isOpen(fd, st):
		return unix.EBADF
	}
	return nil
}

// isOpen reports whether a descriptor refers to the file with this status, and
// not with O_PATH. The program may replace it at any time, so everything read
// about it must be of the same file.
func (t ID) isOpen(fd int32, st *unix.Stat_t) bool {
	var stx unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, t.FDPath(fd), unix.AT_STATX_DONT_SYNC, unix.STATX_INO|unix.STATX_MNT_ID, &stx)
	if err != nil || stx.Ino != st.Ino || unix.Mkdev(stx.Dev_major, stx.Dev_minor) != st.Dev {
		return false
	}
	info, err := t.fdInfo(int(fd))
	return err == nil && info.flags&unix.O_PATH == 0 && info.mount == stx.Mnt_id && info.inode == stx.Ino
}

// Links of /proc to files without a path.
const (
	EventFD = "anon_inode:[eventfd]"
	Inotify = "anon_inode:inotify"
)

// DupFD returns another descriptor of an open file of the thread, whose link in
// /proc must be the given one. EBADF when the descriptor is not open; EINVAL
// when it is something else; EPERM when the kernel or a container's profile
// forbids it.
//
// To close a file of FUSE can take for ever, and a program can replace its
// descriptor at any time. What turns out to be another file is left open.
func (t ID) DupFD(fd int, link string) (int, error) {
	var buf [64]byte
	switch text, err := t.FD(fd, buf[:]); {
	case err != nil:
		return -1, unix.EBADF
	case string(text) != link:
		return -1, unix.EINVAL
	case strays.Load() >= maxStrays:
		return -1, unix.EMFILE
	}
	dup, err := t.dupFD(fd)
	if err != nil {
		return -1, err
	}
	n, err := unix.Readlink("/proc/self/fd/"+strconv.Itoa(dup), buf[:])
	if err != nil || string(buf[:n]) != link {
		strays.Add(1)
		return -1, unix.EINVAL
	}
	return dup, nil
}

// DupMemfd is DupFD for a memfd. EINVAL when the descriptor is something else.
func (t ID) DupMemfd(fd int) (int, error) {
	var buf [unix.PathMax]byte
	switch text, err := t.FD(fd, buf[:]); {
	case err != nil:
		return -1, unix.EBADF
	case !bytes.HasPrefix(text, []byte("/memfd:")): // a file can be called so as well
		return -1, unix.EINVAL
	case strays.Load() >= maxStrays:
		return -1, unix.EMFILE
	}
	dup, err := t.dupFD(fd)
	if err != nil {
		return -1, err
	}
	// Only files in memory have seals. To ask for them waits for nothing.
	if _, err := unix.FcntlInt(uintptr(dup), unix.F_GET_SEALS, 0); err != nil {
		strays.Add(1)
		return -1, unix.EINVAL
	}
	return dup, nil
}

// strays counts the descriptors that DupFD and DupMemfd have left open.
var strays atomic.Int32

const maxStrays = 64

func (t ID) dupFD(fd int) (int, error) {
	process, err := t.Process()
	if err != nil {
		return -1, err
	}
	pidfd, err := unix.PidfdOpen(process, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(pidfd)
	return unix.PidfdGetfd(pidfd, fd, 0)
}

// Process returns the thread's process.
func (t ID) Process() (int, error) {
	text, err := t.readFile("status")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte("Tgid:")); ok {
			return strconv.Atoi(string(bytes.TrimSpace(value)))
		}
	}
	return 0, unix.ESRCH
}

// FDFlags returns the flags of an open file, as those of open(2).
func (t ID) FDFlags(fd int) (int, error) {
	info, err := t.fdInfo(fd)
	return info.flags, err
}

// PathOnly reports whether a descriptor was opened with O_PATH, which gives no access
// to the file: the kernel refuses requests on it. It also reports true if the
// descriptor is not open.
//
// The mode of the link in /proc tells what the descriptor is open for. A look at it
// takes no descriptor, of which none may be left.
func (t ID) PathOnly(fd int32) bool {
	var st unix.Stat_t
	return unix.Lstat(t.FDPath(fd), &st) != nil || st.Mode&(unix.S_IRUSR|unix.S_IWUSR) == 0
}

// An fdInfo is the content of /proc/PID/fdinfo/N at one moment.
type fdInfo struct {
	flags        int // as of open(2)
	mount, inode uint64
}

// fdInfo reads it. EBADF when the descriptor is not open; EMFILE, ENFILE or ENOMEM
// when this process cannot open the file.
func (t ID) fdInfo(fd int) (info fdInfo, err error) {
	text, err := t.readFile("fdinfo/" + strconv.Itoa(fd))
	switch {
	case err == unix.EMFILE || err == unix.ENFILE || err == unix.ENOMEM:
		return fdInfo{}, err
	case err != nil:
		return fdInfo{}, unix.EBADF
	}
	return parseFDInfo(text)
}

// parseFDInfo takes an fdInfo from the lines with which each such file begins.
func parseFDInfo(text []byte) (info fdInfo, err error) {
	flags, err := infoField(text, "flags:\t", 8)
	if err == nil {
		info.mount, err = infoField(text, "mnt_id:\t", 10)
	}
	if err == nil {
		info.inode, err = infoField(text, "ino:\t", 10)
	}
	info.flags = int(flags)
	return info, err
}

func infoField(text []byte, key string, base int) (uint64, error) {
	_, rest, found := bytes.Cut(text, []byte(key))
	if !found {
		return 0, unix.EBADF
	}
	number, _, _ := bytes.Cut(rest, []byte("\n"))
	return strconv.ParseUint(string(number), base, 64)
}
