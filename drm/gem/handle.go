package gem

import (
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// handles are the names by which one file knows its buffers: small integers
// from 1. Each holds a reference.
type handles struct {
	mu      sync.Mutex
	objects []*Object // by handle-1, nil where free
	lowest  int       // no free index is below it
}

// create gives o, and the caller's reference with it, the lowest free handle.
func (h *handles) create(o *Object) uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := h.lowest
	for i < len(h.objects) && h.objects[i] != nil {
		i++
	}
	if i == len(h.objects) {
		h.objects = append(h.objects, nil)
	}
	h.objects[i] = o
	h.lowest = i + 1
	o.handles.Add(1)
	return uint32(i + 1)
}

// lookup returns a reference to the object, nil when there is none.
func (h *handles) lookup(handle uint32) *Object {
	h.mu.Lock()
	defer h.mu.Unlock()
	if handle == 0 || int64(handle) > int64(len(h.objects)) {
		return nil
	}
	o := h.objects[handle-1]
	if o != nil {
		o.Get()
	}
	return o
}

// find returns the lowest handle that the file has of o, 0 when it has none.
func (h *handles) find(o *Object) uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return uint32(slices.Index(h.objects, o) + 1)
}

// remove frees the handle and returns its reference, nil when there is none.
func (h *handles) remove(handle uint32) *Object {
	h.mu.Lock()
	defer h.mu.Unlock()
	if handle == 0 || int64(handle) > int64(len(h.objects)) {
		return nil
	}
	i := int(handle - 1)
	o := h.objects[i]
	if o == nil {
		return nil
	}
	h.objects[i] = nil
	h.lowest = min(h.lowest, i)
	o.handles.Add(-1)
	return o
}

func (h *handles) removeAll() {
	h.mu.Lock()
	objects := h.objects
	h.objects = nil
	h.mu.Unlock()
	for _, o := range objects {
		if o != nil {
			o.handles.Add(-1)
			o.Put()
		}
	}
}

func (m *Manager) handles(f *drm.File) *handles { return f.Part(m).(*handles) }

// Lookup returns the object that the file knows by handle, with a reference
// for the caller. ENOENT when there is none.
func (m *Manager) Lookup(f *drm.File, handle uint32) (*Object, error) {
	if o := m.handles(f).lookup(handle); o != nil {
		return o, nil
	}
	return nil, fmt.Errorf("gem: the file has no handle %d: %w", handle, unix.ENOENT)
}

func (m *Manager) gemClose(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.GEMClose) error {
	return m.closeHandle(req.File, arg.Handle)
}

func (m *Manager) closeHandle(f *drm.File, handle uint32) error {
	o := m.handles(f).remove(handle)
	if o == nil {
		return fmt.Errorf("gem: closing handle %d, which the file does not have: %w", handle, unix.EINVAL)
	}
	o.Put()
	return nil
}

// CreateHandle gives the file a further handle of o, which holds a reference
// of its own. The caller keeps its reference.
func (m *Manager) CreateHandle(f *drm.File, o *Object) uint32 {
	o.Get()
	return m.handles(f).create(o)
}
