package host

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// truncate serves truncate(2). Files of sysfs keep their content.
func (c *call) truncate() {
	c.atPath(unix.AT_FDCWD, c.arg(0), true,
		func(o opened) {
			n, _ := c.host.tree.Load().Lookup(o.path)
			if n == nil || o.file != nil || o.dmaBuf != nil {
				c.fail(unix.EINVAL)
				return
			}
			c.truncateVirtual(o.path, n)
		},
		func(p place) { c.truncateVirtual(p.Path, p.Node) },
		func(path string) {
			c.withPath(path, func(x *thread.Tracee, addr uint64) (int64, error) {
				return x.Syscall(unix.SYS_TRUNCATE, [6]uint64{addr, c.arg(1), 5: pathCookie << 32})
			})
		})
}

func (c *call) truncateVirtual(path string, n *vfs.Node) {
	switch {
	case int64(c.arg(1)) < 0:
		c.fail(unix.EINVAL)
	case n.Kind == vfs.Dir:
		c.fail(unix.EISDIR)
	case n.Kind != vfs.File || n.Socket():
		c.fail(unix.EINVAL)
	default:
		c.finish(c.permit(path, n, unix.W_OK))
	}
}
