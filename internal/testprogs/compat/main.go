// Command compat is a client of a card that tests build for 32-bit programs too.
// Its structures are those of a C program, so some have another layout there. It
// uses the card /dev/dri/card0. It prints "unplug" when that is to be unplugged,
// and exits with status 1 if a result is wrong. With the argument "start" it only
// shows that the machine runs it.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// is32 says that this is a 32-bit program.
const is32 = unsafe.Sizeof(uintptr(0)) == 4

func main() {
	runtime.LockOSThread()
	if len(os.Args) > 1 && os.Args[1] == "start" {
		return
	}
	const path = "/dev/dri/card0"
	monitor := listen()
	card := must(kmsclient.Open(path))
	requests(card)
	display := must(card.Display())
	buffers(card)
	flips(card, display)
	prime(card)
	files(path, card.FD)
	names(path)
	attribute()
	unplug(card, monitor)
}

func failf(format string, args ...any) {
	_, file, line, _ := runtime.Caller(2)
	fmt.Printf("%s:%d: %s\n", file, line, fmt.Sprintf(format, args...))
	os.Exit(1)
}

func must[T any](v T, err error) T {
	if err != nil {
		failf("%v", err)
	}
	return v
}

func check(err error) {
	if err != nil {
		failf("%v", err)
	}
}

func want[T comparable](what string, got, want T) {
	if got != want {
		failf("%s: %v, want %v", what, got, want)
	}
}

// wantError checks that a call failed with an errno.
func wantError(what string, err error, errno unix.Errno) {
	if !errors.Is(err, errno) {
		failf("%s: %v, want %v", what, err, errno)
	}
}

// requests sends the requests whose structures have pointers or longs.
func requests(card *kmsclient.Card) {
	name := make([]byte, 16)
	var pin runtime.Pinner
	defer pin.Unpin()
	at := func(b []byte) uintptr { return uintptr(kmsclient.Address(&pin, b)) }
	v := version{NameLen: uintptr(len(name)), Name: at(name)}
	check(ioctl(card.FD, 0x00, &v))
	want("VERSION: the driver", string(name[:v.NameLen]), "vkms")
	want("VERSION: the major version", v.Major, 1)

	id := make([]byte, 64)
	u := unique{Len: uintptr(len(id)), Name: at(id)}
	check(ioctl(card.FD, 0x01, &u))

	c := client{}
	check(ioctl(card.FD, 0x05, &c))
	want("GET_CLIENT: PID", int(c.PID), os.Getpid())

	s := stats{Count: 99}
	check(ioctlDir(card.FD, 2, 0x06, &s))
	want("GET_STATS", s, stats{})

	wantError("VERSION at a wrong address", kmsclient.IoctlAt(card.FD, request(3, 0x00, unsafe.Sizeof(v)), 8), unix.EFAULT)
	v.Name = 8
	v.NameLen = 4
	wantError("VERSION with a wrong pointer", ioctl(card.FD, 0x00, &v), unix.EFAULT)
}

// buffers makes framebuffers with modifiers.
func buffers(card *kmsclient.Card) {
	dumb := must(card.CreateDumb(64, 32, 32))
	fb := fbCmd2{Width: 64, Height: 32, Format: uapi.FormatXRGB8888, Flags: uapi.ModeFBModifiers}
	fb.Handles[0], fb.Pitches[0] = dumb.Handle, dumb.Pitch
	check(ioctl(card.FD, 0xb8, &fb))
	if fb.ID == 0 {
		failf("ADDFB2 returned no framebuffer")
	}
	fb.Modifiers[0] = 1<<56 | 1
	wantError("ADDFB2 with a modifier that vkms lacks", ioctl(card.FD, 0xb8, &fb), unix.EINVAL)
	fb.Modifiers = [4]uint64{1: 1}
	wantError("ADDFB2 with a modifier of a plane that is not used", ioctl(card.FD, 0xb8, &fb), unix.EINVAL)
}

// flips shows buffers, and reads the events.
func flips(card *kmsclient.Card, display *kmsclient.Display) {
	first := must(card.NewBuffer(int(display.Mode.HDisplay), int(display.Mode.VDisplay)))
	second := must(card.NewBuffer(int(display.Mode.HDisplay), int(display.Mode.VDisplay)))
	for y := range first.Height {
		copy(first.Row(y), "drawn")
	}
	again := must(card.Mmap(first.Offset, len(first.Pixels)))
	want("the pixels", string(again[:5]), "drawn")
	check(card.SetCRTC(display, first.FB, display.Mode))

	check(card.PageFlip(display.CRTC, second.FB, 1<<40|7))
	want("the data of a flip", event(card).UserData, 1<<40|7)

	check(card.SetClientCap(uapi.ClientCapAtomic, 1))
	plane := must(card.FindPlane(display, uapi.PlaneTypePrimary))
	check(card.Commit(uapi.ModePageFlipEvent|uapi.ModeAtomicNonblock,
		kmsclient.Set{Object: plane, ObjectType: uapi.ModeObjectPlane, Property: "FB_ID", Value: uint64(first.FB)}))
	want("the CRTC of a commit", event(card).CRTCID, display.CRTC)

	w := waitVblank{Type: uapi.VblankRelative, Sequence: 1}
	check(ioctl(card.FD, 0x3a, &w))
	if w.Value == 0 || w.USec >= 1e6 {
		failf("WAIT_VBLANK: the time is %d s and %d µs", w.Value, w.USec)
	}
}

// event waits for an event, and reads it.
func event(card *kmsclient.Card) uapi.EventVblank {
	events := must(card.ReadEvents(time.Minute))
	want("events", len(events), 1)
	return events[0]
}

// prime uses a dma-buf.
func prime(card *kmsclient.Card) {
	buffer := must(card.NewBuffer(64, 64))
	fd := int(must(card.Export(buffer.Handle, uapi.Cloexec|uapi.RDWR)))
	size := must(unix.Seek(fd, 0, unix.SEEK_END))
	want("the size of the dma-buf", size, int64(len(buffer.Pixels)))
	pixels := must(unix.Mmap(fd, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED))
	copy(pixels, "shared")
	want("pixels through the dma-buf", string(buffer.Pixels[:6]), "shared")
	want("the handle of the dma-buf", must(card.Import(int32(fd))), buffer.Handle)
	check(unix.Munmap(pixels))
	check(unix.Close(fd))
}

// files asks what the node and other virtual files are.
func files(path string, fd int) {
	const card = 226 << 8
	var st unix.Stat_t
	for name, call := range map[string]func() error{
		"stat":      func() error { return unix.Stat(path, &st) },
		"lstat":     func() error { return unix.Lstat(path, &st) },
		"fstat":     func() error { return unix.Fstat(fd, &st) },
		"fstatat":   func() error { return unix.Fstatat(unix.AT_FDCWD, path, &st, 0) },
		"over /dev": func() error { return unix.Stat("/dev/dri/../dri/card0", &st) },
	} {
		st = unix.Stat_t{}
		check(call())
		want(name+": st_rdev", uint64(st.Rdev), uint64(card))
		want(name+": st_mode", st.Mode, unix.S_IFCHR|0o660)
		want(name+": st_ino", uint64(st.Ino), must(inode(path)))
	}
	oldStats(path, fd)

	var fs unix.Statfs_t
	check(unix.Statfs("/sys/class/drm/card0", &fs))
	want("statfs: the type", int64(fs.Type), unix.SYSFS_MAGIC)
	check(unix.Fstatfs(fd, &fs))
	want("fstatfs: the length of names", int64(fs.Namelen), 255)

	check(unix.Access(path, unix.R_OK|unix.W_OK))
	wantError("access for execution", unix.Access(path, unix.X_OK), unix.EACCES)
	want("the flags of the node", must(unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0))&unix.O_ACCMODE, unix.O_RDWR)
	link := must(os.Readlink("/sys/class/drm/card0"))
	if !strings.HasSuffix(link, "/drm/card0") {
		failf("/sys/class/drm/card0 leads to %s", link)
	}
	want("the link of the descriptor", must(os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))), path)
	want("the device number", string(must(os.ReadFile("/sys/class/drm/card0/dev"))), "226:0\n")
	var found []string
	for _, e := range must(os.ReadDir("/dev/dri")) {
		found = append(found, e.Name())
	}
	if !slices.Contains(found, "card0") {
		failf("/dev/dri has %q", found)
	}
}

// inode returns what statx says.
func inode(path string) (uint64, error) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BASIC_STATS, &st)
	want("statx: the device", st.Rdev_major, 226)
	return st.Ino, err
}

// oldStats makes calls that C libraries of today do not make.
func oldStats(path string, fd int) {
	if !is32 {
		return
	}
	const stat, lstat, fstat, statfs, fstatfs = 106, 107, 108, 99, 100
	at := append([]byte(path), 0)
	for _, nr := range []uintptr{stat, lstat, fstat} {
		var st [16]uint32 // struct stat: dev, ino, mode and nlink of 16 bits, ids, rdev
		check(call(nr, at, fd, nr == fstat, st[:]))
		want(fmt.Sprintf("call %d: the mode", nr), st[2]&0xffff, unix.S_IFCHR|0o660)
		want(fmt.Sprintf("call %d: the device", nr), st[4], 226<<8)
	}
	for _, nr := range []uintptr{statfs, fstatfs} {
		var st [16]uint32
		check(call(nr, at, fd, nr == fstatfs, st[:]))
		want(fmt.Sprintf("call %d: the length of names", nr), st[9], 255)
	}
	// Those of 1995 have fields of 16 bits: dev, ino; mode, nlink; uid, gid; rdev.
	calls := []uintptr{18, 28, 84} // oldstat, oldfstat, oldlstat
	if os.Getenv("UDRM_FILES") == "mounts" {
		calls = calls[:2] // the last is the kernel's own
	}
	for _, nr := range calls {
		st := make([]uint32, 8)
		check(call(nr, at, fd, nr == 28, st))
		want(fmt.Sprintf("call %d: the mode", nr), st[1]&0xffff, unix.S_IFCHR|0o660)
		want(fmt.Sprintf("call %d: the device", nr), st[3], 226<<8)
		if st[0]>>16 == 0 {
			failf("call %d: no inode number", nr)
		}
	}
	null := append([]byte("/dev/null"), 0)
	st := make([]uint32, 8)
	check(call(18, null, fd, false, st))
	want("oldstat of a real file: the device", st[3], 1<<8|3)
}

// names uses paths that lead through virtual directories, also to real files.
func names(path string) {
	const null = "/dev/dri/../null"
	var st, real unix.Stat_t
	check(unix.Stat(null, &st))
	check(unix.Stat("/dev/null", &real))
	want("a real file behind a virtual directory", st, real)
	check(unix.Lstat(null, &st))
	check(unix.Access(null, unix.W_OK))
	check(unix.Close(must(unix.Open(null, unix.O_RDWR|unix.O_CLOEXEC, 0))))
	var fs, realFS unix.Statfs_t
	check(unix.Statfs(null, &fs))
	check(unix.Statfs("/dev/null", &realFS))
	want("the file system of that file", fs.Type, realFS.Type)
	_, err := os.Readlink(null)
	wantError("readlink of that file", err, unix.EINVAL)
	_, err = unix.Getxattr(null, "user.udrm", nil)
	if !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.EOPNOTSUPP) {
		failf("getxattr of that file: %v", err)
	}
	wantError("truncate of a node", unix.Truncate(path, 1<<33), unix.EINVAL)
	_, err = unix.Getxattr(path, "user.udrm", nil)
	wantError("getxattr of a node", err, unix.ENODATA)
	if getxattrat("/etc/passwd", "user.udrm") != unix.ENOSYS {
		wantError("getxattrat of a node", getxattrat(path, "user.udrm"), unix.ENODATA)
	}
	if err := unix.Mkdir("/sys/class/drm/new", 0o777); err != unix.EPERM && err != unix.EACCES {
		failf("mkdir: %v, want EPERM or EACCES", err)
	}
	wantError("rename", unix.Rename(path, "/sys/class/drm/new"), unix.EXDEV)
	wantError("unlink of a file that is not there", unix.Unlink("/dev/dri/card9"), unix.ENOENT)

	check(unix.Chdir("/sys/class/drm"))
	want("the working directory", must(unix.Getwd()), "/sys/class/drm")
	want("a path from there", string(must(os.ReadFile("card0/dev"))), "226:0\n")
	check(unix.Chdir("/"))

	then := []unix.Timespec{unix.NsecToTimespec(1e18), unix.NsecToTimespec(1.1e18)}
	err = unix.UtimesNanoAt(unix.AT_FDCWD, path, then, 0)
	if os.Getuid() != 0 {
		wantError("times of another user's file", err, unix.EPERM)
		return
	}
	check(err)
	check(unix.Stat(path, &st))
	want("the time of a change", st.Mtim, then[1])
	check(unix.Utimes(path, []unix.Timeval{unix.NsecToTimeval(1.2e18), unix.NsecToTimeval(1.3e18)}))
	check(unix.Stat(path, &st))
	want("the time of another change", st.Mtim, unix.NsecToTimespec(1.3e18))
	check(unix.Chmod(path, 0o600))
	check(unix.Chown(path, -1, -1))
	check(unix.Stat(path, &st))
	want("the changed mode", st.Mode, unix.S_IFCHR|0o600)
	check(unix.Chmod(path, 0o660))
}

// attribute writes to a virtual file.
func attribute() {
	const status = "/sys/class/drm/card0-Virtual-1/status"
	check(os.WriteFile(status, []byte("off\n"), 0))
	want("the forced status", string(must(os.ReadFile(status))), "disconnected\n")
	check(os.WriteFile(status, []byte("detect\n"), 0))
	fd := must(unix.Open(status, unix.O_WRONLY|unix.O_CLOEXEC, 0))
	_, err := unix.Writev(fd, [][]byte{[]byte("bo"), []byte("gus\n")})
	wantError("a wrong status", err, unix.EINVAL)
	check(unix.Close(fd))
}

// listen returns a socket that hears the kernel's uevents.
func listen() int {
	fd := must(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT))
	check(unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}))
	return fd
}

// unplug waits until the card is unplugged.
func unplug(card *kmsclient.Card, monitor int) {
	fmt.Println("unplug")
	for buf := make([]byte, 4096); ; {
		n, err := unix.Read(monitor, buf)
		if err == unix.EINTR {
			continue
		}
		check(err)
		if text := string(buf[:n]); strings.HasPrefix(text, "remove@") && strings.Contains(text, "/drm/card0\x00") {
			break
		}
	}
	_, err := card.Resources()
	wantError("GETRESOURCES after the unplug", err, unix.ENODEV)
	v := version{}
	wantError("VERSION after the unplug", ioctl(card.FD, 0x00, &v), unix.ENODEV)
	_, err = os.Lstat(card.Path)
	wantError("the node after the unplug", err, unix.ENOENT)
}
