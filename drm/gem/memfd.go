package gem

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// The memory of a buffer is a memfd, made when the buffer is first mapped, here or in a
// program. Until then it takes no descriptor: programs make more buffers than a process
// may have descriptors.
//
// A program that maps a buffer has a descriptor of the memfd for a moment. It
// may keep a copy, so the mode of the memfd keeps other users from opening it
// again for writing.

// seals fix the size of every buffer, so that no client that has mapped it gets
// a SIGBUS.
const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// memfd returns the memfd of the object, which the object owns. ENOMEM without a
// descriptor or memory.
func (o *Object) memfd() (fd int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.memfdLocked()
}

func (o *Object) memfdLocked() (fd int, err error) {
	if o.foreign {
		return o.dmaBuf.object.memfd()
	}
	if o.fd < 0 {
		if err := o.account.Charge(drm.Descriptors, 1, unix.ENOMEM); err != nil {
			return -1, err
		}
		fd, err := newMemfd(o.manager.memfdName, o.size)
		if err != nil {
			o.account.Refund(drm.Descriptors, 1)
			return -1, err
		}
		o.fd = fd
	}
	return o.fd, nil
}

func newMemfd(name string, size uint64) (fd int, err error) {
	refuse := func(what string, err error) (int, error) {
		return -1, fmt.Errorf("gem: memory of a buffer of %d bytes: %s: %v: %w", size, what, err, unix.ENOMEM)
	}
	if fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING); err != nil {
		return refuse("memfd_create", err)
	}
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		unix.Close(fd)
		return refuse("ftruncate", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		unix.Close(fd)
		return refuse("sealing", err)
	}
	if err := unix.Fchmod(fd, 0o400); err != nil {
		unix.Close(fd)
		return refuse("fchmod", err)
	}
	return fd, nil
}

// mappingAt returns the memory of the object from offset on for mmap(2), and takes
// over a reference. ENOMEM without a descriptor or memory.
func (o *Object) mappingAt(offset uint64) (drm.Mapping, error) {
	fd, err := o.memfd()
	if err != nil {
		o.Put()
		return drm.Mapping{}, err
	}
	return drm.Mapping{FD: fd, Offset: int64(o.base + offset), Release: o.Put}, nil
}
