package gem

import (
	"container/list"
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// An Object is a buffer: struct drm_gem_object. All methods may be called
// concurrently by holders of a reference.
type Object struct {
	fd   int    // a memfd, sealed against shrinking
	base uint64 // where the buffer begins in the memfd
	size uint64
	refs atomic.Int64

	handles atomic.Int64 // number of handles, for debugfs

	manager *Manager
	fences  *reservation // shared by all objects on this memory
	foreign bool         // another device made it
	account *drm.Account // charged for the object; nil for none
	charged uint64       // bytes

	mu     sync.Mutex
	pixels []byte // the object mapped into this process, nil before Pixels
	// The dma-buf that a foreign object was imported from, for good; otherwise
	// the exported one, while there are handles. The object holds it.
	dmaBuf *DMABuf

	// Guarded by Manager.mu.
	offset  uint64        // the fake offset, 0 before MmapOffset
	inOrder *list.Element // in Manager.offsets, nil without an offset
	name    uint32        // the GEM name, 0 before GEM_FLINK
}

// A program that maps a buffer has a descriptor of the memfd for a moment. It
// may keep a copy, so the mode of the memfd keeps other users from opening it
// again for writing.

// seals fix the size of every buffer, so that no client that has mapped it gets
// a SIGBUS.
const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// NewObject makes a buffer of at least size bytes, rounded up to whole pages,
// with one reference for the caller (drm_gem_object_init). The buffer is zero.
// Its pages are allocated when they are first written. Errors: EINVAL for a size
// of 0 or beyond what an int holds, ENOMEM without a descriptor or memory.
//
// [Manager.CreateHandle] gives it to a client. No client is charged for it: see
// [Manager.NewObjectOf].
func (m *Manager) NewObject(size uint64) (*Object, error) {
	page := uint64(os.Getpagesize())
	if size == 0 || size > math.MaxInt-page {
		return nil, fmt.Errorf("gem: a buffer of %d bytes: %w", size, unix.EINVAL)
	}
	size = (size + page - 1) &^ (page - 1)
	refuse := func(what string, err error) error {
		return fmt.Errorf("gem: a buffer of %d bytes: %s: %v: %w", size, what, err, unix.ENOMEM)
	}
	fd, err := unix.MemfdCreate(m.memfdName, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, refuse("memfd_create", err)
	}
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		unix.Close(fd)
		return nil, refuse("ftruncate", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		unix.Close(fd)
		return nil, refuse("sealing", err)
	}
	if err := unix.Fchmod(fd, 0o400); err != nil {
		unix.Close(fd)
		return nil, refuse("fchmod", err)
	}
	return m.newObject(fd, 0, size), nil
}

// newObject makes an object of size bytes at base in the memfd fd, which it
// takes over.
func (m *Manager) newObject(fd int, base, size uint64) *Object {
	o := &Object{fd: fd, base: base, size: size, manager: m, fences: new(reservation)}
	o.refs.Store(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count++
	return o
}

// Size returns the size in bytes, a multiple of the page size.
func (o *Object) Size() uint64 { return o.size }

// Pixels returns the memory of the buffer, which clients may change at any
// time. It is valid while the caller holds a reference. ENOMEM when it cannot
// be mapped.
func (o *Object) Pixels() ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pixels == nil {
		pixels, err := unix.Mmap(o.fd, int64(o.base), int(o.size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return nil, fmt.Errorf("gem: mapping a buffer of %d bytes: %v: %w", o.size, err, unix.ENOMEM)
		}
		o.pixels = pixels
	}
	return o.pixels, nil
}

// Get takes a reference. The caller must hold one already.
func (o *Object) Get() {
	if o.refs.Add(1) <= 1 {
		panic("gem: Get of an object without a reference")
	}
}

// tryGet takes a reference unless the last one was put.
func (o *Object) tryGet() bool {
	for {
		refs := o.refs.Load()
		if refs == 0 {
			return false
		}
		if o.refs.CompareAndSwap(refs, refs+1) {
			return true
		}
	}
}

// Put puts a reference. The last one frees the buffer; the memory lives on in
// mappings of clients.
func (o *Object) Put() {
	switch refs := o.refs.Add(-1); {
	case refs < 0:
		panic("gem: Put of an object without a reference")
	case refs > 0:
		return
	}
	o.manager.forget(o)
	if o.pixels != nil {
		unix.Munmap(o.pixels)
	}
	unix.Close(o.fd)
	if o.foreign {
		o.dmaBuf.put()
		o.account.Refund(drm.Descriptors, 1)
		return
	}
	if o.account != nil {
		refund(o.account, o.charged)
	}
}

// NewObjectOf makes a buffer that the client of f asks for, as NewObject does, and
// charges the client for it. Errors: those of NewObject; ENOMEM if the client has
// too many buffers.
func (m *Manager) NewObjectOf(f *drm.File, size uint64) (*Object, error) {
	return charged(f.Client().Account, size, func() (*Object, error) { return m.NewObject(size) })
}

// charged charges account for size bytes and a descriptor, and runs create, whose
// object refunds them when it is freed.
func charged(account *drm.Account, size uint64, create func() (*Object, error)) (*Object, error) {
	if size > math.MaxInt64 {
		return nil, fmt.Errorf("gem: a buffer of %d bytes: %w", size, unix.EINVAL)
	}
	if err := account.Charge(drm.BufferBytes, int64(size), unix.ENOMEM); err != nil {
		return nil, err
	}
	if err := account.Charge(drm.Descriptors, 1, unix.ENOMEM); err != nil {
		account.Refund(drm.BufferBytes, int64(size))
		return nil, err
	}
	o, err := create()
	if err != nil {
		refund(account, size)
		return nil, err
	}
	o.account, o.charged = account, size
	return o, nil
}

func refund(account *drm.Account, size uint64) {
	account.Refund(drm.BufferBytes, int64(size))
	account.Refund(drm.Descriptors, 1)
}
