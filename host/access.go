package host

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// Virtual files have the permissions that the kernel's have, and their owner is
// the user that runs the host, whom stat reports as root. So that user may do
// to the cards what root may, and a program that has dropped to another user
// may not. Nodes are the exception: every program may open them, as the
// compositor of a seat may.

// permit checks an access of the program to a virtual file: want is made of
// R_OK, W_OK and X_OK. An open also checks that there is something to read or
// write, which binds root too.
func (c *call) permit(path string, n *vfs.Node, want uint32) error {
	err := c.host.permit(c.tid(), path, n, want)
	if err == nil && want&unix.W_OK != 0 && n != nil && (n.Kind == vfs.File || n.Kind == vfs.Dir) && c.isReadOnly(path) {
		return unix.EROFS
	}
	return err
}

func (h *Host) permit(tid thread.ID, path string, n *vfs.Node, want uint32) error {
	writable := n != nil && (n.Store != nil || n.Open != nil)
	switch {
	case n == nil, n.Kind == vfs.Link, want == 0:
		return nil
	case n.Kind == vfs.Char && want&unix.X_OK == 0:
		return nil
	case n.Kind != vfs.Dir && want&unix.X_OK != 0:
		return unix.EACCES
	case h.everyUser && (want&unix.W_OK == 0 || writable):
		return nil
	}
	program, err := tid.Credentials()
	if err != nil {
		return unix.EACCES
	}
	if st := h.statOf(path, n); !mayAccess(&program, &st, want) {
		return unix.EACCES
	}
	return nil
}

// owns reports whether the program counts as the owner of a virtual file.
func (c *call) owns(path string, n *vfs.Node) bool {
	program, err := c.tid().Credentials()
	if err != nil {
		return false
	}
	st := c.host.statOf(path, n)
	return program.Has(unix.CAP_FOWNER) || program.UID == int(st.Uid) || st.Uid == 0 && program.UID == os.Geteuid()
}

// mayName reports whether the program may make and remove names in a virtual
// directory, if its file system lets any program. configfs says so itself.
func (c *call) mayName(dir string) bool {
	n, _ := c.host.tree.Load().Lookup(dir)
	return inConfigfs(dir) || c.permit(dir, n, unix.W_OK) != unix.EACCES
}

// mayAccess is the kernel's check of a file's permissions.
func mayAccess(program *thread.Credentials, st *unix.Statx_t, want uint32) bool {
	if program.Has(unix.CAP_DAC_OVERRIDE) {
		return true
	}
	owner := int(st.Uid)
	if owner == 0 {
		owner = os.Geteuid()
	}
	bits := uint32(st.Mode)
	switch {
	case program.UID == owner:
		bits >>= 6
	case program.GID == int(st.Gid), slices.Contains(program.Groups, int(st.Gid)):
		bits >>= 3
	}
	return want&^bits == 0
}

// mayTraverse checks that the program may reach a virtual file by its path. All
// virtual directories can be traversed by every user, except debugfs.
func (c *call) mayTraverse(base, path string) error {
	if !inDebugfs(path) || path == debugfsRoot || inDebugfs(base) {
		return nil
	}
	return c.host.mayEnterDebugfs(c.tid())
}

// mayEnterDebugfs checks that a thread may reach what is in debugfs.
func (h *Host) mayEnterDebugfs(tid thread.ID) error {
	n, _ := h.tree.Load().Lookup(debugfsRoot)
	return h.permit(tid, debugfsRoot, n, unix.X_OK)
}
