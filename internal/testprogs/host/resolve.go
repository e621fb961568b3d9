package main

import (
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// resolve opens a node, its directory, and a file of sysfs by openat2, with each
// RESOLVE flag and by paths of many forms. It prints a line for each path: the
// answers without a flag and with each of resolveFlags. Its arguments are the
// node, the file, and a directory in which it makes links.
func resolve(args []string) {
	node, attribute, scratch := args[0], args[1], args[2]
	for _, target := range []struct {
		name, path string
		flags      int
	}{
		{"node", node, unix.O_RDWR},
		{"nodepath", node, unix.O_PATH},
		{"directory", path.Dir(node), unix.O_RDONLY | unix.O_DIRECTORY},
		{"directorypath", path.Dir(node), unix.O_PATH},
		{"attribute", attribute, unix.O_RDONLY},
	} {
		dir := must(os.MkdirTemp(scratch, "resolve"))
		resolveTarget(target.name, target.path, target.flags, dir)
		check(os.RemoveAll(dir))
	}
}

var resolveFlags = []uint64{
	0, unix.RESOLVE_NO_XDEV, unix.RESOLVE_NO_MAGICLINKS, unix.RESOLVE_NO_SYMLINKS, unix.RESOLVE_BENEATH, unix.RESOLVE_IN_ROOT,
}

func resolveTarget(name, target string, flags int, scratch string) {
	parent, base := path.Split(target)
	parent = path.Clean(parent)
	grand, middle := path.Split(parent)
	up := strings.Repeat("../", 12)
	root, in, above, elsewhere := openDir("/"), openDir(parent), openDir(grand), openDir(scratch)
	self := must(unix.Open(target, unix.O_PATH, 0))
	top := openDir("/" + strings.Split(target, "/")[1])
	below := target[1+strings.IndexByte(target[1:], '/'):]
	link := func(name, to string) { check(os.Symlink(to, path.Join(scratch, name))) }
	link("absolute", target)
	link("relative", up+target)
	link("parent", parent)
	link("self", fmt.Sprintf("/proc/self/fd/%d", self))
	link("second", "absolute")
	numbers := openDir("/proc/self/fd")
	for _, c := range []struct {
		form string
		dir  int
		path string
	}{
		{"absolute", unix.AT_FDCWD, target},
		{"absolute from /", root, target},
		{"absolute from elsewhere", elsewhere, target},
		{"absolute from parent", in, target},
		{"absolute with ..", unix.AT_FDCWD, parent + "/../" + middle + "/" + base},
		{"absolute with . and //", unix.AT_FDCWD, "//." + parent + "/.//" + base},
		{"relative to /", root, target[1:]},
		{"relative to top", top, below[1:]},
		{"relative to grandparent", above, middle + "/" + base},
		{"relative to parent", in, base},
		{"/name from parent", in, "/" + base},
		{"/../name from parent", in, "/../" + base},
		{"../name from parent", in, "../" + base},
		{"../parent/name from parent", in, "../" + middle + "/" + base},
		{"./name/. from parent", in, "./" + base + "/."},
		{"name/ from parent", in, base + "/"},
		{"name/.. from grandparent", above, middle + "/../" + middle + "/" + base},
		{"through / from parent", in, up + target},
		{"missing/../name from parent", in, "missing/../" + base},
		{"missing from parent", in, "missing"},
		{"link", unix.AT_FDCWD, scratch + "/absolute"},
		{"link from elsewhere", elsewhere, "absolute"},
		{"link to link", elsewhere, "second"},
		{"link/ from elsewhere", elsewhere, "absolute/"},
		{"relative link", elsewhere, "relative"},
		{"link to parent", elsewhere, "parent/" + base},
		{"link to parent and ..", elsewhere, "parent/../" + middle + "/" + base},
		{"link to magic link", elsewhere, "self"},
		{"magic link", unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", self)},
		{"magic link of thread", unix.AT_FDCWD, fmt.Sprintf("/proc/thread-self/fd/%d", self)},
		{"magic link from fd", numbers, fmt.Sprint(self)},
		{"magic link /", numbers, fmt.Sprint(self) + "/"},
		{"magic link to parent", unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d/%s", in, base)},
		{"magic link to /", numbers, fmt.Sprintf("%d%s", root, target)},
		{"magic link to parent and ..", unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d/../%s/%s", in, middle, base)},
		{"root link", unix.AT_FDCWD, "/proc/self/root" + target},
	} {
		fmt.Printf("%s, %s:", name, c.form)
		for _, r := range resolveFlags {
			fmt.Print(" ", resolveAnswer(c.dir, c.path, flags, r, self))
		}
		fmt.Println()
	}
	for _, fd := range []int{root, in, above, elsewhere, self, top, numbers} {
		check(unix.Close(fd))
	}
}

func openDir(name string) int { return must(unix.Open(name, unix.O_PATH|unix.O_DIRECTORY, 0)) }

// resolveAnswer returns the error of an open, or "ok" if the file is the same as
// self.
func resolveAnswer(dir int, name string, flags int, resolve uint64, self int) string {
	fd, err := -1, error(unix.EAGAIN)
	for err == unix.EAGAIN { // by openat2(2), while others mount or rename anything
		fd, err = unix.Openat2(dir, name, &unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: resolve})
	}
	if err != nil {
		return unix.ErrnoName(err.(unix.Errno))
	}
	defer unix.Close(fd)
	var got, wanted unix.Stat_t
	check(unix.Fstat(fd, &got))
	check(unix.Fstat(self, &wanted))
	if got.Mode != wanted.Mode || got.Rdev != wanted.Rdev || got.Ino != wanted.Ino || got.Dev != wanted.Dev {
		return "other"
	}
	return "ok"
}
