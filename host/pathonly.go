package host

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/vfs"
)

// No process can give another one a descriptor that is opened with O_PATH: the kernel
// passes on none. So a program gets a file that it can neither read nor write, and a
// directory with a mark. The calls that are handed over refuse them as the kernel
// does (EBADF).

// pathOnlyMark stands for O_PATH in the flags of a directory. It has no effect there.
const pathOnlyMark = unix.O_ASYNC

// pathOnly reports whether a descriptor of a virtual file stands for one that was
// opened with O_PATH.
func (c *call) pathOnly(fd int32) bool {
	if c.tid().PathOnly(fd) {
		return true
	}
	flags, err := c.tid().FDFlags(int(fd))
	if err != nil || flags&pathOnlyMark == 0 {
		return false
	}
	n, _ := c.host.tree.Load().Lookup(c.opened(fd).path)
	return n != nil && n.Kind == vfs.Dir // files open for writing can have the flag too
}

// proceedUnlessPath lets the kernel run a call on a descriptor, except on one that
// stands for one of O_PATH.
func (c *call) proceedUnlessPath() {
	if c.host.mounts == nil && c.host.hasGiven() && c.opened(c.fd(0)).path != "" && c.pathOnly(c.fd(0)) {
		c.fail(unix.EBADF)
		return
	}
	c.proceed()
}
