package gem

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// GEM names are the older way to share buffers: small numbers that every
// authenticated client of the device can open.

// flink gives the buffer a name, or tells the one that it has.
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

// gemOpen makes a handle for the buffer of that name.
func (m *Manager) gemOpen(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.GEMOpen) error {
	m.mu.Lock()
	o := m.names[arg.Name]
	if o != nil && !o.tryGet() {
		o = nil
	}
	m.mu.Unlock()
	if o == nil {
		return fmt.Errorf("gem: GEM_OPEN of name %d, which no buffer has: %w", arg.Name, unix.ENOENT)
	}
	arg.Handle = m.createHandle(req.File, o)
	arg.Size = o.size
	return nil
}
