package main

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// jail enters a root of its own that has the machine's /dev, as sandboxes do,
// becomes another user, and tries to leave it by the directories of the cards.
// Its argument is a directory in which all users may make files.
func jail(args []string) {
	outside := args[0]
	root := filepath.Join(outside, "jail")
	check(unix.Unshare(unix.CLONE_NEWNS))
	check(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	check(unix.Mkdir(root, 0o755))
	check(unix.Mkdir(filepath.Join(root, "dev"), 0o755))
	check(unix.Mount("/dev", filepath.Join(root, "dev"), "", unix.MS_BIND|unix.MS_REC, ""))
	check(unix.Chroot(root))
	check(unix.Chdir("/"))
	check(unix.Setfsuid(65534))
	check(unix.Close(must(openat(unix.AT_FDCWD, "/dev/dri/card0", unix.O_RDWR))))
	dri := must(open("/dev/dri", unix.O_RDONLY|unix.O_DIRECTORY))
	// The kernel runs mkdirat and mkdir itself.
	for up, path := 0, outside+"/made"; up < 8; up++ {
		want(fmt.Sprintf("mkdirat of %s from /dev/dri", path), unix.Mkdirat(dri, path[1:], 0o755), unix.ENOENT)
		path = "/.." + path
	}
	check(unix.Fchdir(dri))
	want("mkdir from /dev/dri", unix.Mkdir("../../../../../.."+outside+"/made", 0o755), unix.ENOENT)
	_, err := open("../../../../../../etc/passwd", unix.O_RDONLY)
	want("open from /dev/dri", err, unix.ENOENT)
}
