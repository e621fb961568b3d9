package shadow

import (
	"os"

	"golang.org/x/sys/unix"
)

// newDetached makes a private directory that lies in no other: the root of a
// tmpfs that is mounted nowhere. So ".." of a program's descriptor ends at the
// root, whatever root and mount namespace the program has, and nothing is left
// when the process ends. It takes CAP_SYS_ADMIN.
func newDetached() (*Dirs, error) {
	context, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("fsopen", err)
	}
	defer unix.Close(context)
	if err := unix.FsconfigSetString(context, "mode", "0755"); err != nil {
		return nil, os.NewSyscallError("fsconfig", err)
	}
	if err := unix.FsconfigCreate(context); err != nil {
		return nil, os.NewSyscallError("fsconfig", err)
	}
	mount, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("fsmount", err)
	}
	defer unix.Close(mount)
	// The descriptor of fsmount is an O_PATH one, which no program can be given.
	root, err := unix.Openat(mount, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("open", err)
	}
	return newDirs("", os.NewFile(uintptr(root), "tmpfs")), nil
}
