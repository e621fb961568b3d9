package gem

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// GEM names are the older way to share buffers: small numbers that every
// authenticated client of the device can open.

// maxHandles is the number of handles beyond which a file gets no further ones of
// buffers that it has not made. Each buffer can have any number of handles.
const maxHandles = 1 << 20

// flink returns the name of a buffer, which gets one if it has none.
func (m *Manager) flink(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.GEMFlink) error {
	o, err := m.Lookup(req.File, arg.Handle)
	if err != nil {
		return err
	}
	defer o.Put()
	m.mu.Lock()
	defer m.mu.Unlock()
	if o.name == 0 {
		o.name = m.names.Add(o)
	}
	arg.Name = o.name
	return nil
}

// gemOpen makes a handle of the buffer with that name.
func (m *Manager) gemOpen(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.GEMOpen) error {
	m.mu.Lock()
	o, ok := m.names.At(arg.Name)
	ok = ok && o.tryGet()
	m.mu.Unlock()
	if !ok {
		return fmt.Errorf("gem: GEM_OPEN: no buffer with name %d: %w", arg.Name, unix.ENOENT)
	}
	if m.handles(req.File).Len() >= maxHandles {
		o.Put()
		return fmt.Errorf("gem: GEM_OPEN: the file has %d handles: %w", maxHandles, unix.ENOMEM)
	}
	arg.Handle = m.createHandle(req.File, o)
	arg.Size = o.size
	return nil
}
