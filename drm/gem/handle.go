package gem

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/internal/handle"
	"github.com/udrm/udrm/drm/uapi"
)

type handles = handle.Table[*Object]

func (m *Manager) handles(f *drm.File) *handles { return drm.FileState[*handles](f, m) }

// Lookup returns the object of a handle, with a reference that the caller must
// put (drm_gem_object_lookup). Errors: ENOENT for a handle that f does not have.
func (m *Manager) Lookup(f *drm.File, handle uint32) (*Object, error) {
	if o, ok := m.handles(f).Lookup(handle); ok {
		return o, nil
	}
	return nil, &drm.MissingError{Kind: "handle", ID: handle, Text: fmt.Sprintf("gem: no handle %d", handle), Errno: unix.ENOENT}
}

// createHandle gives the file a handle of o, which takes over the caller's
// reference.
func (m *Manager) createHandle(f *drm.File, o *Object) uint32 {
	o.handles.Add(1)
	return m.handles(f).Create(o)
}

func (m *Manager) gemClose(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.GEMClose) error {
	return m.CloseHandle(req.File, arg.Handle)
}

// changeHandle gives a buffer another handle, which the client chooses. The old one
// is free then.
func (m *Manager) changeHandle(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.GEMChangeHandle) error {
	if arg.NewHandle == 0 || arg.NewHandle > math.MaxInt32 {
		return fmt.Errorf("gem: GEM_CHANGE_HANDLE: %d cannot be a handle; handles are 1 to %d: %w", arg.NewHandle, math.MaxInt32, unix.EINVAL)
	}
	switch had, free := m.handles(req.File).Change(arg.Handle, arg.NewHandle); {
	case !had:
		return &drm.MissingError{Kind: "handle", ID: arg.Handle, Text: fmt.Sprintf("gem: no handle %d", arg.Handle), Errno: unix.ENOENT}
	case !free:
		return fmt.Errorf("gem: GEM_CHANGE_HANDLE: handle %d is that of another buffer: %w", arg.NewHandle, unix.ENOSPC)
	}
	return nil
}

// CloseHandle takes a handle from the file, and its reference with it
// (drm_gem_handle_delete). Errors: EINVAL for a handle that f does not have.
func (m *Manager) CloseHandle(f *drm.File, handle uint32) error {
	o, ok := m.handles(f).Remove(handle)
	if !ok {
		return &drm.MissingError{Kind: "handle", ID: handle, Text: fmt.Sprintf("gem: closing handle %d: no such handle", handle), Errno: unix.EINVAL}
	}
	o.endHandle()
	return nil
}

// endHandle puts the reference of a handle.
func (o *Object) endHandle() {
	if o.handles.Add(-1) == 0 {
		o.endExport()
	}
	o.Put()
}

// CreateHandle gives the file a new handle of o, with a reference of its own
// (drm_gem_handle_create). The caller keeps its reference.
func (m *Manager) CreateHandle(f *drm.File, o *Object) uint32 {
	o.Get()
	return m.createHandle(f, o)
}
