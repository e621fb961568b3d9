package host

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/vfs"
)

// Handles of virtual files, see name_to_handle_at(2). Programs compare handles
// and mount IDs, to find mount points. No handle of a virtual file can be opened.

const (
	maxHandleSize    = 128  // MAX_HANDLE_SZ of linux/fs.h
	atHandleUniqueID = 0x1  // AT_HANDLE_MNT_ID_UNIQUE of linux/fcntl.h
	kernfsHandleType = 0xfe // FILEID_KERNFS of linux/exportfs.h
	handleSize       = 8    // of the inode number
)

func (c *call) nameToHandleAt() {
	dirfd, flags := c.fd(0), int(c.arg(4))
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
			c.onReal(path, unix.SYS_NAME_TO_HANDLE_AT, c.arg(2), c.arg(3), c.arg(4))
		})
}

// writeHandle writes the handle and the mount ID of a virtual file.
func (c *call) writeHandle(path string) error {
	if inDebugfs(path) {
		return unix.EOPNOTSUPP
	}
	n, _ := c.host.tree.Load().Lookup(path)
	if n == nil {
		n = &vfs.Node{}
	}
	st := c.host.statOf(path, n)
	var h [8 + handleSize]byte // struct file_handle: bytes u32, type i32, the handle
	if err := c.readMemory(h[:4], c.arg(2)); err != nil {
		return memoryError(err)
	}
	size := binary.NativeEndian.Uint32(h[:])
	if size > maxHandleSize {
		return unix.EINVAL
	}
	binary.NativeEndian.PutUint32(h[0:], handleSize)
	if size < handleSize {
		if err := c.write(c.arg(2), h[:4]); err != nil {
			return err
		}
		return unix.EOVERFLOW
	}
	binary.NativeEndian.PutUint32(h[4:], kernfsHandleType)
	binary.NativeEndian.PutUint64(h[8:], st.Ino)
	var mount [8]byte
	binary.NativeEndian.PutUint64(mount[:], st.Mnt_id)
	length := 4 // an int
	if c.arg(4)&atHandleUniqueID != 0 {
		length = 8
	}
	if err := c.write(c.arg(3), mount[:length]); err != nil {
		return err
	}
	return c.write(c.arg(2), h[:])
}

// openTree serves open_tree(2), which opens as O_PATH does, or clones a mount.
func (c *call) openTree() {
	flags := c.arg(2)
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
