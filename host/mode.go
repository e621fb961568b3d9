package host

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// chmod and chown of virtual files change what stat says of them, until they
// go. Who may open them does not depend on it: see the package comment.

// modes are what programs have made of the permissions and owners of virtual
// files.
type modes struct {
	mu     sync.Mutex
	byPath map[string]mode
}

type mode struct {
	perm     uint16
	uid, gid uint32
}

const permMask = 0o7777

func newModes() *modes { return &modes{byPath: make(map[string]mode)} }

// apply puts what programs have made of the file at path into st.
func (t *modes) apply(path string, st *unix.Statx_t) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m, ok := t.byPath[path]; ok {
		st.Mode = st.Mode&^permMask | m.perm
		st.Uid, st.Gid = m.uid, m.gid
	}
}

func (t *modes) set(path string, m mode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byPath[path] = m
}

// prune forgets the files that are gone.
func (t *modes) prune(tree *vfs.Tree) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for path := range t.byPath {
		if n, _ := tree.Lookup(path); n == nil {
			delete(t.byPath, path)
		}
	}
}

// A modeChange is what a chmod or chown asks for. EPERM when the client may
// not.
type modeChange func(m *mode, owner, privileged bool) error

func changePerm(perm uint64) modeChange {
	return func(m *mode, owner, privileged bool) error {
		if !owner && !privileged {
			return unix.EPERM
		}
		m.perm = uint16(perm & permMask)
		return nil
	}
}

func changeOwner(uid, gid uint64) modeChange {
	const keep = ^uint32(0)
	return func(m *mode, owner, privileged bool) error {
		to := *m
		if uint32(uid) != keep {
			to.uid = uint32(uid)
		}
		if uint32(gid) != keep {
			to.gid = uint32(gid)
		}
		if to != *m && !privileged {
			return unix.EPERM
		}
		*m = to
		return nil
	}
}

func (c *call) chmod() {
	c.changePath(unix.AT_FDCWD, c.arg(0), 0, changePerm(c.arg(1)), func(path string) error {
		return unix.Fchmodat(unix.AT_FDCWD, path, uint32(c.arg(1)), 0)
	})
}

func (c *call) fchmod() { c.changeFD(c.fd(0), changePerm(c.arg(1))) }

func (c *call) fchmodat() { c.fchmodatFlags(0) }

func (c *call) fchmodat2() { c.fchmodatFlags(int(c.arg(3))) }

func (c *call) fchmodatFlags(flags int) {
	c.changeAt(c.fd(0), c.arg(1), flags, changePerm(c.arg(2)), func(path string) error {
		return unix.Fchmodat(unix.AT_FDCWD, path, uint32(c.arg(2)), flags&unix.AT_SYMLINK_NOFOLLOW)
	})
}

func (c *call) chown() { c.chownAt(unix.AT_FDCWD, 0, 0) }

func (c *call) lchown() { c.chownAt(unix.AT_FDCWD, 0, unix.AT_SYMLINK_NOFOLLOW) }

func (c *call) fchown() { c.changeFD(c.fd(0), changeOwner(c.arg(1), c.arg(2))) }

func (c *call) fchownat() { c.chownAt(c.fd(0), 1, int(c.arg(4))) }

// chownAt serves a call whose path is argument i, with the owners behind it.
func (c *call) chownAt(dirfd int32, i, flags int) {
	uid, gid := c.arg(i+1), c.arg(i+2)
	c.changeAt(dirfd, c.arg(i), flags, changeOwner(uid, gid), func(path string) error {
		return unix.Fchownat(unix.AT_FDCWD, path, int(int32(uid)), int(int32(gid)), flags&unix.AT_SYMLINK_NOFOLLOW)
	})
}

func (c *call) changeAt(dirfd int32, addr uint64, flags int, change modeChange, real func(path string) error) {
	if flags&unix.AT_EMPTY_PATH != 0 && dirfd != unix.AT_FDCWD && c.emptyPath(addr) {
		c.changeFD(dirfd, change)
		return
	}
	c.changePath(dirfd, addr, flags, change, real)
}

// changePath changes what a path leads to. real does so with a real file that
// a program gets to by a way that the kernel does not know.
func (c *call) changePath(dirfd int32, addr uint64, flags int, change modeChange, real func(path string) error) {
	c.atPath(dirfd, addr, flags&unix.AT_SYMLINK_NOFOLLOW == 0,
		func(o opened) { c.changeOpened(o, change) },
		func(p place) {
			if p.Node == nil {
				c.finish(c.asProgram(func(thread.Credentials) error { return real(c.realPath(p.Path)) }))
				return
			}
			c.finish(c.change(p.Path, p.Node, change))
		})
}

func (c *call) changeFD(fd int32, change modeChange) {
	c.atFD(fd, func(o opened) { c.changeOpened(o, change) })
}

func (c *call) changeOpened(o opened, change modeChange) {
	if o.dmaBuf != nil {
		c.ret(0) // nobody can open it by a path
		return
	}
	path := o.path
	if o.file != nil {
		path = "/dev/dri/" + o.file.drm.Minor().Name()
		if c.host.shownPath(o) != path {
			c.ret(0) // it is gone: nobody will see it
			return
		}
	}
	n, _ := c.host.tree.Load().Lookup(path)
	if n == nil || o.deleted {
		c.ret(0)
		return
	}
	c.finish(c.change(path, n, change))
}

func (c *call) change(path string, n *vfs.Node, change modeChange) error {
	st := c.host.statOf(path, n)
	m := mode{perm: st.Mode & permMask, uid: st.Uid, gid: st.Gid}
	client := c.client()
	if err := change(&m, uint32(client.UID) == m.uid, client.Admin || client.UID == 0); err != nil {
		return err
	}
	c.host.modes.set(path, m)
	return nil
}
