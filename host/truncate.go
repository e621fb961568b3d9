package host

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// truncate serves truncate(2). Files of sysfs keep their content.
func (c *call) truncate() {
	c.atPath(unix.AT_FDCWD, c.arg(0), true,
		func(opened) { c.fail(unix.EINVAL) },
		func(p place) {
			switch {
			case int64(c.arg(1)) < 0:
				c.fail(unix.EINVAL)
			case p.Node.Kind == vfs.Dir:
				c.fail(unix.EISDIR)
			case p.Node.Kind != vfs.File || p.Node.Socket():
				c.fail(unix.EINVAL)
			default:
				c.finish(c.permit(p.Path, p.Node, unix.W_OK))
			}
		},
		func(path string) {
			c.withPath(path, func(x *thread.Tracee, addr uint64) (int64, error) {
				return x.Syscall(unix.SYS_TRUNCATE, [6]uint64{addr, c.arg(1), 5: pathCookie << 32})
			})
		})
}
