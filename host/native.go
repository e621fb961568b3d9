package host

import (
	"bytes"
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/files"
	"github.com/udrm/udrm/host/internal/seccomp"
	"github.com/udrm/udrm/host/internal/snapshot"
)

// Most calls that are handed over have nothing to do with virtual files. A
// worker finds that out before it begins a turn, in few steps that wait for
// nothing, and the kernel runs the call.
//
// Invariant: a call that isNative accepts is one that its handler would let the
// kernel run too.
//
// Why it holds: the checks below are those of placeOf and openedAs with which
// the handlers begin. They look at the thread anew for each call, because its
// root, its working directory and its descriptors can change at any time. Where
// they cannot tell at once, the handler decides.

// isNative reports whether the kernel is to run the call.
func (c *call) isNative() (native bool) {
	if c.n.Data.Arch == seccomp.CompatArch {
		return c.isNativeCompat()
	}
	nr := c.n.Data.NR
	if c.n.PID == 0 || c.n.Data.Arch != seccomp.NativeArch || nr < 0 || int(nr) >= len(nativeChecks) || nativeChecks[nr] == nil {
		return false
	}
	// The handler logs the panic, if it comes to the same one.
	defer func() {
		if recover() != nil {
			native = false
		}
	}()
	return nativeChecks[nr](c)
}

// nativePath checks a call on the path at addr.
func (c *call) nativePath(dirfd int32, addr uint64, follow bool) bool {
	raw := c.peekString(addr)
	return len(raw) > 0 && c.nativePathOf(dirfd, raw, follow)
}

// nativeAt checks an …at call with flags as of statx(2): the path may be empty.
func (c *call) nativeAt(dirfd int32, addr uint64, flags int) bool {
	if c.leadsToNone() {
		return true
	}
	if flags&unix.AT_EMPTY_PATH == 0 {
		return c.nativePath(dirfd, addr, flags&unix.AT_SYMLINK_NOFOLLOW == 0)
	}
	if addr == 0 {
		return dirfd != unix.AT_FDCWD && c.nativeFD(dirfd)
	}
	raw := c.peekString(addr)
	switch {
	case raw == nil:
		return false
	case len(raw) > 0:
		return c.nativePathOf(dirfd, raw, flags&unix.AT_SYMLINK_NOFOLLOW == 0)
	}
	return dirfd != unix.AT_FDCWD && c.nativeFD(dirfd)
}

func (c *call) nativePathOf(dirfd int32, raw []byte, follow bool) bool {
	if c.host.attributes.Count() > 0 {
		return false // earlier writes take effect first
	}
	tree := c.host.tree.Load()
	if raw[0] == '/' {
		if relevant(tree, raw) {
			return false
		}
		return isPackaged(raw) || c.nativeLinks("root", raw, follow)
	}
	base := c.baseLink(dirfd)
	if len(base) == 0 || !c.foreign(base) {
		return false
	}
	if base[0] != '/' {
		return true // the kernel knows the error
	}
	full := append(append(base, '/'), raw...)
	if mentions(full) && (!c.hasWholeRoot() || relevant(tree, full)) {
		return false
	}
	if isPackaged(full) && c.hasWholeRoot() {
		return true
	}
	start := "cwd"
	if dirfd != unix.AT_FDCWD {
		start = "fd/" + strconv.Itoa(int(dirfd))
	}
	return c.nativeLinks(start, raw, follow)
}

// nativeLinks checks that no link is on the way of a path, or at its end if that
// is to be followed.
func (c *call) nativeLinks(start string, raw []byte, follow bool) bool {
	if follow {
		return !c.tid().MayBeLink(start, string(raw))
	}
	dir := raw[:max(bytes.LastIndexByte(raw, '/'), 0)]
	if len(dir) == 0 {
		return true
	}
	if raw[0] != '/' {
		return !c.tid().MayBeLink(start, string(dir))
	}
	if c.plain.is(c.tid(), dir) {
		return true
	}
	if c.tid().MayBeLink(start, string(dir)) {
		return false
	}
	c.plain.set(c.tid(), dir)
	return true
}

// nativeNew checks a call that makes the last name of the path at addr, in the
// directory that the rest of it leads to.
func (c *call) nativeNew(dirfd int32, addr uint64) bool {
	raw := bytes.TrimRight(c.peekString(addr), "/")
	if len(raw) == 0 {
		return false
	}
	dir, _ := path.Split(string(raw))
	if dir == "" {
		dir = "."
	}
	return c.nativePathOf(dirfd, []byte(dir), true)
}

var pageSize = uint64(os.Getpagesize())

// peekString returns the string at addr, if it ends in the page in which it
// begins. Otherwise it returns nil. It can wait: see looks.
func (c *call) peekString(addr uint64) []byte {
	length := min(shortString, pageSize-addr%pageSize)
	if c.server.looks.careful.Load() && !c.fds.Present(c.tid(), addr, length, false) {
		return nil
	}
	raw, err := c.tid().ReadString(c.pathBuf[:length], addr)
	if err != nil {
		return nil
	}
	return raw
}

// baseLink returns the link of /proc of the directory from which relative paths
// start, or nil.
func (c *call) baseLink(dirfd int32) []byte {
	var link []byte
	var err error
	if dirfd == unix.AT_FDCWD {
		link, err = c.fds.CWD(c.tid(), c.linkBuf[:])
	} else {
		link, err = c.fds.Link(c.tid(), int(dirfd), c.linkBuf[:])
	}
	if err != nil {
		return nil
	}
	return link
}

// hasWholeRoot reports whether the program has the root of this process, so that
// a path of the one is one of the other.
func (c *call) hasWholeRoot() bool {
	var buf [8]byte
	root, err := c.fds.RootLink(c.tid(), buf[:])
	return err == nil && string(root) == "/"
}

// mentions reports whether a path may lead through virtual files in any root: a
// part of it, from some slash on, may be a path for which relevant holds.
func mentions(path []byte) bool {
	for {
		i := bytes.IndexByte(path, '/')
		if i < 0 {
			return false
		}
		path = path[i+1:]
		for _, name := range [...]string{"sys", "dev", "run", "proc"} {
			if len(path) >= len(name) && string(path[:len(name)]) == name {
				return true
			}
		}
	}
}

// nativeFD checks a call on a descriptor. The kernel knows the error for one that
// is not open.
func (c *call) nativeFD(fd int32) bool {
	if !c.host.hasGiven() {
		return true
	}
	link, err := c.fds.Link(c.tid(), int(fd), c.linkBuf[:])
	return err == unix.ENOENT || err == nil && c.foreign(link)
}

// leadsToNone reports whether the path of the call cannot lead to a descriptor of a
// file that the host made. With mounts, stat and readlink are handed over for no other
// paths.
func (c *call) leadsToNone() bool { return c.host.mounts != nil && !c.host.hasGiven() }

// foreign reports whether the host did not make the file that a link of /proc
// leads to.
func (c *call) foreign(link []byte) bool {
	h := c.host
	if inode := files.PipeInode(link); inode != 0 {
		return !h.files.Has(inode) && h.attributes.Path(inode) == ""
	}
	if inode := files.SocketInode(link); inode != 0 {
		return h.attributes.Path(inode) == ""
	}
	return !snapshot.Named(link) && !h.chardevs.mayHave(link) && !h.shadow.MayHave(link) && !h.mayBeTerminal(link)
}
