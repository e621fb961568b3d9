package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// chdir changes to virtual directories.
func chdir([]string) {
	for _, dir := range []string{"/dev/dri", "/sys/class/drm", "/sys/devices/platform/vkms/drm/card0"} {
		check(unix.Chdir(dir))
		equal(must(getcwd()), dir, "getcwd")
		equal(must(os.Readlink("/proc/self/cwd")), dir, "/proc/self/cwd")
	}
	check(unix.Chdir("../../../vkms/drm"))
	equal(must(getcwd()), "/sys/devices/platform/vkms/drm", "getcwd")
	want(unix.Chdir("card0/dev"), unix.ENOTDIR, "chdir to a file")
	want(unix.Chdir("nothing"), unix.ENOENT, "chdir to a nonexistent directory")
	check(unix.Chdir("../../.."))
	equal(must(getcwd()), "/sys/devices", "getcwd out of it")
	check(unix.Chdir("/sys/class/drm/card0"))
	equal(must(getcwd()), "/sys/devices/platform/vkms/drm/card0", "getcwd behind a link")
	check(unix.Chdir("/tmp"))
	equal(must(getcwd()), "/tmp", "getcwd elsewhere")

	fd := must(unix.Open("/dev/dri", unix.O_RDONLY|unix.O_DIRECTORY, 0))
	check(unix.Fchdir(fd))
	equal(must(getcwd()), "/dev/dri", "getcwd after fchdir")
	_ = must(unix.Open("card0", unix.O_RDWR, 0))
	names := must(os.ReadDir("."))
	equal(len(names), 2, "names in /dev/dri")
	equal(names[0].Name()+" "+names[1].Name(), "by-path card0", "names in /dev/dri")
}

// walk prints the trees below the directories of its arguments. As libudev, it
// opens them by descriptors, one component at a time.
func walk(args []string) {
	for _, dir := range args {
		fd := must(unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
		for c := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
			next, err := unix.Openat(fd, c, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
			if err != nil {
				failf("%s of %s: %v", c, dir, err)
			}
			var st unix.Stat_t
			check(unix.Fstat(next, &st))
			equal(st.Mode&unix.S_IFMT, unix.S_IFDIR, "the type of "+c+" of "+dir)
			check(unix.Close(fd))
			fd = next
		}
		walkFD(must(unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)), dir)
		check(unix.Close(fd))
	}
}

func walkFD(fd int, dir string) {
	f := os.NewFile(uintptr(fd), dir)
	defer f.Close()
	equal(fdLink(fd), dir, "the link of a directory")
	for _, e := range must(f.ReadDir(-1)) {
		name := filepath.Join(dir, e.Name())
		var st unix.Stat_t
		if err := unix.Fstatat(fd, e.Name(), &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			failf("%s: %v", name, err)
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			fmt.Printf("%s/\n", name)
			walkFD(must(unix.Openat(fd, e.Name(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)), name)
		case unix.S_IFLNK:
			buf := make([]byte, 256)
			link := must(unix.Openat(fd, e.Name(), unix.O_PATH|unix.O_NOFOLLOW, 0))
			n := must(unix.Readlinkat(link, "", buf))
			equal(string(buf[:n]), must(os.Readlink(name)), "the target of the link "+name)
			check(unix.Fstat(link, &st))
			equal(st.Mode&unix.S_IFMT, unix.S_IFLNK, "the type of the link "+name)
			check(unix.Close(link))
			fmt.Printf("%s -> %s\n", name, buf[:n])
		case unix.S_IFCHR:
			fmt.Printf("%s %d:%d\n", name, unix.Major(st.Rdev), unix.Minor(st.Rdev))
		default:
			text, err := os.ReadFile(name)
			fmt.Printf("%s %q %v\n", name, text, err)
		}
	}
}

// links reaches virtual files through real links to their directories, and
// through the links of /proc to the root directory.
func links([]string) {
	dir := must(os.MkdirTemp("", "udrm-links-"))
	defer os.RemoveAll(dir)
	check(os.Mkdir(dir+"/real", 0o755))
	for name, target := range map[string]string{
		"dri": "/dev/dri", "again": "dri", "real/up": "../dri", "class": "/sys/class/drm", "sys": "/sys", "real/back": "..", "self": ".",
	} {
		check(os.Symlink(target, dir+"/"+name))
	}
	check(unix.Chdir(dir))
	paths := []string{"dri/card0", "again/card0", "real/up/card0", "real/back/dri/card0", "self/self/dri/card0", "dri/../dri/card0", "dri//./card0"}
	for _, path := range append(paths, "/proc/self/root/dev/dri/card0", "/proc/thread-self/root/dev/dri/card0",
		fmt.Sprintf("/proc/%d/task/%d/root/dev/dri/card0", os.Getpid(), unix.Gettid())) {
		for _, path := range []string{path, filepath.Join(dir, path)} {
			if strings.HasPrefix(path, dir+"/proc") {
				continue
			}
			var st unix.Stat_t
			check(unix.Lstat(path, &st))
			equal(st.Mode&unix.S_IFMT, unix.S_IFCHR, "the type of "+path)
			fd := must(unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0))
			equal(fdLink(fd), "/dev/dri/card0", "the file behind "+path)
			check(unix.Close(fd))
		}
	}
	for _, path := range []string{"class/card0/dev", "sys/class/drm/card0/dev", "sys/dev/char/226:0/dev", "/proc/self/root/sys/class/drm/card0/dev"} {
		equal(string(must(os.ReadFile(path))), "226:0\n", path)
	}
	for _, path := range []string{"dri", "again", "real/up", "/proc/self/root/dev/dri"} {
		equal(len(must(os.ReadDir(path+"/"))), 2, "names in "+path)
	}
	for _, path := range []string{"dri/missing", "real/missing", "class/missing/dev", "missing/dri/card0"} {
		want(unix.Lstat(path, new(unix.Stat_t)), unix.ENOENT, path)
	}
	want(unix.Lstat("dri/card0/x", new(unix.Stat_t)), unix.ENOTDIR, "a path through a node")
	_, err := unix.Openat2(unix.AT_FDCWD, "dri/card0", &unix.OpenHow{Flags: unix.O_RDWR, Resolve: unix.RESOLVE_NO_SYMLINKS})
	want(err, unix.ELOOP, "a path through a link, without links")
	_, err = unix.Openat2(unix.AT_FDCWD, "dri/card0", &unix.OpenHow{Flags: unix.O_RDWR, Resolve: unix.RESOLVE_BENEATH})
	want(err, unix.EXDEV, "a path through a link, beneath its directory")
	check(unix.Chdir("real/up"))
	equal(must(getcwd()), "/dev/dri", "getcwd behind links")
	check(os.WriteFile(dir+"/real/new", nil, 0o600))
	check(unix.Chdir("/proc/self/root"))
	equal(must(getcwd()), "/", "getcwd behind the link to the root directory")
}
