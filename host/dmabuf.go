package host

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/gem"
)

// A dma-buf is, in a program, a descriptor that the kernel knows how to poll,
// and can do nothing else with (see package pollfd). What else a
// program may do with one is served here, and, for mmap, in inject.go.

// dmaBuf returns the dma-buf that a descriptor is of, nil when it is of another
// file. Most calls that ask have nothing to do with any, and most programs have
// none.
func (c *call) dmaBuf(fd int32) *gem.DMABuf {
	var st unix.Stat_t
	if gem.DMABufs() == 0 || c.tid().StatFD(fd, &st) != nil {
		return nil
	}
	return gem.LookupDMABuf(&st)
}

// dmaBufIoctl serves the requests of linux/dma-buf.h.
func (c *call) dmaBufIoctl() {
	d := c.dmaBuf(c.fd(0))
	if d == nil {
		c.proceed()
		return
	}
	r := c.request()
	err := d.Ioctl(r, r, uint32(c.arg(1)), c.arg(2))
	r.end()
	if err != nil {
		c.fail(drm.Errno(err))
		return
	}
	c.ret(0)
}

// terminalType is the type of the requests of terminals.
const terminalType = 'T'

// terminalIoctl refuses what would change what a dma-buf says to poll, also to
// others who have it, or keep us from changing it.
func (c *call) terminalIoctl() {
	if c.dmaBuf(c.fd(0)) == nil {
		c.proceed()
		return
	}
	c.fail(unix.ENOTTY)
}

// lseek tells the size of a dma-buf.
func (c *call) lseek() {
	d := c.dmaBuf(c.fd(0))
	if d == nil {
		c.proceed()
		return
	}
	at, err := d.Seek(int64(c.arg(1)), int(c.arg(2)))
	if err != nil {
		c.fail(err)
		return
	}
	c.ret(at)
}

// dmaBufDev is the minor number of the file system of dma-bufs. Kernels give
// the numbers of file systems without a device in the order of mounting.
const dmaBufDev = 0xdb

// statOfDMABuf is what stat says of a dma-buf: a file of no type.
func statOfDMABuf(d *gem.DMABuf) unix.Statx_t {
	return unix.Statx_t{
		Mask: unix.STATX_BASIC_STATS &^ unix.STATX_TYPE, Mode: 0o600, Nlink: 1, Blksize: uint32(os.Getpagesize()),
		Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid()),
		Ino: d.Inode(), Size: d.Size(), Dev_minor: dmaBufDev,
	}
}
