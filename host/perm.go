package host

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// chmod, chown and utimensat of virtual files change what stat reports, until
// the file is removed. They do not change who may open it: see the package comment.

// perms are the permissions, owners and times that programs have given to
// virtual files.
type perms struct {
	mu     sync.Mutex
	byPath map[string]perm
}

type perm struct {
	bits     uint16
	uid, gid uint32

	atime, mtime unix.StatxTimestamp // zero if not set

	link bool // the file is a link
}

const permMask = 0o7777

func newPerms() *perms { return &perms{byPath: make(map[string]perm)} }

// apply puts what programs have set for the file at path into st.
func (t *perms) apply(path string, st *unix.Statx_t) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p, ok := t.byPath[path]; ok {
		st.Mode = st.Mode&^permMask | p.bits
		st.Uid, st.Gid = p.uid, p.gid
		if p.atime != (unix.StatxTimestamp{}) {
			st.Atime = p.atime
		}
		if p.mtime != (unix.StatxTimestamp{}) {
			st.Mtime = p.mtime
		}
	}
}

func (t *perms) set(path string, p perm) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byPath[path] = p
}

// prune forgets the files that tree no longer has.
func (t *perms) prune(tree *vfs.Tree) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for path := range t.byPath {
		if n, _ := tree.Lookup(path); n == nil {
			delete(t.byPath, path)
		}
	}
}

// A permChange applies a chmod or chown to p. EPERM when the program may not.
type permChange func(p *perm, program *thread.Credentials) error

// owns reports whether the program counts as the owner of a file: it is, or has
// CAP_FOWNER.
func (p *perm) owns(program *thread.Credentials) bool {
	return uint32(program.UID) == p.uid || program.Has(unix.CAP_FOWNER)
}

func changeBits(bits uint64) permChange {
	return func(p *perm, program *thread.Credentials) error {
		if p.link {
			return unix.EOPNOTSUPP
		}
		if !p.owns(program) {
			return unix.EPERM
		}
		p.bits = uint16(bits & permMask)
		return nil
	}
}

func changeOwner(uid, gid uint64) permChange {
	const keep = ^uint32(0)
	return func(p *perm, program *thread.Credentials) error {
		to := *p
		if uint32(uid) != keep {
			to.uid = uint32(uid)
		}
		if uint32(gid) != keep {
			to.gid = uint32(gid)
		}
		if to != *p && !program.Has(unix.CAP_CHOWN) {
			return unix.EPERM
		}
		*p = to
		return nil
	}
}

func (c *call) chmod() {
	c.changePath(unix.AT_FDCWD, c.arg(0), 0, changeBits(c.arg(1)), func(path string) {
		c.onReal(path, unix.SYS_FCHMODAT, c.arg(1))
	})
}

func (c *call) fchmod() { c.changeOpen(c.fd(0), changeBits(c.arg(1))) }

func (c *call) fchmodat() { c.fchmodatFlags(0) }

func (c *call) fchmodat2() { c.fchmodatFlags(int(c.arg(3))) }

func (c *call) fchmodatFlags(flags int) {
	c.changeAt(c.fd(0), c.arg(1), flags, changeBits(c.arg(2)), func(path string) {
		c.onReal(path, int(c.n.Data.NR), c.arg(2), uint64(flags)) // fchmodat ignores the flags
	})
}

func (c *call) chown() { c.chownAt(unix.AT_FDCWD, 0, 0) }

func (c *call) lchown() { c.chownAt(unix.AT_FDCWD, 0, unix.AT_SYMLINK_NOFOLLOW) }

func (c *call) fchown() { c.changeOpen(c.fd(0), changeOwner(c.arg(1), c.arg(2))) }

func (c *call) fchownat() { c.chownAt(c.fd(0), 1, int(c.arg(4))) }

// chownAt serves a call whose path is argument i, followed by the owners.
func (c *call) chownAt(dirfd int32, i, flags int) {
	uid, gid := c.arg(i+1), c.arg(i+2)
	c.changeAt(dirfd, c.arg(i), flags, changeOwner(uid, gid), func(path string) {
		c.onReal(path, unix.SYS_FCHOWNAT, uid, gid, uint64(flags))
	})
}

func (c *call) changeAt(dirfd int32, addr uint64, flags int, change permChange, onReal func(path string)) {
	if flags&^(unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH) != 0 {
		c.proceed() // EINVAL
		return
	}
	if flags&unix.AT_EMPTY_PATH != 0 && dirfd != unix.AT_FDCWD && c.emptyPath(addr) {
		c.changeFD(dirfd, change)
		return
	}
	c.changePath(dirfd, addr, flags, change, onReal)
}

// changePath changes the file that a path leads to; onReal does for a real one.
func (c *call) changePath(dirfd int32, addr uint64, flags int, change permChange, onReal func(path string)) {
	c.atPath(dirfd, addr, flags&unix.AT_SYMLINK_NOFOLLOW == 0,
		func(o opened) { c.changeOpened(o, change) },
		func(p place) { c.finish(c.change(p.Path, p.Node, change)) },
		onReal)
}

// changeOpen serves fchmod and fchown, changeFD calls with AT_EMPTY_PATH.
func (c *call) changeOpen(fd int32, change permChange) {
	if c.host.mounts == nil && c.opened(fd).path != "" && c.pathOnly(fd) {
		c.fail(unix.EBADF)
		return
	}
	c.changeFD(fd, change)
}

func (c *call) changeFD(fd int32, change permChange) {
	c.atFD(fd, func(o opened) { c.changeOpened(o, change) })
}

func (c *call) changeOpened(o opened, change permChange) {
	if o.dmaBuf != nil {
		c.ret(0) // no path leads to it
		return
	}
	path := o.path
	if o.file != nil {
		path = "/dev/dri/" + o.file.Node().Minor().Name()
		if c.host.shownPath(o) != path {
			c.ret(0) // the node is removed, so no stat will report it
			return
		}
	}
	n, _ := c.host.tree.Load().Lookup(path)
	if n == nil {
		c.ret(0)
		return
	}
	c.finish(c.change(path, n, change))
}

func (c *call) change(path string, n *vfs.Node, change permChange) error {
	if c.isReadOnly(path) {
		return unix.EROFS
	}
	return c.host.change(c.tid(), path, n, change)
}

func (h *Host) change(tid thread.ID, path string, n *vfs.Node, change permChange) error {
	st := h.statOf(path, n)
	p := perm{bits: st.Mode & permMask, uid: st.Uid, gid: st.Gid, atime: st.Atime, mtime: st.Mtime, link: n.Kind == vfs.Link}
	program, err := tid.Credentials()
	if err != nil {
		return unix.EPERM
	}
	if err := change(&p, &program); err != nil {
		return err
	}
	h.perms.set(path, p)
	return nil
}
