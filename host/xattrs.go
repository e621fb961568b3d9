package host

import (
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// xattrs are the extended attributes that programs have set on virtual files, until
// the files are removed. The zero value is ready.
type xattrs struct {
	mu     sync.Mutex
	byPath map[string]map[string]xattr
}

// An xattr is one attribute.
type xattr struct {
	value   string
	size    int64        // of its path, name and value
	account *drm.Account // charged for the size
}

func (x *xattrs) get(path, name string) (value string, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	a, ok := x.byPath[path][name]
	return a.value, ok
}

// list returns the names that a thread may see, each with a zero byte at its end.
func (x *xattrs) list(tid thread.ID, path string) string {
	x.mu.Lock()
	var names []string
	for name := range x.byPath[path] {
		names = append(names, name+"\x00")
	}
	x.mu.Unlock()
	isTrusted := func(name string) bool { return strings.HasPrefix(name, "trusted.") }
	if slices.ContainsFunc(names, isTrusted) && !hasCapability(tid, tid.Status(), unix.CAP_SYS_ADMIN) {
		names = slices.DeleteFunc(names, isTrusted)
	}
	slices.Sort(names)
	return strings.Join(names, "")
}

// set sets an attribute and charges it to an account: ENOSPC beyond its quota.
func (x *xattrs) set(account *drm.Account, path, name, value string, flags uint32) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	old, set := x.byPath[path][name]
	switch {
	case set && flags&unix.XATTR_CREATE != 0:
		return unix.EEXIST
	case !set && flags&unix.XATTR_REPLACE != 0:
		return unix.ENODATA
	}
	size := int64(len(path) + len(name) + len(value))
	if err := account.Charge(drm.XattrBytes, size, unix.ENOSPC); err != nil {
		return err
	}
	old.account.Refund(drm.XattrBytes, old.size)
	if x.byPath == nil {
		x.byPath = make(map[string]map[string]xattr)
	}
	if x.byPath[path] == nil {
		x.byPath[path] = make(map[string]xattr)
	}
	x.byPath[path][name] = xattr{value, size, account}
	return nil
}

func (x *xattrs) remove(path, name string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	a, set := x.byPath[path][name]
	if !set {
		return unix.ENODATA
	}
	a.account.Refund(drm.XattrBytes, a.size)
	if delete(x.byPath[path], name); len(x.byPath[path]) == 0 {
		delete(x.byPath, path)
	}
	return nil
}

// prune forgets the files that tree no longer has.
func (x *xattrs) prune(tree *vfs.Tree) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for path, attributes := range x.byPath {
		if n, _ := tree.Lookup(path); n != nil {
			continue
		}
		for _, a := range attributes {
			a.account.Refund(drm.XattrBytes, a.size)
		}
		delete(x.byPath, path)
	}
}

// permitXattr checks that a thread may read or write an attribute. As in the kernel,
// what it may not read seems not to be there.
func (h *Host) permitXattr(tid thread.ID, path string, n *vfs.Node, name string, writes bool) error {
	namespace, _, _ := strings.Cut(name, ".")
	refused := unix.ENODATA
	if writes {
		refused = unix.EPERM
	}
	switch {
	case namespace == "user" && (n.Kind == vfs.Char || n.Kind == vfs.Link || n.Kind == vfs.File && n.Socket()):
		return refused
	case namespace == "user", !slices.Contains([]string{"trusted", "security", "system"}, namespace) && n.Kind != vfs.Char:
		want := uint32(unix.R_OK)
		if writes {
			want = unix.W_OK
		}
		program, err := tid.Credentials()
		if st := h.statOf(path, n); err == nil && !h.everyUser && !mayAccess(&program, &st, want) {
			return unix.EACCES
		}
	case namespace == "trusted", namespace == "security" && writes:
		if !hasCapability(tid, tid.Status(), unix.CAP_SYS_ADMIN) {
			return refused
		}
	}
	return nil
}

// inKernel reports whether a virtual file seems to lie in a file system whose files
// have no pages.
func inKernel(path string) bool { return strings.HasPrefix(path, "/sys/") }

// accessLists are the attributes in which file systems show access control lists.
var accessLists = []string{"system.posix_acl_access", "system.posix_acl_default"}

// hasAccessLists reports whether the file system of a virtual file can have access
// control lists. Those of udrm have none.
func hasAccessLists(path string) bool { return !inKernel(path) }

// xattrNamespace checks that the file system of a virtual file has attributes with
// such a name.
func xattrNamespace(path, name string, writes bool) error {
	namespace, rest, _ := strings.Cut(name, ".")
	switch {
	case path == "", inDebugfs(path), inConfigfs(path), !strings.HasPrefix(name, namespace+"."):
		return unix.EOPNOTSUPP
	case namespace != "user" && namespace != "trusted" && namespace != "security":
		return unix.EOPNOTSUPP
	case rest == "":
		return unix.EINVAL
	case namespace == "user" && writes && inKernel(path):
		return unix.EOPNOTSUPP
	}
	return nil
}

func (h *Host) getXattr(path, name string) (string, error) {
	if slices.Contains(accessLists, name) && hasAccessLists(path) {
		return "", unix.ENODATA
	}
	if err := xattrNamespace(path, name, false); err != nil {
		return "", err
	}
	value, set := h.xattrs.get(path, name)
	if !set {
		return "", unix.ENODATA
	}
	return value, nil
}

func (h *Host) setXattr(account *drm.Account, path, name, value string, flags uint32) error {
	if err := xattrNamespace(path, name, true); err != nil {
		return err
	}
	return h.xattrs.set(account, path, name, value, flags)
}

func (h *Host) removeXattr(path, name string) error {
	if slices.Contains(accessLists, name) && hasAccessLists(path) {
		return nil // there is none
	}
	if err := xattrNamespace(path, name, true); err != nil {
		return err
	}
	return h.xattrs.remove(path, name)
}

// Xattr returns an extended attribute of the file at path.
func (v *VirtualFiles) Xattr(path, name string) (string, error) { return v.host.getXattr(path, name) }

// Xattrs returns the names of the attributes of the file at path that a thread may
// see, each with a zero byte at its end.
func (v *VirtualFiles) Xattrs(tid int, path string) string {
	return v.host.xattrs.list(thread.ID(tid), path)
}

// SetXattr sets an extended attribute for a thread, with flags as of setxattr(2).
func (v *VirtualFiles) SetXattr(tid int, path, name, value string, flags uint32) error {
	n, _ := v.host.tree.Load().Lookup(path)
	if n == nil {
		return unix.EOPNOTSUPP
	}
	if err := v.host.permitXattr(thread.ID(tid), path, n, name, true); err != nil {
		return err
	}
	if err := v.host.setXattr(v.host.accounts.of(tid), path, name, value, flags); err != nil {
		return errnoOf(err)
	}
	return nil
}

// RemoveXattr removes an extended attribute.
func (v *VirtualFiles) RemoveXattr(path, name string) error { return v.host.removeXattr(path, name) }
