package gem

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/internal/handle"
	"github.com/udrm/udrm/drm/uapi"
)

type handles = handle.Table[*Object]

func (m *Manager) handles(f *drm.File) *handles { return drm.FileState[*handles](f, m) }

// Lookup returns the object that the file knows by that handle, with a
// reference for the caller. ENOENT when there is none.
func (m *Manager) Lookup(f *drm.File, handle uint32) (*Object, error) {
	if o, ok := m.handles(f).Lookup(handle); ok {
		return o, nil
	}
	return nil, fmt.Errorf("gem: the file has no handle %d: %w", handle, unix.ENOENT)
}

// createHandle gives the file a handle of o, which takes over the caller's
// reference.
func (m *Manager) createHandle(f *drm.File, o *Object) uint32 {
	o.handles.Add(1)
	return m.handles(f).Create(o)
}

func (m *Manager) gemClose(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.GEMClose) error {
	return m.closeHandle(req.File, arg.Handle)
}

func (m *Manager) closeHandle(f *drm.File, handle uint32) error {
	o, ok := m.handles(f).Remove(handle)
	if !ok {
		return fmt.Errorf("gem: closing handle %d, which the file does not have: %w", handle, unix.EINVAL)
	}
	o.endHandle()
	return nil
}

// endHandle gives up the reference of a handle.
func (o *Object) endHandle() {
	if o.handles.Add(-1) == 0 {
		o.endExport()
	}
	o.Put()
}

// CreateHandle gives the file a further handle of o, which holds a reference
// of its own. The caller keeps its reference.
func (m *Manager) CreateHandle(f *drm.File, o *Object) uint32 {
	o.Get()
	return m.createHandle(f, o)
}
