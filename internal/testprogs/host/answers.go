package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// answers makes the calls of the file interface on a node, on its directory, on a
// file of sysfs, on the directory of a class, and on a link in that. It prints a
// line for each call and what came of it, so that the lines of a kernel's files and
// of virtual ones can be compared. The last argument is a file that it can make.
func answers(args []string) {
	node, attribute, link, scratch := args[0], args[1], args[2], args[3]
	for _, t := range []target{
		{"node", node}, {"directory", path.Dir(node)}, {"attribute", attribute}, {"class", path.Dir(link)}, {"link", link},
	} {
		t.statuses()
		t.permissions()
		t.opens()
		t.pathDescriptor()
		t.attributes()
		t.changes()
		t.watches()
	}
	for _, dir := range []target{{"directory", path.Dir(node)}, {"class", path.Dir(link)}} {
		dir.listing()
		dir.names(scratch)
	}
	target{"attribute", attribute}.content(scratch)
	target{"attribute", attribute}.refusals(scratch)
}

// A target is a file, and its name in the answers.
type target struct{ name, path string }

// say prints the result of a call.
func (t target) say(what string, err error, values ...any) {
	answer := "ok"
	if err != nil {
		answer = unix.ErrnoName(err.(unix.Errno))
		values = nil
	}
	fmt.Printf("%s, %s: %s\n", t.name, what, strings.TrimSpace(answer+" "+fmt.Sprintln(values...)))
}

func (t target) statuses() {
	var st, lst, fst unix.Stat_t
	t.say("stat", unix.Stat(t.path, &st), fmt.Sprintf("%o", st.Mode&unix.S_IFMT), st.Blksize, st.Blocks)
	t.say("lstat", unix.Lstat(t.path, &lst), fmt.Sprintf("%o", lst.Mode&unix.S_IFMT), lst.Ino == st.Ino)
	var stx unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, t.path, 0, unix.STATX_BASIC_STATS, &stx)
	t.say("statx", err, fmt.Sprintf("%o", stx.Mode&unix.S_IFMT), stx.Ino == st.Ino, stx.Mask&unix.STATX_BASIC_STATS == unix.STATX_BASIC_STATS)
	t.say("statx with wrong flags", unix.Statx(unix.AT_FDCWD, t.path, 1<<20, 0, &stx))
	t.say("stat with /", unix.Stat(t.path+"/", &fst))
	var fs unix.Statfs_t
	t.say("statfs", unix.Statfs(t.path, &fs), fmt.Sprintf("%#x", fs.Type), fs.Bsize, fs.Namelen)
	buf := make([]byte, 256)
	n, err := unix.Readlink(t.path, buf)
	t.say("readlink", err, n > 0)
	_, err = unix.Readlink(t.path, nil)
	t.say("readlink into nothing", err)
}

func (t target) permissions() {
	for _, mode := range []uint32{unix.F_OK, unix.R_OK, unix.W_OK, unix.X_OK, 8} {
		t.say(fmt.Sprintf("access %d", mode), unix.Access(t.path, mode))
		t.say(fmt.Sprintf("faccessat2 %d", mode), unix.Faccessat(unix.AT_FDCWD, t.path, mode, unix.AT_EACCESS))
	}
	t.say("faccessat2 with wrong flags", unix.Faccessat2(unix.AT_FDCWD, t.path, unix.R_OK, 1<<20))
}

var openFlags = []struct {
	name  string
	flags int
}{
	{"O_RDONLY", unix.O_RDONLY},
	{"O_PATH", unix.O_PATH},
	{"O_PATH|O_NOFOLLOW", unix.O_PATH | unix.O_NOFOLLOW},
	{"O_PATH|O_DIRECTORY", unix.O_PATH | unix.O_DIRECTORY},
	{"O_PATH|O_CREAT", unix.O_PATH | unix.O_CREAT},
	{"O_DIRECTORY", unix.O_DIRECTORY},
	{"O_DIRECTORY|O_NOFOLLOW", unix.O_DIRECTORY | unix.O_NOFOLLOW},
	{"O_DIRECTORY|O_RDWR", unix.O_DIRECTORY | unix.O_RDWR},
	{"O_DIRECTORY|O_CREAT", unix.O_DIRECTORY | unix.O_CREAT},
	{"O_NOFOLLOW", unix.O_NOFOLLOW},
	{"O_CREAT|O_EXCL", unix.O_CREAT | unix.O_EXCL},
	{"O_CREAT|O_EXCL|O_RDWR", unix.O_CREAT | unix.O_EXCL | unix.O_RDWR},
	{"O_TMPFILE|O_RDWR", unix.O_TMPFILE | unix.O_RDWR},
	{"O_TMPFILE", unix.O_TMPFILE},
	{"O_RDONLY|O_CREAT", unix.O_CREAT},
	{"O_RDONLY|O_APPEND", unix.O_APPEND},
	{"O_RDONLY|O_NOATIME", unix.O_NOATIME},
	{"O_RDONLY|O_DIRECT", unix.O_DIRECT},
	{"O_RDONLY|O_NONBLOCK", unix.O_NONBLOCK},
	{"O_RDONLY|O_SYNC", unix.O_SYNC},
}

func (t target) opens() {
	for _, f := range openFlags {
		fd, err := unix.Open(t.path, f.flags|unix.O_CLOEXEC, 0o600)
		flags := -1
		if err == nil {
			flags = must(unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0))
			check(unix.Close(fd))
		}
		t.say("open "+f.name, err, fmt.Sprintf("%#o", flags))
		if t.name == "attribute" || t.name == "node" {
			fd, err = unix.Open(t.path+"/", f.flags|unix.O_CLOEXEC, 0o600)
			if err == nil {
				check(unix.Close(fd))
			}
			t.say("open with /, "+f.name, err)
		}
	}
}

// pathDescriptor makes the calls that O_PATH descriptors refuse, and those that
// they do not.
func (t target) pathDescriptor() {
	fd, err := unix.Open(t.path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	t.say("O_PATH", err)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	var st, named unix.Stat_t
	check(unix.Lstat(t.path, &named))
	t.say("O_PATH, fstat", unix.Fstat(fd, &st), st.Ino == named.Ino, st.Mode == named.Mode, st.Dev == named.Dev)
	t.say("O_PATH, link of /proc", nil, fdLink(fd) == t.path)
	buf := make([]byte, 16)
	_, err = unix.Read(fd, buf)
	t.say("O_PATH, read", err)
	_, err = unix.Pread(fd, buf, 0)
	t.say("O_PATH, pread", err)
	_, err = unix.Write(fd, buf)
	t.say("O_PATH, write", err)
	_, err = unix.Seek(fd, 0, unix.SEEK_CUR)
	t.say("O_PATH, lseek", err)
	_, err = unix.Seek(fd, 0, unix.SEEK_END)
	t.say("O_PATH, lseek to the end", err)
	_, err = unix.Getdents(fd, make([]byte, 4096))
	t.say("O_PATH, getdents64", err)
	_, err = unix.Mmap(fd, 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
	t.say("O_PATH, mmap", err)
	_, err = unix.Mmap(fd, 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE)
	t.say("O_PATH, private mmap", err)
	_, err = unix.IoctlGetInt(fd, 0xc0406400) // VERSION of DRM
	t.say("O_PATH, ioctl of DRM", err)
	_, err = unix.IoctlGetTermios(fd, unix.TCGETS)
	t.say("O_PATH, ioctl of terminals", err)
	_, err = unix.IoctlGetInt(fd, unix.TIOCINQ)
	t.say("O_PATH, FIONREAD", err)
	t.say("O_PATH, fchmod", unix.Fchmod(fd, 0o600))
	t.say("O_PATH, fchown", unix.Fchown(fd, -1, -1))
	t.say("O_PATH, ftruncate", unix.Ftruncate(fd, 0))
	t.say("O_PATH, fsync", unix.Fsync(fd))
	t.say("O_PATH, flock", unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB))
	_, err = unix.Fgetxattr(fd, "user.x", buf)
	t.say("O_PATH, fgetxattr", err)
	_, err = unix.Flistxattr(fd, buf)
	t.say("O_PATH, flistxattr", err)
	t.say("O_PATH, fsetxattr", unix.Fsetxattr(fd, "user.x", nil, 0))
	var fs unix.Statfs_t
	t.say("O_PATH, fstatfs", unix.Fstatfs(fd, &fs), fmt.Sprintf("%#x", fs.Type))
	for _, c := range []struct {
		name string
		cmd  int
		arg  int
	}{
		{"F_GETFD", unix.F_GETFD, 0}, {"F_GETFL", unix.F_GETFL, 0}, {"F_SETFL", unix.F_SETFL, unix.O_NONBLOCK},
		{"F_GETPIPE_SZ", unix.F_GETPIPE_SZ, 0}, {"F_GET_SEALS", unix.F_GET_SEALS, 0}, {"F_ADD_SEALS", unix.F_ADD_SEALS, 1},
		{"F_GETLEASE", unix.F_GETLEASE, 0}, {"F_GETOWN", unix.F_GETOWN, 0},
	} {
		v, err := unix.FcntlInt(uintptr(fd), c.cmd, c.arg)
		t.say("O_PATH, "+c.name, err, fmt.Sprintf("%#o", v))
	}
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 50)
	t.say("O_PATH, F_DUPFD_CLOEXEC", err, dup >= 50)
	check(unix.Close(dup))
	t.say("O_PATH, F_SETLK", unix.FcntlFlock(uintptr(fd), unix.F_SETLK, &unix.Flock_t{Type: unix.F_RDLCK}))
	_, err = unix.Openat(fd, "x", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	t.say("O_PATH, openat below", err)
	_, err = unix.Readlinkat(fd, "", make([]byte, 100))
	t.say("O_PATH, readlinkat", err)
	cwd := openDir(".")
	t.say("O_PATH, fchdir", unix.Fchdir(fd))
	check(unix.Fchdir(cwd))
	check(unix.Close(cwd))
	t.say("O_PATH, faccessat2", unix.Faccessat2(fd, "", unix.R_OK, unix.AT_EMPTY_PATH))
	t.say("O_PATH, fchmodat2", unix.Fchmodat(fd, "", uint32(named.Mode&0o7777), unix.AT_EMPTY_PATH))
	t.say("O_PATH, fchownat", unix.Fchownat(fd, "", -1, -1, unix.AT_EMPTY_PATH))
	epoll := must(unix.EpollCreate1(unix.EPOLL_CLOEXEC))
	t.say("O_PATH, epoll_ctl", unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN}))
	check(unix.Close(epoll))
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	_, err = unix.Poll(polled, 0)
	t.say("O_PATH, poll", err, fmt.Sprintf("%#x", polled[0].Revents))
	dup, err = unix.Dup(fd)
	t.say("O_PATH, dup", err)
	check(unix.Close(dup))
	again, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_PATH|unix.O_CLOEXEC, 0)
	t.say("O_PATH, open again", err)
	if err == nil {
		check(unix.Close(again))
	}
}

// attributes sets, reads and removes extended attributes.
func (t target) attributes() {
	buf := make([]byte, 256)
	for _, follow := range []bool{true, false} {
		get, set, list, remove, l := unix.Getxattr, unix.Setxattr, unix.Listxattr, unix.Removexattr, ""
		if !follow {
			get, set, list, remove, l = unix.Lgetxattr, unix.Lsetxattr, unix.Llistxattr, unix.Lremovexattr, "l"
		}
		for _, name := range []string{"user.x", "trusted.x", "security.x", "system.x", "system.posix_acl_access", "bogus.x", "bogus", "user.", ""} {
			about := fmt.Sprintf("xattr %q", name)
			_, err := get(t.path, name, buf)
			t.say(l+"get"+about, err)
			t.say(l+"remove"+about+" that is missing", remove(t.path, name))
			t.say(l+"set"+about+" for XATTR_REPLACE", set(t.path, name, []byte("value"), unix.XATTR_REPLACE))
			err = set(t.path, name, []byte("value"), unix.XATTR_CREATE)
			t.say(l+"set"+about, err)
			t.say(l+"set"+about+" with wrong flags", set(t.path, name, nil, 0x10))
			if err != nil {
				continue
			}
			t.say(l+"set"+about+" again", set(t.path, name, []byte("value"), unix.XATTR_CREATE))
			n, err := get(t.path, name, buf)
			t.say(l+"get"+about+" that is set", err, string(buf[:max(n, 0)]))
			n, err = get(t.path, name, nil)
			t.say(l+"get"+about+" for its size", err, n)
			_, err = get(t.path, name, buf[:2])
			t.say(l+"get"+about+" without room", err)
			n, err = list(t.path, buf)
			t.say(l+"list"+about, err, bytes.Contains(buf[:max(n, 0)], []byte(name+"\x00")))
			_, err = list(t.path, buf[:2])
			t.say(l+"list"+about+" without room", err)
			t.say(l+"remove"+about, remove(t.path, name))
		}
		n, err := list(t.path, buf)
		t.say(l+"listxattr", err, n)
	}
}

// changes sets the permissions, the owner and the times to what they are.
func (t target) changes() {
	var st unix.Stat_t
	check(unix.Stat(t.path, &st))
	mode := st.Mode & 0o7777
	t.say("chmod", unix.Chmod(t.path, mode))
	t.say("fchmodat2 of the link", unix.Fchmodat(unix.AT_FDCWD, t.path, mode, unix.AT_SYMLINK_NOFOLLOW))
	t.say("chown", unix.Chown(t.path, -1, -1))
	t.say("lchown", unix.Lchown(t.path, -1, -1))
	t.say("utimensat", unix.UtimesNanoAt(unix.AT_FDCWD, t.path, []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Nsec: unix.UTIME_OMIT}}, 0))
	t.say("utimensat of the link", unix.UtimesNanoAt(unix.AT_FDCWD, t.path, []unix.Timespec{{Sec: 5}, {Sec: 6}}, unix.AT_SYMLINK_NOFOLLOW))
	check(unix.Lstat(t.path, &st))
	t.say("the times", nil, st.Atim.Sec, st.Mtim.Sec)
	t.say("utimensat with a wrong time", unix.UtimesNanoAt(unix.AT_FDCWD, t.path, []unix.Timespec{{Nsec: 1e9}, {}}, 0))
	t.say("truncate", unix.Truncate(t.path, 0))
	t.say("truncate to less than nothing", unix.Truncate(t.path, -1))
}

// watches asks for events of the file, and for a handle of it.
func (t target) watches() {
	inotify := must(unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK))
	defer unix.Close(inotify)
	for _, c := range []struct {
		name string
		mask uint32
	}{
		{"IN_ALL_EVENTS", unix.IN_ALL_EVENTS}, {"IN_ONLYDIR", unix.IN_ACCESS | unix.IN_ONLYDIR}, {"no event", 0},
		{"IN_MASK_CREATE", unix.IN_ACCESS | unix.IN_MASK_CREATE}, {"IN_DONT_FOLLOW", unix.IN_ACCESS | unix.IN_DONT_FOLLOW},
		{"IN_MASK_CREATE|IN_MASK_ADD", unix.IN_ACCESS | unix.IN_MASK_CREATE | unix.IN_MASK_ADD},
	} {
		_, err := unix.InotifyAddWatch(inotify, t.path, c.mask)
		t.say("inotify_add_watch, "+c.name, err)
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, t.path, unix.OPEN_TREE_CLOEXEC)
	t.say("open_tree", err)
	if err == nil {
		check(unix.Close(fd))
	}
	_, err = unix.OpenTree(unix.AT_FDCWD, t.path, 1<<20)
	t.say("open_tree with wrong flags", err)
	t.say("chdir", unix.Chdir(t.path))
	wd := must(os.Getwd())
	t.say("getcwd", nil, wd == t.path)
	var st unix.Stat_t
	t.say("stat of .", unix.Stat(".", &st), fmt.Sprintf("%o", st.Mode&unix.S_IFMT))
	t.say("stat of ..", unix.Stat("..", &st), fmt.Sprintf("%o", st.Mode&unix.S_IFMT))
	check(unix.Chdir("/"))
}

// listing reads the directory.
func (t target) listing() {
	fd := must(unix.Open(t.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
	defer unix.Close(fd)
	_, err := unix.Getdents(fd, make([]byte, 8))
	t.say("getdents64 without room", err)
	_, err = unix.Read(fd, make([]byte, 8))
	t.say("read", err)
	buf := make([]byte, 1<<16)
	n, err := unix.Getdents(fd, buf)
	t.say("getdents64", err)
	var names []string
	inodes, types := true, true
	for b := buf[:max(n, 0)]; len(b) > 0; b = b[binary.NativeEndian.Uint16(b[16:]):] {
		name, _, _ := strings.Cut(string(b[19:binary.NativeEndian.Uint16(b[16:])]), "\x00")
		names = append(names, name)
		var st unix.Stat_t
		if name == ".." || unix.Lstat(t.path+"/"+name, &st) != nil {
			continue
		}
		inodes = inodes && st.Ino == binary.NativeEndian.Uint64(b)
		types = types && st.Mode>>12 == uint32(b[18])
	}
	t.say("getdents64, the first names", nil, names[:2])
	t.say("getdents64, the types", nil, types)
	t.say("getdents64, the inodes", nil, inodes)
	n, err = unix.Getdents(fd, buf)
	t.say("getdents64 at the end", err, n)
	_, err = unix.Seek(fd, 0, unix.SEEK_SET)
	t.say("lseek", err)
	n, err = unix.Getdents(fd, buf)
	t.say("getdents64 again", err, n > 0)
	var st, at unix.Stat_t
	check(unix.Fstat(fd, &st))
	check(unix.Stat(t.path, &at))
	t.say("fstat", nil, st.Ino == at.Ino, st.Dev == at.Dev, st.Mode == at.Mode)
	t.say("the links of a directory", nil, st.Nlink > 1, slices.Contains(names, ".."))
	for _, c := range []struct {
		name string
		cmd  int
		arg  int
	}{{"F_SETFL", unix.F_SETFL, unix.O_NONBLOCK}, {"F_GETPIPE_SZ", unix.F_GETPIPE_SZ, 0}, {"F_ADD_SEALS", unix.F_ADD_SEALS, 1}} {
		v, err := unix.FcntlInt(uintptr(fd), c.cmd, c.arg)
		t.say(c.name, err, v)
	}
	_, err = unix.IoctlGetTermios(fd, unix.TCGETS)
	t.say("ioctl of terminals", err)
	t.say("ftruncate", unix.Ftruncate(fd, 0))
}

// names makes and removes names in the directory.
func (t target) names(scratch string) {
	check(os.WriteFile(scratch, nil, 0o600))
	defer os.Remove(scratch)
	missing := t.path + "/missing"
	t.say("unlink of what is missing", unix.Unlink(missing))
	t.say("rmdir of what is missing", unix.Rmdir(missing))
	t.say("unlink of the directory", unix.Unlink(t.path))
	t.say("rmdir of the directory", unix.Rmdir(t.path))
	t.say("mkdir of the directory", unix.Mkdir(t.path, 0o700))
	t.say("mkdir below what is missing", unix.Mkdir(missing+"/x", 0o700))
	t.say("link to another file system", unix.Link(scratch, missing))
	t.say("rename of what is missing", unix.Rename(missing, missing+"2"))
	t.say("symlink to an empty path", unix.Symlink("", missing))
	t.say("mknod of a directory", unix.Mknod(missing, unix.S_IFDIR, 0))
}

// content reads the file in all ways.
func (t target) content(scratch string) {
	open := func() int { return must(unix.Open(t.path, unix.O_RDONLY|unix.O_CLOEXEC, 0)) }
	fd := open()
	defer unix.Close(fd)
	buf := make([]byte, 8192)
	whole, err := unix.Read(fd, buf)
	t.say("read", err, whole > 0)
	n, err := unix.Read(fd, buf)
	t.say("read at the end", err, n)
	n, err = unix.Pread(fd, buf, 1)
	t.say("pread", err, whole-n)
	n, err = unix.Pread(fd, buf, 5000)
	t.say("pread behind the end", err, n)
	_, err = unix.Pread(fd, buf, -1)
	t.say("pread before the start", err)
	for _, c := range []struct {
		name   string
		offset int64
		whence int
	}{
		{"SEEK_SET", 1, unix.SEEK_SET}, {"SEEK_CUR", 1, unix.SEEK_CUR}, {"SEEK_END", 0, unix.SEEK_END}, {"SEEK_END, before", -1, unix.SEEK_END},
		{"SEEK_DATA", 0, unix.SEEK_DATA}, {"SEEK_HOLE", 0, unix.SEEK_HOLE}, {"SEEK_SET, behind", 1 << 40, unix.SEEK_SET},
		{"SEEK_SET, before", -1, unix.SEEK_SET}, {"SEEK_SET, start", 0, unix.SEEK_SET},
	} {
		at, err := unix.Seek(fd, c.offset, c.whence)
		t.say("lseek, "+c.name, err, at)
	}
	n, err = unix.Readv(fd, [][]byte{buf[:1], buf[1:2]})
	t.say("readv", err, n)
	n, err = unix.Preadv2(fd, [][]byte{buf[:1], buf[1:2]}, 0, 0)
	t.say("preadv2", err, n)
	_, err = unix.Mmap(fd, 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
	t.say("mmap", err)
	_, err = unix.Mmap(fd, 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE)
	t.say("private mmap", err)
	_, err = unix.Write(fd, buf[:1])
	t.say("write", err)
	for _, c := range []struct {
		name string
		cmd  int
		arg  int
	}{
		{"F_GETFL", unix.F_GETFL, 0}, {"F_SETFL O_NONBLOCK", unix.F_SETFL, unix.O_NONBLOCK}, {"F_GETFL after it", unix.F_GETFL, 0},
		{"F_SETFL O_APPEND", unix.F_SETFL, unix.O_APPEND}, {"F_SETFL O_DIRECT", unix.F_SETFL, unix.O_DIRECT}, {"F_SETFL", unix.F_SETFL, 0},
		{"F_GETPIPE_SZ", unix.F_GETPIPE_SZ, 0}, {"F_SETPIPE_SZ", unix.F_SETPIPE_SZ, 4096}, {"F_GET_SEALS", unix.F_GET_SEALS, 0},
		{"F_ADD_SEALS", unix.F_ADD_SEALS, 1}, {"F_GETLEASE", unix.F_GETLEASE, 0}, {"F_SETLEASE", unix.F_SETLEASE, unix.F_RDLCK},
		{"F_NOTIFY", unix.F_NOTIFY, 1},
	} {
		v, err := unix.FcntlInt(uintptr(fd), c.cmd, c.arg)
		t.say(c.name, err, fmt.Sprintf("%#o", v))
	}
	_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
	t.say("F_SETLK", unix.FcntlFlock(uintptr(fd), unix.F_SETLK, &unix.Flock_t{Type: unix.F_RDLCK}))
	t.say("F_SETLK for writing", unix.FcntlFlock(uintptr(fd), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}))
	t.say("flock", unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB))
	_, err = unix.IoctlGetTermios(fd, unix.TCGETS)
	t.say("ioctl of terminals", err)
	_, err = unix.IoctlGetInt(fd, 0xc0406400)
	t.say("ioctl of DRM", err)
	v, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	t.say("FIONREAD", err, v)
	_, err = unix.IoctlGetInt(fd, 0x80086601) // FS_IOC_GETFLAGS
	t.say("FS_IOC_GETFLAGS", err)
	t.say("FIONBIO", unix.IoctlSetPointerInt(fd, 0x5421, 0))
	t.say("fallocate", unix.Fallocate(fd, 0, 0, 1))
	t.say("ftruncate", unix.Ftruncate(fd, 0))
	t.say("fsync", unix.Fsync(fd))
	t.say("fdatasync", unix.Fdatasync(fd))
	t.say("fadvise", unix.Fadvise(fd, 0, 0, unix.FADV_SEQUENTIAL))
	var fs unix.Statfs_t
	t.say("fstatfs", unix.Fstatfs(fd, &fs), fmt.Sprintf("%#x", fs.Type))
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT | unix.POLLPRI}}
	_, err = unix.Poll(polled, 0)
	t.say("poll", err, fmt.Sprintf("%#x", polled[0].Revents))
	epoll := must(unix.EpollCreate1(unix.EPOLL_CLOEXEC))
	t.say("epoll_ctl", unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN}))
	check(unix.Close(epoll))
	_, err = unix.Getdents(fd, buf)
	t.say("getdents64", err)
	t.say("fchdir", unix.Fchdir(fd))
	t.say("link of /proc", nil, fdLink(fd) == t.path)

	out := must(unix.Open(scratch, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC, 0o600))
	defer os.Remove(scratch)
	defer unix.Close(out)
	var pipe [2]int
	check(unix.Pipe2(pipe[:], unix.O_CLOEXEC))
	from := open()
	n, err = unix.Sendfile(out, from, nil, 4096)
	t.say("sendfile", err, n == whole)
	at := int64(1)
	n, err = unix.Sendfile(out, from, &at, 4096)
	t.say("sendfile from an offset", err, n == whole-1)
	check(unix.Close(from))
	from = open()
	moved, err := unix.Splice(from, nil, pipe[1], nil, 4096, unix.SPLICE_F_NONBLOCK)
	t.say("splice", err, int(moved) == whole)
	check(unix.Close(from))
	from = open()
	n, err = unix.CopyFileRange(from, nil, out, nil, 4096, 0)
	t.say("copy_file_range", err, n)
	n, err = unix.CopyFileRange(out, new(int64), from, nil, 4096, 0)
	t.say("copy_file_range into it", err, n)
	_, err = unix.Sendfile(from, out, new(int64), 4096)
	t.say("sendfile into it", err)
	check(unix.Close(from))
	check(unix.Close(pipe[0]))
	check(unix.Close(pipe[1]))
}

// refusals tries what sysfs does not allow.
func (t target) refusals(scratch string) {
	check(os.WriteFile(scratch, nil, 0o600))
	defer os.Remove(scratch)
	sibling := path.Dir(t.path) + "/uevent"
	missing := path.Dir(t.path) + "/missing"
	for _, f := range openFlags {
		fd, err := unix.Open(missing, f.flags|unix.O_CLOEXEC, 0o600)
		if err == nil {
			check(unix.Close(fd))
		}
		t.say("missing, open "+f.name, err)
	}
	t.say("unlink", unix.Unlink(t.path))
	t.say("rmdir", unix.Rmdir(t.path))
	t.say("mkdir", unix.Mkdir(t.path, 0o700))
	t.say("mkdir of a new name", unix.Mkdir(missing, 0o700))
	t.say("mknod", unix.Mknod(t.path, unix.S_IFREG, 0))
	t.say("mknod of a new name", unix.Mknod(missing, unix.S_IFREG, 0))
	t.say("symlink", unix.Symlink("x", t.path))
	t.say("symlink of a new name", unix.Symlink("x", missing))
	t.say("link", unix.Link(t.path, sibling))
	t.say("link to a new name", unix.Link(t.path, missing))
	t.say("link to another file system", unix.Link(t.path, scratch+"2"))
	t.say("rename", unix.Rename(t.path, sibling))
	t.say("rename to a new name", unix.Rename(t.path, missing))
	t.say("rename to itself", unix.Rename(t.path, t.path))
	t.say("rename of a missing file", unix.Rename(missing, t.path))
	t.say("rename into another file system", unix.Rename(t.path, scratch+"2"))
	t.say("renameat2 RENAME_EXCHANGE", unix.Renameat2(unix.AT_FDCWD, t.path, unix.AT_FDCWD, sibling, unix.RENAME_EXCHANGE))
	t.say("renameat2 RENAME_NOREPLACE", unix.Renameat2(unix.AT_FDCWD, t.path, unix.AT_FDCWD, sibling, unix.RENAME_NOREPLACE))
	t.say("below", unix.Mkdir(t.path+"/x", 0o700))
}
