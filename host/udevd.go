package host

import (
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/mounts"
	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/udev"
	"github.com/udrm/udrm/host/internal/vfs"
)

// A program that starts its own udevd, as systemd-udevd does, removes the virtual
// socket at udevControl and binds another. From then on its database and
// its numberLinks are real, and this process sends the kernel's messages only.
const (
	udevDir     = "/run/udev"
	udevControl = udevDir + "/control" // programs look for it to see whether udevd runs
	numberLinks = "/dev/char"          // links of udev to nodes, by their numbers
)

// addUdev adds the socket of udevd, and hides what the machine's says of real cards.
func (h *Host) addUdev(t *vfs.Tree) {
	if h.udevGone.Load() {
		return
	}
	t.Hide(numberLinks, func(name string) bool { return strings.HasPrefix(name, "226:") })
	t.Hide(udevDir+"/data", func(name string) bool {
		return strings.HasPrefix(name, "c226:") || strings.HasPrefix(name, "+drm:")
	})
	t.AddFile(udevControl, 0o600, nil)
}

// addRecord adds a record to udev's database.
func (h *Host) addRecord(t *vfs.Tree, id string, record *udev.Record) {
	if h.udevGone.Load() {
		return
	}
	t.AddFile(udevDir+"/data/"+id, 0o644, constant(record.String()))
	for _, tag := range record.Tags {
		t.AddFile(udevDir+"/tags/"+tag+"/"+id, 0o444, constant(""))
	}
}

// addNumberLink adds the link of udev to a node by its number.
func (h *Host) addNumberLink(t *vfs.Tree, number, target string) {
	if !h.udevGone.Load() {
		t.AddLink(numberLinks+"/"+number, target)
	}
}

// removeUdev removes the virtual files of udev for a thread that removes the socket.
// EPERM if the machine has one, which is that of its own udevd, and in a sandbox: other
// programs would not see what a udevd there writes.
func (h *Host) removeUdev(tid thread.ID) error {
	var st unix.Stat_t
	n, _ := h.tree.Load().Lookup(udevDir)
	if n == nil || unix.Lstat(udevControl, &st) == nil || !h.isOutside(tid) {
		return unix.EPERM
	}
	program, err := tid.Credentials()
	if err != nil {
		return unix.EACCES
	}
	if st := h.statOf(udevDir, n); !mayAccess(&program, &st, unix.W_OK|unix.X_OK) {
		return unix.EACCES
	}
	if err := h.mounts.uncover(udevDir, numberLinks); err != nil {
		h.log.Error("host: programs cannot run a udevd", "err", err)
		return unix.EPERM
	}
	h.treeMu.Lock()
	if !h.udevGone.Load() {
		h.foreignUdevs = udevSockets()
		h.udevGone.Store(true)
	}
	h.treeMu.Unlock()
	h.renew()
	return nil
}

// isOutside reports whether a thread has the root and the mounts with which programs
// are started.
func (h *Host) isOutside(tid thread.ID) bool {
	if h.mounts != nil {
		return tid.InMounts(h.mounts.namespace.Roots().Namespace)
	}
	return tid.InOurRoot()
}

// uncover lets programs that run make files in covered directories, which are empty then.
func (m *mounted) uncover(dirs ...string) error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var changes []mounts.Change
	for _, dir := range dirs {
		if slices.Contains(m.unions, dir) {
			changes = append(changes, mounts.Change{Path: dir, Gone: true, Left: true})
		}
		m.unions = slices.DeleteFunc(m.unions, func(at string) bool { return at == dir || strings.HasPrefix(at, dir+"/") })
	}
	if len(changes) == 0 {
		return nil
	}
	return m.namespace.Change(changes)
}

// hasOtherUdevd reports whether a udevd of the programs hears the kernel's messages
// and sends its own.
func (h *Host) hasOtherUdevd() bool {
	if !h.udevGone.Load() {
		return false
	}
	return slices.ContainsFunc(udevSockets(), func(inode uint32) bool { return !slices.Contains(h.foreignUdevs, inode) })
}

// udevSockets returns the inodes of the sockets that accept connections at
// udevControl, in whatever root, except those that other users have made.
func udevSockets() (inodes []uint32) {
	listeners, _ := udev.Listeners(udevControl)
	for _, l := range listeners {
		if l.UID == 0 || int(l.UID) == os.Geteuid() {
			inodes = append(inodes, l.Inode)
		}
	}
	return inodes
}
