package gem

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// MmapOffset returns the fake offset at which a client that has a handle of o
// maps it with mmap(2) (drm_gem_create_mmap_offset). It stays the same until o
// is freed. Offsets are reused only when the range is used up, so that a stale
// one finds nothing. Errors: ENOSPC.
func (m *Manager) MmapOffset(o *Object) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o.offset != 0 {
		return o.offset, nil
	}
	if !m.offsets.give(o) {
		return 0, fmt.Errorf("gem: no fake offset left for %d bytes: %w", o.size, unix.ENOSPC)
	}
	return o.offset, nil
}

// find returns a reference to the object with that fake offset, or nil.
func (m *Manager) find(offset uint64) *Object {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.offsets.objects[offset]
	if o == nil || !o.tryGet() {
		return nil
	}
	return o
}

// Mmap implements [drm.MmapPart]. A file may map the buffers that it has a
// handle of, from their first page on.
func (m *Manager) Mmap(dev *drm.RegisteredDevice, f *drm.File, offset, length uint64) (drm.Mapping, bool, error) {
	o := m.find(offset)
	if o == nil {
		return drm.Mapping{}, false, nil
	}
	refuse := func(why string, errno unix.Errno) (drm.Mapping, bool, error) {
		o.Put()
		return drm.Mapping{}, true, fmt.Errorf("gem: mapping %d bytes at %#x: %s: %w", length, offset, why, errno)
	}
	switch {
	case length > o.size:
		return refuse(fmt.Sprintf("the buffer has %d bytes", o.size), unix.EINVAL)
	case !m.handles(f).Has(o):
		return refuse("the file has no handle of the buffer", unix.EACCES)
	}
	mapping, err := o.mappingAt(0)
	return mapping, true, err
}

// Mapping returns the memory of the object for a client that has no handle of
// it. ENOMEM without a descriptor or memory.
func (o *Object) Mapping() (drm.Mapping, error) {
	o.Get()
	return o.mappingAt(0)
}
