package gem

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// GEM names are the older way to share buffers: small numbers that every
// authenticated client of the device can open.

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
		for o.name = 1; m.names[o.name] != nil; o.name++ {
		}
		m.names[o.name] = o
	}
	arg.Name = o.name
	return nil
}

// gemOpen makes a handle of the buffer with that name.
func (m *Manager) gemOpen(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.GEMOpen) error {
	m.mu.Lock()
	o := m.names[arg.Name]
	if o != nil && !o.tryGet() {
		o = nil
	}
	m.mu.Unlock()
	if o == nil {
		return fmt.Errorf("gem: GEM_OPEN: no buffer with name %d: %w", arg.Name, unix.ENOENT)
	}
	arg.Handle = m.createHandle(req.File, o)
	arg.Size = o.size
	return nil
}
