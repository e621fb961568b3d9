package host

import (
	"path"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// Mkdir makes a directory, which only configfs allows.
func (v *VirtualFiles) Mkdir(tid int, at string) error {
	return v.changeNames(tid, at, true, func(dir, name string) error { return v.host.configfs.Mkdir(dir, name) })
}

// Rmdir removes a directory, which only configfs allows.
func (v *VirtualFiles) Rmdir(tid int, at string) error {
	return v.changeNames(tid, at, false, func(dir, name string) error { return v.host.configfs.Rmdir(dir + "/" + name) })
}

// Unlink removes a link, which only configfs allows, or the socket of udevd.
func (v *VirtualFiles) Unlink(tid int, at string) error {
	if at == udevControl {
		return v.host.removeUdev(thread.ID(tid))
	}
	return v.changeNames(tid, at, false, func(dir, name string) error { return v.host.configfs.Unlink(dir, name) })
}

// Symlink makes a link, which only configfs allows. Its target is looked up now,
// from the working directory.
func (v *VirtualFiles) Symlink(tid int, target, at string) error {
	return v.changeNames(tid, at, true, func(dir, name string) error {
		if !path.IsAbs(target) {
			var buf [unix.PathMax]byte
			cwd, err := thread.ID(tid).CWD(buf[:])
			if err != nil {
				return unix.EPERM
			}
			target = path.Join(string(cwd), target)
		}
		target = path.Clean(target)
		n, _ := v.host.tree.Load().Lookup(target)
		to, err := v.host.configfsPath(target)
		if err != nil || n == nil || n.Kind != vfs.Dir {
			return unix.EPERM
		}
		return v.host.configfs.Symlink(to, dir, name)
	})
}

func (v *VirtualFiles) changeNames(tid int, at string, makes bool, change func(dir, name string) error) error {
	parent, name := path.Split(at)
	by := configChange{thread.ID(tid), v.host.accounts.of(tid), path.Clean(parent), name, makes}
	err := v.host.changeConfigfs(by, func() {}, func(dir string) error { return change(dir, name) })
	if err == nil {
		return nil
	}
	return errnoOf(err)
}
