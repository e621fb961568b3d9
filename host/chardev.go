package host

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/vfs"
	"github.com/udrm/udrm/internal/pollfd"
)

// A drm.Chardev is opened as the memfd that holds its content. So the kernel
// reads, writes, seeks and maps it. Only ioctls, questions about the descriptor,
// seeks to the end and mappings of a removed device are served here. The kernel does not tell when it is closed.

// fbdevMagic is the type of the requests of linux/fb.h.
const fbdevMagic = 'F'

// chardevs are the character devices that programs have opened, by the memfd of
// their content. The kernel never reuses the inode of a memfd. The zero value is
// empty.
type chardevs struct {
	any atomic.Bool // one was opened

	mu    sync.Mutex
	known map[pollfd.ID]chardevFile
}

// A chardevFile is an open character device. It is a type for [drm.Class.Ioctl].
type chardevFile struct {
	path string
	dev  *drm.Chardev // nil when it is removed
}

// Ioctl serves one request.
func (f chardevFile) Ioctl(ctx context.Context, caller drm.Caller, cmd uint32, arg uint64) error {
	if f.dev == nil {
		return fmt.Errorf("host: request %#x on %s: the device is removed: %w", cmd, f.path, unix.ENODEV)
	}
	return f.dev.Ioctl(ctx, caller, cmd, arg)
}

func (s *chardevs) add(id pollfd.ID, f chardevFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = make(map[pollfd.ID]chardevFile)
	}
	s.known[id] = f
	s.any.Store(true)
}

// mayHave reports whether a link of /proc may be that of a character device. find
// decides.
func (s *chardevs) mayHave(link []byte) bool {
	return s.any.Load() && bytes.HasPrefix(link, []byte("/memfd:"))
}

func (s *chardevs) find(id pollfd.ID) (f chardevFile, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok = s.known[id]
	return f, ok
}

// forget notes that a device is removed: requests on its open files fail from
// then on.
func (s *chardevs) forget(dev *drm.Chardev) {
	if dev == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, f := range s.known {
		if f.dev == dev {
			s.known[id] = chardevFile{path: f.path}
		}
	}
}

// openChardev gives the program the content of a character device.
func (c *call) openChardev(p place, flags int) {
	fd, err := c.host.openChardev(p.Path, p.Node, flags)
	if err != nil {
		c.fail(err)
		return
	}
	c.retFD(fd, flags&unix.O_CLOEXEC != 0)
}

func (h *Host) openChardev(path string, n *vfs.Node, flags int) (fd int, err error) {
	m, err := n.Chardev.Memory()
	if err != nil {
		return -1, err
	}
	defer m.Release()
	var st unix.Stat_t
	if err := unix.Fstat(m.FD, &st); err != nil {
		return -1, err
	}
	// Programs may not open the memory of buffers again, but who may open this
	// file may write to it.
	if err := unix.Fchmod(m.FD, 0o600); err != nil {
		return -1, err
	}
	fd, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", m.FD), flags&unix.O_ACCMODE|unix.O_CLOEXEC, 0)
	if err == nil {
		h.chardevs.add(pollfd.IDOf(&st), chardevFile{path, n.Chardev})
	}
	return fd, err
}

// chardev returns the character device that a descriptor refers to.
func (c *call) chardev(fd int32) (f chardevFile, ok bool) {
	link, err := c.tid().FD(int(fd), c.linkBuf[:])
	if err != nil || !c.host.chardevs.mayHave(link) {
		return f, false
	}
	var st unix.Stat_t
	if c.tid().IdentifyFD(fd, &st) != nil {
		return f, false
	}
	return c.host.chardevs.find(pollfd.IDOf(&st))
}

// chardevIoctl serves a request on a character device.
func (c *call) chardevIoctl() {
	f, ok := c.chardev(c.fd(0))
	if !ok {
		c.proceed()
		return
	}
	c.host.files.Drain(c) // the master of the card may have been closed just now
	r := c.request()
	err := c.send(r, f)
	r.end()
	if err != nil {
		c.fail(drm.Errno(err))
		return
	}
	c.ret(0)
}

// chardevMmap refuses a mapping of a character device that is removed, and of a file
// that only stands for a virtual one. The kernel makes the others, and refuses what
// no device can do before it asks the device.
func (c *call) chardevMmap() {
	f, ok := c.chardev(c.fd(4))
	if o := c.opened(c.fd(4)); !ok && o.path != "" {
		if c.pathOnly(c.fd(4)) {
			c.fail(unix.EBADF)
			return
		}
		if c.arg(1) != 0 && c.arg(5)%uint64(os.Getpagesize()) == 0 && inKernel(o.path) {
			c.fail(unix.ENODEV)
			return
		}
	}
	if !ok || f.dev != nil || c.arg(1) == 0 || c.arg(5)%uint64(os.Getpagesize()) != 0 {
		c.proceed()
		return
	}
	flags, err := c.tid().FDFlags(int(c.fd(4)))
	if err != nil || flags&unix.O_PATH != 0 {
		c.fail(unix.EBADF)
		return
	}
	c.fail(cmp.Or(c.permitMapping(flags), error(unix.ENODEV)))
}

// chardevSeek seeks to the end of a character device. For the kernel, that is its
// beginning: the file has no size.
func (c *call) chardevSeek() {
	if _, ok := c.chardev(c.fd(0)); !ok {
		c.proceedUnlessPath()
		return
	}
	if c.tid().PathOnly(c.fd(0)) {
		c.fail(unix.EBADF)
		return
	}
	fd, err := c.tid().DupMemfd(int(c.fd(0)))
	if err != nil {
		c.fail(err)
		return
	}
	defer unix.Close(fd)
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		c.fail(err)
		return
	}
	c.retOffset(0)
}
