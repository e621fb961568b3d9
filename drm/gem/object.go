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
	base uint64 // where the buffer begins in its memfd
	size uint64
	refs atomic.Int64

	handles atomic.Int64 // number of handles, for debugfs

	manager *Manager
	fences  *reservation // shared by all objects on this memory
	foreign bool         // another device made it
	account *drm.Account // charged for the object; nil for none

	mu     sync.Mutex
	fd     int    // the memfd, sealed against shrinking; -1 before memfd, and of a foreign object
	pixels []byte // the object mapped into this process, nil before Pixels
	// The dma-buf that a foreign object was imported from, for good; otherwise
	// the exported one, while there are handles. The object holds it.
	dmaBuf *DMABuf

	// Guarded by Manager.mu.
	offset  uint64        // the fake offset, 0 before MmapOffset
	inOrder *list.Element // in Manager.offsets, nil without an offset
	name    uint32        // the GEM name, 0 before GEM_FLINK
}

// NewObject makes a buffer of at least size bytes, rounded up to whole pages,
// with one reference for the caller (drm_gem_object_init). The buffer is zero.
// Its memory is allocated when it is first used. Errors: EINVAL for a size of 0 or
// beyond what an int holds.
//
// [Manager.CreateHandle] gives it to a client. No client is charged for it: see
// [Manager.NewObjectOf].
func (m *Manager) NewObject(size uint64) (*Object, error) { return m.create(nil, size) }

// NewObjectOf makes a buffer that the client of f asks for, as NewObject does, and
// charges the client for it. Errors: those of NewObject; ENOMEM if the client has
// too many buffers.
func (m *Manager) NewObjectOf(f *drm.File, size uint64) (*Object, error) {
	return m.create(f.Client().Account, size)
}

func (m *Manager) create(account *drm.Account, size uint64) (*Object, error) {
	page := uint64(os.Getpagesize())
	if size == 0 || size > math.MaxInt-page {
		return nil, fmt.Errorf("gem: a buffer of %d bytes: %w", size, unix.EINVAL)
	}
	return m.newObject(account, -1, 0, (size+page-1)&^(page-1))
}

// newObject makes an object of size bytes at base in the memfd fd, which it
// takes over, and charges account for it. fd is -1 for a memfd of its own.
func (m *Manager) newObject(account *drm.Account, fd int, base, size uint64) (*Object, error) {
	o := &Object{fd: fd, base: base, size: size, manager: m, account: account, fences: new(reservation)}
	charges := o.charges()
	for i, c := range charges {
		if err := account.Charge(c.resource, c.n, unix.ENOMEM); err != nil {
			refund(account, charges[:i])
			return nil, err
		}
	}
	o.refs.Store(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count++
	return o, nil
}

// A charge is an amount of a resource.
type charge struct {
	resource drm.Resource
	n        int64
}

// charges returns what the object takes as it is now, unless it is foreign.
func (o *Object) charges() []charge {
	all := []charge{{drm.BufferBytes, int64(o.size)}, {drm.Objects, 1}, {drm.Descriptors, 1}}
	if o.fd < 0 {
		return all[:2]
	}
	return all
}

func refund(account *drm.Account, charges []charge) {
	for _, c := range charges {
		account.Refund(c.resource, c.n)
	}
}

// Size returns the size in bytes, a multiple of the page size.
func (o *Object) Size() uint64 { return o.size }

// Pixels returns the memory of the buffer, which clients may change at any
// time. It is valid while the caller holds a reference. ENOMEM when it cannot
// be allocated or mapped.
func (o *Object) Pixels() ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pixels == nil {
		fd, err := o.memfdLocked()
		if err != nil {
			return nil, err
		}
		pixels, err := unix.Mmap(fd, int64(o.base), int(o.size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
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
	if o.foreign {
		o.dmaBuf.put()
		return
	}
	charges := o.charges()
	if o.fd >= 0 {
		unix.Close(o.fd)
	}
	refund(o.account, charges)
}
