package host

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/vfs"
)

// Handles of virtual files, see name_to_handle_at(2). Programs compare handles
// and mount IDs, to find mount points. No handle of a virtual file can be opened.

const (
	maxHandleSize      = 128   // MAX_HANDLE_SZ of linux/fs.h
	atHandleUniqueID   = 0x1   // AT_HANDLE_MNT_ID_UNIQUE of linux/fcntl.h
	atHandleConnected  = 0x2   // AT_HANDLE_CONNECTABLE
	atHandleFID        = 0x200 // AT_HANDLE_FID
	tmpfsHandleType    = 0x1   // the one that tmpfs has: generation, inode number
	fileIDINO64GenType = 0x81  // FILEID_INO64_GEN of linux/exportfs.h: inode number, generation
	handleSize         = 12
)

func (c *call) nameToHandleAt() {
	dirfd, flags := c.fd(0), int(c.arg(4))
	if flags&^(unix.AT_SYMLINK_FOLLOW|unix.AT_EMPTY_PATH|atHandleFID|atHandleUniqueID|atHandleConnected) != 0 {
		c.fail(unix.EINVAL)
		return
	}
	if flags&unix.AT_EMPTY_PATH != 0 && c.emptyPath(c.arg(1)) {
		c.atFD(dirfd, func(o opened) {
			if o.dmaBuf != nil {
				c.fail(unix.EOPNOTSUPP)
				return
			}
			path := o.path
			if o.file != nil {
				path = c.host.shownPath(o)
			}
			c.finish(c.writeHandle(path))
		})
		return
	}
	c.atPath(dirfd, c.arg(1), flags&unix.AT_SYMLINK_FOLLOW != 0,
		func(opened) { c.fail(unix.EOPNOTSUPP) }, // a link of /proc
		func(p place) { c.finish(c.writeHandle(p.Path)) },
		func(path string) {
			c.needs(c.arg(2), 8, true)
			if size, err := c.handleRoom(); err == nil {
				c.needs(c.arg(2), 8+uint64(size), true)
			}
			c.needs(c.arg(3), 8, true)
			c.onReal(path, unix.SYS_NAME_TO_HANDLE_AT, c.arg(2), c.arg(3), c.arg(4))
		})
}

// writeHandle writes the handle and the mount ID of a virtual file. Those of sysfs
// have handles that cannot be opened only.
func (c *call) writeHandle(path string) error {
	flags := c.arg(4)
	inSys := fileSystem(path) == "/sys"
	if inSys && flags&atHandleFID == 0 || flags&atHandleConnected != 0 {
		return unix.EOPNOTSUPP
	}
	n, _ := c.host.tree.Load().Lookup(path)
	if n == nil {
		n = &vfs.Node{}
	}
	st := c.host.statOf(path, n)
	size, err := c.handleRoom()
	if err != nil {
		return err
	}
	var h [8 + handleSize]byte // struct file_handle: bytes u32, type i32, the handle
	var mount [8]byte
	length := 4 // an int
	if flags&atHandleUniqueID != 0 {
		length = 8
		st.Mnt_id = uniqueMount(path)
	}
	binary.NativeEndian.PutUint64(mount[:], st.Mnt_id)
	if err := c.write(c.arg(3), mount[:length]); err != nil {
		return err
	}
	binary.NativeEndian.PutUint32(h[0:], handleSize)
	if size < handleSize {
		if err := c.write(c.arg(2), h[:4]); err != nil {
			return err
		}
		return unix.EOVERFLOW
	}
	if inSys {
		binary.NativeEndian.PutUint32(h[4:], fileIDINO64GenType)
		binary.NativeEndian.PutUint64(h[8:], st.Ino)
		binary.NativeEndian.PutUint32(h[16:], 1)
	} else {
		binary.NativeEndian.PutUint32(h[4:], tmpfsHandleType)
		binary.NativeEndian.PutUint32(h[8:], 1)
		binary.NativeEndian.PutUint64(h[12:], st.Ino)
	}
	return c.write(c.arg(2), h[:])
}

// handleRoom returns how much room the program has for a handle.
func (c *call) handleRoom() (uint32, error) {
	var size [4]byte
	if err := c.readMemory(size[:], c.arg(2)); err != nil {
		return 0, memoryError(err)
	}
	if n := binary.NativeEndian.Uint32(size[:]); n <= maxHandleSize {
		return n, nil
	}
	return 0, unix.EINVAL
}

// openTree serves open_tree(2), which opens as O_PATH does, or clones a mount.
func (c *call) openTree() {
	flags := c.arg(2)
	const known = unix.AT_EMPTY_PATH | unix.AT_NO_AUTOMOUNT | unix.AT_RECURSIVE | unix.AT_SYMLINK_NOFOLLOW | unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC
	if flags&^known != 0 || flags&(unix.AT_RECURSIVE|unix.OPEN_TREE_CLONE) == unix.AT_RECURSIVE {
		c.proceed() // EINVAL
		return
	}
	if flags&unix.AT_EMPTY_PATH != 0 && c.emptyPath(c.arg(1)) {
		c.proceed()
		return
	}
	if flags&unix.OPEN_TREE_CLONE != 0 {
		p, err := c.place(c.fd(0), c.arg(1), flags&unix.AT_SYMLINK_NOFOLLOW == 0)
		switch {
		case err == errNative, err == nil && p.native:
			c.proceed()
		case err != nil:
			c.fail(err)
		case !c.capable(unix.CAP_SYS_ADMIN):
			c.fail(unix.EPERM)
		default:
			c.fail(unix.EINVAL)
		}
		return
	}
	open := unix.O_PATH | int(flags)&unix.O_CLOEXEC
	if flags&unix.AT_SYMLINK_NOFOLLOW != 0 {
		open |= unix.O_NOFOLLOW
	}
	c.openPath(c.fd(0), c.arg(1), open, 0)
}
