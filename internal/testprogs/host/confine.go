package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/internal/kmsclient"
)

// spoof names a memfd like a snapshot of the host and looks for files with it.
func spoof([]string) {
	dir := must(os.MkdirTemp("", "udrm-spoof-"))
	defer os.RemoveAll(dir)
	link := filepath.Join(dir, "link")
	for _, name := range []string{"udrm:" + link, "udrm:/dev/dri", "udrm:/dev/dri/../..", "udrm:/"} {
		memfd := must(unix.MemfdCreate(name, 0))
		for _, target := range []string{"/proc/self/fd/0", "/proc/self/fd/3", "/proc/self/maps", "/etc"} {
			_ = os.Remove(link)
			check(os.Symlink(target, link))
			_, err := unix.Openat(memfd, ".", unix.O_RDONLY|unix.O_NONBLOCK, 0)
			want(err, unix.ENOTDIR, name+" leads to "+target)
		}
		_, err := unix.Openat(memfd, "card0", unix.O_RDWR, 0)
		want(err, unix.ENOTDIR, "card0 in a memfd called "+name)
		var st unix.Stat_t
		check(unix.Fstat(memfd, &st))
		equal(st.Mode&unix.S_IFMT, unix.S_IFREG, "type of a memfd called "+name)
		check(unix.Close(memfd))
	}
}

// chrooted enters a root of its own, with a descriptor of a virtual directory.
func chrooted([]string) {
	jail := must(os.MkdirTemp("", "udrm-jail-"))
	defer os.RemoveAll(jail) // fails in the jail; the test removes it
	dri := must(unix.Open("/dev/dri", unix.O_RDONLY|unix.O_DIRECTORY, 0))
	check(os.WriteFile(filepath.Join(jail, "inside"), nil, 0o644))
	proc := filepath.Join(jail, "proc")
	check(os.Mkdir(proc, 0o755))
	// A container may not let us mount anything.
	check(unix.Unshare(unix.CLONE_FS))
	mounted := unix.Unshare(unix.CLONE_NEWNS) == nil && unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") == nil &&
		unix.Mount("/proc", proc, "", unix.MS_BIND|unix.MS_REC, "") == nil
	if mounted {
		detached(filepath.Join(jail, "gone"))
	}
	node := fmt.Sprintf("/proc/self/fd/%d", must(unix.Open("/dev/dri/card0", unix.O_RDWR, 0)))
	var linkOfCard string
	var card unix.Stat_t
	outside := must(unix.Open("/etc/passwd", unix.O_RDONLY, 0))
	check(unix.Chroot(jail))
	check(unix.Chdir("/"))
	if mounted {
		linkOfCard = must(os.Readlink(node))
		check(unix.Stat(node, &card))
		inside := must(unix.Open("/inside", unix.O_RDONLY, 0))
		for _, fd := range []int{inside, outside} {
			_, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY, 0)
			want(err, 0, "a file by its link in /proc")
		}
		_, err := unix.Open("/proc/self/cwd/inside", unix.O_RDONLY, 0)
		want(err, 0, "a file by the link to the working directory")
		check(unix.Unmount("/proc", unix.MNT_DETACH))
	}
	if !mounted {
		linkOfCard, card.Rdev = "/dev/dri/card0", 226<<8
	}
	check(unix.Rmdir("/proc"))
	_, err := unix.Open("/dev/dri/card0", unix.O_RDWR, 0)
	want(err, unix.ENOENT, "a card in a root without /dev")
	equal(linkOfCard, "/dev/dri/card0", "the link of a card that was opened before")
	equal(card.Rdev, 226<<8, "the device of that link")
	_, err = unix.Openat(dri, "card0", unix.O_RDWR, 0)
	want(err, 0, "a card in a directory that was opened before")
	if filesAreMounts {
		// As on a machine, where a descriptor of a directory outside of the root
		// leads out of it.
		_, err = unix.Openat(dri, "../../etc/passwd", unix.O_RDONLY, 0)
		want(err, 0, "a file outside of the root, from a real directory")
		_, err = unix.Openat(dri, "../../inside", unix.O_RDONLY, 0)
		want(err, unix.ENOENT, "a file in the root, from a real directory")
		check(unix.Unlink("/inside"))
		return
	}
	for _, path := range []string{"../../etc/passwd", "../../proc/self/maps", "../../../root"} {
		_, err = unix.Openat(dri, path, unix.O_RDONLY, 0)
		want(err, unix.ENOENT, path+" out of the root")
	}
	_, err = unix.Openat(dri, "../../inside", unix.O_RDONLY, 0)
	want(err, 0, "a file in the root")
	_, err = unix.Openat(dri, "../../made", unix.O_CREAT|unix.O_WRONLY, 0o600)
	want(err, 0, "a new file in the root")
	check(unix.Unlink("/made"))
	check(unix.Unlink("/inside"))
}

// detached opens a file again whose mount is in no root, as a container runtime
// does after pivot_root.
func detached(dir string) {
	check(os.Mkdir(dir, 0o755))
	check(unix.Mount("none", dir, "tmpfs", 0, ""))
	file := filepath.Join(dir, "only-there", "file")
	check(os.Mkdir(filepath.Dir(file), 0o755))
	check(os.WriteFile(file, []byte("content"), 0o644))
	link := fmt.Sprintf("/proc/self/fd/%d", must(unix.Open(file, unix.O_PATH, 0)))
	check(unix.Unmount(dir, unix.MNT_DETACH))
	check(unix.Rmdir(dir))
	var st unix.Stat_t
	want(unix.Stat(link, &st), 0, "stat of a file whose mount is gone")
	content, err := os.ReadFile(link)
	want(err, 0, "a file whose mount is gone")
	equal(string(content), "content", "its content")
}

// landlocked restricts itself to files below the given directories, and checks
// what it can open then.
func landlocked(args []string) {
	dri := must(unix.Open("/dev/dri", unix.O_RDONLY|unix.O_DIRECTORY, 0))
	node := fmt.Sprintf("/proc/self/fd/%d", must(unix.Open("/dev/dri/card0", unix.O_RDWR, 0)))
	found := fmt.Sprintf("/proc/self/fd/%d", must(unix.Open("/dev/dri/card0", unix.O_PATH, 0)))
	check(restrict(args))
	allowed := func(dir string) unix.Errno {
		for _, a := range args {
			if a == dir {
				return 0
			}
		}
		return unix.EACCES
	}
	dev, sys := allowed("/dev"), allowed("/sys")
	if allowed("/dev/dri") == 0 {
		dev = 0
	}
	open := func(dirfd int, path string, flags int, errno unix.Errno) {
		for range 2 {
			fd, err := unix.Openat(dirfd, path, flags, 0)
			want(err, errno, fmt.Sprintf("opening %s after Landlock allowed %q", path, args))
			if err == nil {
				check(unix.Close(fd))
			}
		}
	}
	open(unix.AT_FDCWD, "/dev/dri/card0", unix.O_RDWR, dev)
	open(unix.AT_FDCWD, "/dev/dri", unix.O_RDONLY|unix.O_DIRECTORY, dev)
	open(unix.AT_FDCWD, "/sys/class/drm/card0/dev", unix.O_RDONLY, sys)
	open(unix.AT_FDCWD, "/sys/class", unix.O_RDONLY|unix.O_DIRECTORY, sys)
	open(dri, "card0", unix.O_RDWR, dev)
	open(unix.AT_FDCWD, node, unix.O_RDWR, dev)
	open(unix.AT_FDCWD, found, unix.O_RDWR, dev)
	open(dri, "../../etc/passwd", unix.O_RDONLY, unix.EACCES)
	open(unix.AT_FDCWD, "/dev/dri/../../etc/passwd", unix.O_RDONLY, unix.EACCES)
	open(unix.AT_FDCWD, "/dev/dri/card0", unix.O_PATH, 0)
}

// landlockedIoctl checks that Landlock's right to send requests to devices holds
// for cards, from the open on. Its argument is whether the right is granted.
func landlockedIoctl(args []string) {
	if landlockVersion() < 5 {
		return // the kernel has no such right
	}
	before := must(unix.Open("/dev/dri/card0", unix.O_RDWR, 0))
	allowed, errno := uint64(access), unix.EACCES
	if args[0] == "granted" {
		allowed, errno = access|ioctlDev, 0
	}
	check(restrictTo([]string{"/dev"}, access|ioctlDev, allowed))
	card := must(unix.Open("/dev/dri/card0", unix.O_RDWR, 0))
	again := must(unix.Open(fmt.Sprintf("/proc/self/fd/%d", before), unix.O_RDWR, 0))
	for _, c := range []struct {
		what  string
		fd    int
		errno unix.Errno
	}{
		{"a card that was opened before", before, 0},
		{"a card", card, errno},
		{"a copy of its descriptor", must(unix.Dup(card)), errno},
		{"a card that was opened again", again, errno},
	} {
		_, err := kmsclient.FromFD(c.fd).Resources()
		want(kmsclient.Errno(err), c.errno, "a request to "+c.what)
	}
}

// resolved opens paths with the RESOLVE flags of openat2.
func resolved([]string) {
	dri := must(unix.Open("/dev/dri", unix.O_RDONLY|unix.O_DIRECTORY, 0))
	sys := must(unix.Open("/sys", unix.O_RDONLY|unix.O_DIRECTORY, 0))
	for _, c := range []struct {
		dirfd   int
		path    string
		resolve uint64
		errno   unix.Errno
	}{
		{dri, "card0", unix.RESOLVE_BENEATH, 0},
		{dri, "../../etc/passwd", unix.RESOLVE_BENEATH, unix.EXDEV},
		{dri, "../dri/card0", unix.RESOLVE_BENEATH, unix.EXDEV},
		{dri, "/dev/dri/card0", unix.RESOLVE_BENEATH, unix.EXDEV},
		{dri, "../../../card0", unix.RESOLVE_IN_ROOT, 0},
		{dri, "/card0", unix.RESOLVE_IN_ROOT, 0},
		{dri, "by-path/platform-vkms-card", unix.RESOLVE_NO_SYMLINKS, unix.ELOOP},
		{dri, "card0", unix.RESOLVE_NO_SYMLINKS, 0},
		{sys, "class/drm/card0/dev", unix.RESOLVE_BENEATH, 0},
		{sys, "class/drm/card0/dev", unix.RESOLVE_NO_SYMLINKS, unix.ELOOP},
		{unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d/card0", dri), unix.RESOLVE_NO_MAGICLINKS, unix.ELOOP},
		{dri, "card0", unix.RESOLVE_NO_XDEV, 0},
		{unix.AT_FDCWD, "/sys/class/drm/card0/dev", unix.RESOLVE_NO_XDEV, unix.EXDEV},
		{dri, "card0", unix.RESOLVE_BENEATH | unix.RESOLVE_IN_ROOT, unix.EINVAL},
		{dri, "card0", 1 << 20, unix.EINVAL},
	} {
		fd, err := unix.Openat2(c.dirfd, c.path, &unix.OpenHow{Flags: unix.O_RDONLY, Resolve: c.resolve})
		want(err, c.errno, fmt.Sprintf("%s with resolve %#x", c.path, c.resolve))
		if err == nil {
			check(unix.Close(fd))
		}
	}
}

// strayed starts paths at files, and leads them through files and through a
// directory that it may not enter.
func strayed([]string) {
	null := must(unix.Open("/dev/null", unix.O_RDONLY, 0))
	attribute := must(unix.Open("/sys/class/drm/card0/dev", unix.O_RDONLY, 0))
	node := must(unix.Open("/dev/dri/card0", unix.O_RDWR, 0))
	for _, c := range []struct {
		dirfd int
		path  string
	}{
		{null, "../dri/card0"}, {null, "."}, {attribute, "."}, {attribute, ".."}, {attribute, "../uevent"},
		{node, ".."}, {node, "card0"}, {unix.AT_FDCWD, "/dev/null/../dri/card0"}, {unix.AT_FDCWD, "/etc/passwd/../../dev/dri"},
	} {
		_, err := unix.Openat(c.dirfd, c.path, unix.O_RDONLY, 0)
		want(err, unix.ENOTDIR, fmt.Sprintf("opening %s at %d", c.path, c.dirfd))
		var st unix.Stat_t
		want(unix.Fstatat(c.dirfd, c.path, &st, 0), unix.ENOTDIR, fmt.Sprintf("stat of %s at %d", c.path, c.dirfd))
	}
	closed := must(os.MkdirTemp("", "udrm-closed-"))
	defer os.RemoveAll(closed)
	check(os.Chmod(closed, 0))
	_, err := unix.Open(closed+"/../../dev/dri/card0", unix.O_RDWR, 0)
	if os.Getuid() == 0 {
		want(err, 0, "a path through a directory of another user, for root")
	} else {
		want(err, unix.EACCES, "a path through a directory that may not be entered")
	}
}

// spy looks at the descriptors of the host, which is the parent. It has cards
// open, as this process has.
func spy([]string) {
	_ = must(unix.Open("/dev/dri/card0", unix.O_RDWR, 0))
	for fd := range 200 {
		for _, dir := range []string{fmt.Sprintf("/proc/%d/fd", unix.Getppid()), fmt.Sprintf("/proc/%d/task/%[1]d/fd", unix.Getppid())} {
			path := fmt.Sprintf("%s/%d", dir, fd)
			var buf [unix.PathMax]byte
			n, err := unix.Readlink(path, buf[:])
			if err == nil && strings.HasPrefix(string(buf[:n]), "/dev/dri") {
				failf("%s is a card", path)
			}
			if os.Getuid() == 0 {
				continue
			}
			want(err, unix.EACCES, "reading "+path)
			var st unix.Stat_t
			want(unix.Stat(path, &st), unix.EACCES, "stat of "+path)
			_, err = unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)
			want(err, unix.EACCES, "opening "+path)
		}
	}
}

// dropped is a thread of root that acts as another user.
func dropped([]string) {
	check(unix.Setfsuid(65534))
	want(unix.Chmod("/dev/dri/card0", 0o666), unix.EPERM, "chmod of a card")
	want(unix.Chown("/dev/dri/card0", 65534, -1), unix.EPERM, "chown of a card")
}

// exchange opens a file by a path through a virtual directory while a directory
// on the way is exchanged for a link to /proc/self/fd, which must always be its
// own.
func exchange([]string) {
	dir := must(os.MkdirTemp("", "udrm-race-"))
	defer os.RemoveAll(dir)
	plain, link := filepath.Join(dir, "plain"), filepath.Join(dir, "link")
	check(os.Mkdir(plain, 0o755))
	dri := must(unix.Open("/dev/dri", unix.O_RDONLY|unix.O_DIRECTORY, 0))
	const absent = 900 // not open here
	for fd := range 64 {
		check(os.WriteFile(filepath.Join(plain, fmt.Sprint(absent+fd)), nil, 0o644))
		check(os.WriteFile(filepath.Join(plain, fmt.Sprint(fd)), nil, 0o644))
	}
	check(os.Symlink("/proc/self/fd", link))
	go func() {
		for unix.Renameat2(unix.AT_FDCWD, plain, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE) == nil {
		}
	}()
	own := make(map[unix.Stat_t]bool)
	for fd := range 64 {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil {
			own[unix.Stat_t{Dev: st.Dev, Ino: st.Ino}] = true
		}
	}
	for i := range 200 {
		fd, err := unix.Openat(dri, fmt.Sprintf("../..%s/%d", plain, i%64), unix.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		var st unix.Stat_t
		check(unix.Fstat(fd, &st))
		text := must(os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)))
		if filepath.Dir(text) != plain && filepath.Dir(text) != link && !own[unix.Stat_t{Dev: st.Dev, Ino: st.Ino}] {
			failf("opened a file of another process: %s", text)
		}
		check(unix.Close(fd))
	}
}
