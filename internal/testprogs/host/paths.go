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
