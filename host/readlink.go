package host

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/vfs"
)

func (c *call) readlink() {
	c.readlinkPath(unix.AT_FDCWD, c.arg(0), c.arg(1), c.arg(2))
}

func (c *call) readlinkat() {
	if !c.emptyPath(c.arg(1)) {
		c.readlinkPath(c.fd(0), c.arg(1), c.arg(2), c.arg(3))
		return
	}
	// The link itself is open, with O_PATH|O_NOFOLLOW.
	o := c.opened(c.fd(0))
	if o.path == "" {
		c.proceed()
		return
	}
	n, _ := c.host.tree.Load().Lookup(o.path)
	if n == nil || n.Kind != vfs.Link {
		c.fail(unix.ENOENT)
		return
	}
	c.writeLink(n.Target, c.arg(2), c.arg(3))
}

func (c *call) readlinkPath(dirfd int32, addr, buf, size uint64) {
	p, err := c.place(dirfd, addr, false)
	switch {
	case err == errNative, c.host.mounts != nil && (err != nil || !isMagic(p.Path)):
		c.proceed()
	case err != nil:
		c.fail(err)
	case p.Node != nil && p.Node.Kind == vfs.Link:
		c.writeLink(p.Node.Target, buf, size)
	case p.Node != nil && !p.native:
		c.fail(unix.EINVAL)
	case isMagic(p.Path):
		o, _, err := c.magic(p.Path)
		if err != nil || o == (opened{}) {
			c.proceed()
			return
		}
		c.writeLink(c.host.shownPath(o), buf, size)
	case p.native:
		c.proceed()
	default:
		c.needs(buf, min(size, unix.PathMax), true)
		c.onReal(p.Path, unix.SYS_READLINKAT, buf, size)
	}
}

// writeLink answers readlink, which truncates what does not fit.
func (c *call) writeLink(target string, buf, size uint64) {
	n := int(int32(size))
	if n <= 0 {
		c.fail(unix.EINVAL)
		return
	}
	n = min(n, len(target))
	if err := c.write(buf, []byte(target[:n])); err != nil {
		c.fail(err)
		return
	}
	c.ret(int64(n))
}

// getcwd hides that the working directory is a copy.
func (c *call) getcwd() {
	base, private, err := c.base(unix.AT_FDCWD)
	switch {
	case err == errNative, err == nil && !private:
		c.proceed()
	case err != nil:
		c.fail(err)
	case uint64(len(base)) >= c.arg(1):
		c.fail(unix.ERANGE)
	default:
		if err := c.write(c.arg(0), append([]byte(base), 0)); err != nil {
			c.fail(err)
			return
		}
		c.ret(int64(len(base) + 1))
	}
}
