package gem

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// A Memory makes dma-bufs that no device has made, as the kernel's udmabuf and
// its dma-heaps do.
type Memory struct{ m *Manager }

// NewMemory returns a Memory without dma-bufs.
func NewMemory() *Memory { return &Memory{New()} }

// DMABufs returns the number of its dma-bufs.
func (y *Memory) DMABufs() int { return y.m.Objects() }

// Allocate makes a dma-buf of at least size bytes, and gives the caller a
// descriptor of it. flags are those of open(2): the access mode, and O_CLOEXEC.
// Errors: EINVAL for a size of 0, ENOMEM without memory or descriptors.
func (y *Memory) Allocate(caller drm.Caller, size uint64, flags int) (fd int32, err error) {
	o, err := y.m.create(caller.Client().Account, size)
	if err != nil {
		return -1, err
	}
	defer o.Put()
	return o.install(caller, flags)
}

// A Range is a part of a memfd of a client.
type Range struct {
	FD           int32 // a descriptor of the client
	Offset, Size uint64
}

// A memfdCaller is a [drm.Caller] whose DupFD takes no memfd, but DupMemfd does.
type memfdCaller interface {
	DupMemfd(fd int32) (int, error)
}

// Wrap makes a dma-buf of the memory in a memfd of the caller, without a copy,
// and gives the caller a descriptor of it. flags are those of open(2). Errors:
// EBADFD when the descriptor is not of a memfd; EINVAL when the range has no
// whole pages or is not in the memfd, or when the memfd has huge pages, may shrink
// (F_SEAL_SHRINK) or cannot be written.
func (y *Memory) Wrap(caller drm.Caller, r Range, flags int) (fd int32, err error) {
	refuse := func(why string, errno unix.Errno) (int32, error) {
		return -1, fmt.Errorf("gem: a dma-buf of %d bytes at %#x in descriptor %d: %s: %w", r.Size, r.Offset, r.FD, why, errno)
	}
	page := uint64(os.Getpagesize())
	if r.Size == 0 || r.Size%page != 0 || r.Offset%page != 0 {
		return refuse("these are not whole pages", unix.EINVAL)
	}
	dup := caller.DupFD
	if c, ok := caller.(memfdCaller); ok {
		dup = c.DupMemfd
	}
	memfd, err := dup(r.FD)
	switch {
	case err == unix.EBADF, err == unix.EINVAL:
		return refuse("it is not a memfd", unix.EBADFD)
	case err != nil:
		return refuse("it cannot be taken over: "+err.Error(), unix.EPERM)
	}
	owned := memfd
	defer func() {
		if owned >= 0 {
			_ = unix.Close(owned)
		}
	}()
	seals, err := unix.FcntlInt(uintptr(memfd), unix.F_GET_SEALS, 0)
	var st unix.Stat_t
	var fs unix.Statfs_t
	switch {
	case err != nil, unix.Fstat(memfd, &st) != nil:
		return refuse("it is not a memfd", unix.EBADFD)
	case unix.Fstatfs(memfd, &fs) != nil, fs.Type != unix.TMPFS_MAGIC:
		// Huge pages can run out while the buffer is used: SIGBUS.
		return refuse("it is in huge pages", unix.EINVAL)
	case seals&unix.F_SEAL_SHRINK == 0:
		return refuse("it may shrink; add F_SEAL_SHRINK", unix.EINVAL)
	case seals&(unix.F_SEAL_WRITE|unix.F_SEAL_FUTURE_WRITE) != 0:
		return refuse("it is sealed against writing", unix.EINVAL)
	case r.Offset > uint64(st.Size) || r.Size > uint64(st.Size)-r.Offset:
		return refuse(fmt.Sprintf("it has %d bytes", st.Size), unix.EINVAL)
	}
	o, err := y.m.newObject(caller.Client().Account, memfd, r.Offset, r.Size)
	if err != nil {
		return -1, err
	}
	owned = -1
	defer o.Put()
	// While it is mapped it cannot be sealed against writing. It is mapped as
	// long as the buffer lives.
	if _, err := o.Pixels(); err != nil {
		return refuse(err.Error(), unix.EINVAL)
	}
	return o.install(caller, flags)
}

// install makes a dma-buf of an object without handles, and gives the caller a
// descriptor of it.
func (o *Object) install(caller drm.Caller, flags int) (int32, error) {
	d, err := newDMABuf(o, flags&unix.O_ACCMODE)
	if err != nil {
		return -1, err
	}
	defer d.put()
	return d.install(caller, flags&unix.O_CLOEXEC != 0)
}
