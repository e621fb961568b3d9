package host

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/gem"
)

// A program has a dma-buf as a descriptor that the kernel can poll and nothing
// else (see package pollfd). All other calls are served here, and mmap in
// inject.go.

// dmaBuf returns the dma-buf that a descriptor refers to, or nil.
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
		c.proceedUnlessPath()
		return
	}
	r := c.request()
	err := c.host.class.Ioctl(r, d, r, uint32(c.arg(1)), c.arg(2))
	r.end()
	if err != nil {
		c.fail(drm.Errno(err))
		return
	}
	c.ret(0)
}

// terminalType is the type of the requests of terminals.
const terminalType = 'T'

// terminalIoctl refuses the requests that would change what poll reports of a
// dma-buf, also to its other holders, or keep this process from changing it.
func (c *call) terminalIoctl() {
	if isVTRequest(uint32(c.arg(1))) {
		c.vtIoctl()
		return
	}
	if c.dmaBuf(c.fd(0)) == nil {
		c.proceedUnlessPath()
		return
	}
	c.fail(unix.ENOTTY)
}

// lseek returns the size of a dma-buf.
func (c *call) lseek() {
	d := c.dmaBuf(c.fd(0))
	if d == nil {
		c.chardevSeek()
		return
	}
	at, err := d.Seek(int64(c.arg(1)), int(c.arg(2)))
	if err != nil {
		c.fail(err)
		return
	}
	c.retOffset(at)
}

// dmaBufDev is the minor number of the file system of dma-bufs. Kernels number
// file systems without a device in the order of mounting.
const dmaBufDev = 0xdb

// statOfDMABuf returns what stat reports of a dma-buf: a file of no type.
func statOfDMABuf(d *gem.DMABuf) unix.Statx_t {
	return unix.Statx_t{
		Mask: unix.STATX_BASIC_STATS &^ unix.STATX_TYPE, Mode: 0o600, Nlink: 1, Blksize: uint32(os.Getpagesize()),
		Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid()),
		Ino: d.Inode(), Size: d.Size(), Dev_minor: dmaBufDev,
	}
}
