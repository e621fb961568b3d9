package host

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/vfs"
	"github.com/udrm/udrm/internal/pollfd"
)

// errMoved says that the program has exchanged a directory on the way by a link
// during a walk.
var errMoved = errors.New("host: the path has changed")

// Readlink implements vfs.Real: it reads real links as the program sees them.
func (c *call) Readlink(path string) (string, error) {
	if !strings.HasPrefix(path, "/proc/") {
		return c.readReal(path)
	}
	switch path {
	case "/proc/self":
		pid, _ := c.ownIDs()
		return pid, nil
	case "/proc/thread-self":
		pid, tid := c.ownIDs()
		return pid + "/task/" + tid, nil
	}
	root := isRootLink(path)
	if !root && !isMagic(path) {
		return c.readReal(path)
	}
	if c.noMagic != 0 {
		return "", c.noMagic
	}
	if root {
		same, err := c.tid().HasRoot(path)
		switch {
		case err != nil:
			return "", err
		case same:
			return "/", nil
		}
		return "", unix.EINVAL // not to a path of the program
	}
	o, text, err := c.magic(path)
	switch {
	case err != nil:
		return "", err
	case o.file != nil, o.dmaBuf != nil:
		return "", vfs.ErrMagic
	case o.path != "":
		if n, _ := c.host.tree.Load().Lookup(o.path); n == nil || n.Kind != vfs.Dir {
			return "", vfs.ErrMagic
		}
		return o.path, nil
	case !strings.HasPrefix(text, "/"), strings.HasSuffix(text, " (deleted)"):
		return "", unix.EINVAL // not a path: only the kernel knows the file
	}
	inside, ok := c.inRoot([]byte(text))
	if !ok || !c.leadsTo(string(inside), path) {
		return "", unix.EINVAL
	}
	return string(inside), nil
}

// leadsTo reports whether a path of the program can lead to the file of a link of
// /proc. If it does not, the mount of the file is in no root, as after pivot_root.
func (c *call) leadsTo(path, link string) bool {
	var file, open unix.Stat_t
	switch err := c.tid().Identify(path, &file); {
	case err == unix.ENOENT, err == unix.ENOTDIR:
		return false
	case err != nil: // a file that could not be looked at, in a FUSE file system for example
		return true
	}
	return c.tid().IdentifyLink(link, &open) == nil && pollfd.IDOf(&file) == pollfd.IDOf(&open)
}

// readReal reads the real link at path.
func (c *call) readReal(path string) (target string, err error) {
	target, err = c.tid().Readlink(path)
	if err == unix.ELOOP {
		err = errMoved
	}
	return target, err
}

// isMagic reports whether path, which has no links on the way, is a link of
// /proc to an open file or a working directory.
func isMagic(path string) bool {
	parts := inProcess(path)
	return len(parts) == 2 && parts[0] == "fd" || len(parts) == 1 && parts[0] == "cwd"
}

// isRootLink does the same for links to root directories.
func isRootLink(path string) bool {
	parts := inProcess(path)
	return len(parts) == 1 && parts[0] == "root"
}

// inProcess returns the parts of a path of /proc after the id of a process or
// thread.
func inProcess(path string) []string {
	rest, ok := strings.CutPrefix(path, "/proc/")
	if !ok {
		return nil
	}
	parts := strings.Split(rest, "/")
	if len(parts) >= 4 && parts[1] == "task" {
		parts = parts[2:]
	}
	return parts[1:]
}

// magic returns what a link leads to for which isMagic holds, and its text.
func (c *call) magic(path string) (o opened, text string, err error) {
	if text, err = c.tid().ProcLink(path); err != nil {
		return opened{}, "", err
	}
	o = c.host.openedAs([]byte(text), c.tid().RootPath(path), func(st *unix.Stat_t) error { return c.tid().IdentifyLink(path, st) })
	return o, text, nil
}

// ownIDs returns the process and thread id of the caller in its own /proc,
// which may be that of another pid namespace.
func (c *call) ownIDs() (pid, tid string) {
	var ours, theirs unix.Stat_t
	status := c.tid().Status()
	pids, tids := strings.Fields(status["NStgid"]), strings.Fields(status["NSpid"])
	if len(pids) == 0 || len(tids) == 0 {
		return strconv.Itoa(c.client().PID), strconv.Itoa(int(c.tid()))
	}
	if unix.Stat("/proc", &ours) == nil && c.tid().Identify("/proc", &theirs) == nil && ours.Dev == theirs.Dev {
		return pids[0], tids[0]
	}
	return pids[len(pids)-1], tids[len(tids)-1]
}
