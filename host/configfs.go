package host

import (
	"path"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/configfs"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// Programs make directories and links below configfsRoot, and remove them. In all
// other virtual directories they may not: EPERM, as in sysfs.

const configfsRoot = "/sys/kernel/config"

// configfsDev is the minor device number of the virtual configfs.
const configfsDev = 0xfc0f6

// configfsMagic is CONFIGFS_MAGIC.
const configfsMagic = 0x62656570

func inConfigfs(path string) bool {
	rest, ok := strings.CutPrefix(path, configfsRoot)
	return ok && (rest == "" || rest[0] == '/')
}

// addConfigfs adds what is in the host's configfs.
func (h *Host) addConfigfs(t *vfs.Tree) {
	if h.configfs == nil {
		return
	}
	t.AddDir(configfsRoot)
	h.configfs.Walk(configfs.Visitor{
		Dir: func(path string) { t.AddDir(configfsRoot + "/" + path) },
		File: func(path string, a configfs.Attribute) {
			t.AddContent(configfsRoot+"/"+path, 0o644, vfs.Content{Show: a.Show, Store: a.Store})
		},
		Link: func(path, target string) {
			t.AddLink(configfsRoot+"/"+path, strings.Repeat("../", strings.Count(path, "/"))+target)
		},
	})
}

// configfsPath returns the path of a virtual file in configfs. EPERM for any
// other.
func (h *Host) configfsPath(path string) (string, error) {
	if h.configfs == nil || !inConfigfs(path) {
		return "", unix.EPERM
	}
	return strings.TrimPrefix(strings.TrimPrefix(path, configfsRoot), "/"), nil
}

// configItems are the directories and links that programs have made in configfs.
type configItems struct {
	mu       sync.Mutex              // held during a change
	accounts map[string]*drm.Account // charged for them, by path
}

// changeConfigfs makes a change of name in the directory dir, and shows it: it
// makes an item, or removes one. The worker is given up, as a change waits for
// other changes, and for requests of a card that goes.
func (c *call) changeConfigfs(dir, name string, makes bool, change func(dir string) error) error {
	by := configChange{c.tid(), c.account, dir, name, makes}
	return c.host.changeConfigfs(by, c.park, change)
}

// A configChange is a change of configfs by a thread: it makes an item, or removes
// one.
type configChange struct {
	tid       thread.ID
	account   *drm.Account
	dir, name string
	makes     bool
}

// changeConfigfs makes a change. It calls wait before it may wait.
func (h *Host) changeConfigfs(by configChange, wait func(), change func(dir string) error) error {
	dir := by.dir
	inside, err := h.configfsPath(dir)
	if err != nil {
		return err
	}
	n, _ := h.tree.Load().Lookup(dir)
	if n == nil {
		return unix.ENOENT
	}
	if !h.everyUser {
		program, err := by.tid.Credentials()
		if err != nil {
			return unix.EACCES
		}
		if st := h.statOf(dir, n); !mayAccess(&program, &st, unix.W_OK|unix.X_OK) {
			return unix.EACCES
		}
	}
	wait()
	items := &h.configItems
	items.mu.Lock()
	defer items.mu.Unlock()
	path, account := dir+"/"+by.name, by.account
	if by.makes {
		err = account.Charge(drm.ConfigItems, 1, unix.ENOMEM)
	} else {
		account = items.accounts[path]
	}
	if err == nil {
		err = change(inside)
		switch {
		case err == nil && by.makes:
			items.accounts[path] = account
		case err == nil:
			delete(items.accounts, path)
			account.Refund(drm.ConfigItems, 1)
		case by.makes:
			account.Refund(drm.ConfigItems, 1)
		}
	}
	if err != nil {
		h.log.Debug("host: a change of configfs is refused", "dir", dir, "err", err)
		return err
	}
	h.renew()
	return nil
}

// A newName is where a path leads whose last name may be new.
type newName struct{ dir, name string }

// newName resolves a path whose last name a call is to make. errNative says that
// the directory is real. EEXIST comes with the name.
func (c *call) newName(dirfd int32, addr uint64) (newName, error) {
	raw, err := c.readString(addr)
	if err != nil || len(raw) == 0 {
		return newName{}, errNative // the kernel knows the right error
	}
	return c.newNameOf(dirfd, raw)
}

// newNameOf does the same for a path that is read already.
func (c *call) newNameOf(dirfd int32, raw []byte) (newName, error) {
	full := strings.TrimRight(string(raw), "/")
	dir, name := path.Split(full)
	if name == "" || name == "." || name == ".." {
		return newName{}, errNative
	}
	if dir == "" {
		dir = "."
	}
	p, err := c.placeOf(dirfd, []byte(dir), vfs.Rules{})
	switch {
	case err != nil:
		return newName{}, err
	case p.Node == nil:
		return newName{}, errNative
	case p.Node.Kind != vfs.Dir:
		return newName{}, unix.ENOTDIR
	}
	child := strings.TrimSuffix(p.Path, "/") + "/" + name
	n, _ := c.host.tree.Load().Lookup(child)
	switch {
	case n != nil && (n.Kind != vfs.Dir || n.Own()) && !p.Node.Own() && !c.Shows(child):
		return newName{}, errNative
	case n != nil && (n.Kind != vfs.Dir || n.Own() || !p.native):
		return newName{p.Path, name}, unix.EEXIST
	case p.native:
		return newName{}, errNative
	}
	return newName{p.Path, name}, nil
}

func (c *call) makeName(dirfd int32, addr uint64, make func(n newName) error) {
	n, err := c.newName(dirfd, addr)
	if err == errNative {
		c.proceed()
		return
	}
	if err == nil && c.isReadOnly(n.dir+"/"+n.name) {
		err = unix.EROFS
	}
	if err == nil && !c.mayName(n.dir) {
		err = unix.EACCES
	}
	if err == nil {
		err = make(n)
	}
	c.finish(err)
}

func (c *call) mkdir()   { c.mkdirPath(unix.AT_FDCWD, c.arg(0)) }
func (c *call) mkdirat() { c.mkdirPath(c.fd(0), c.arg(1)) }

func (c *call) mkdirPath(dirfd int32, addr uint64) {
	c.makeName(dirfd, addr, func(n newName) error {
		return c.changeConfigfs(n.dir, n.name, true, func(dir string) error { return c.host.configfs.Mkdir(dir, n.name) })
	})
}

func (c *call) symlink()   { c.symlinkPath(c.arg(0), unix.AT_FDCWD, c.arg(1)) }
func (c *call) symlinkat() { c.symlinkPath(c.arg(0), c.fd(1), c.arg(2)) }

// symlinkPath makes a link. Its target is looked up now, as in the kernel's
// configfs, from the working directory.
func (c *call) symlinkPath(target uint64, dirfd int32, addr uint64) {
	if text, err := c.readString(target); err != nil || len(text) == 0 {
		c.proceed() // EFAULT or ENOENT
		return
	}
	c.makeName(dirfd, addr, func(n newName) error {
		to, refused := c.linkTarget(target)
		return c.changeConfigfs(n.dir, n.name, true, func(dir string) error {
			if refused != nil {
				return refused
			}
			return c.host.configfs.Symlink(to, dir, n.name)
		})
	})
}

// linkTarget returns the path in configfs of the directory that a link is to
// lead to.
func (c *call) linkTarget(target uint64) (string, error) {
	p, err := c.place(unix.AT_FDCWD, target, true)
	switch {
	case err == errNative, err == nil && p.Node == nil:
		return "", unix.EPERM // a file of another file system, or of none
	case err != nil:
		return "", err
	case p.Node.Kind != vfs.Dir:
		return "", unix.EPERM
	}
	return c.host.configfsPath(p.Path)
}

func (c *call) rmdir()  { c.remove(unix.AT_FDCWD, c.arg(0), true) }
func (c *call) unlink() { c.remove(unix.AT_FDCWD, c.arg(0), false) }

func (c *call) unlinkat() { c.remove(c.fd(0), c.arg(1), c.arg(2)&unix.AT_REMOVEDIR != 0) }

// remove removes a directory or a link of configfs, or the socket of udevd.
func (c *call) remove(dirfd int32, addr uint64, directory bool) {
	p, err := c.place(dirfd, addr, false)
	switch {
	case err == errNative, err == nil && (p.native || p.Node == nil):
		c.proceed()
		return
	case err == nil && !c.mayName(path.Dir(p.Path)):
		err = unix.EACCES
	case err == nil && directory && p.Node.Kind != vfs.Dir:
		err = unix.ENOTDIR
	case err == nil && !directory && p.Node.Kind == vfs.Dir:
		err = unix.EISDIR
	}
	if err == nil && directory && !inKernel(p.Path) && len(p.Node.Entries()) > 0 {
		err = unix.ENOTEMPTY
	}
	if err == nil && p.Path == udevControl {
		c.park()
		c.finish(c.host.removeUdev(c.tid()))
		return
	}
	if err == nil {
		parent, name := path.Split(p.Path)
		err = c.changeConfigfs(path.Clean(parent), name, false, func(dir string) error {
			if directory {
				return c.host.configfs.Rmdir(dir + "/" + name)
			}
			return c.host.configfs.Unlink(dir, name)
		})
	}
	c.finish(err)
}
