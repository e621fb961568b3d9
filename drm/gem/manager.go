package gem

import (
	"sync"
	"sync/atomic"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// A Manager is the buffers of one device: a [drm.Part].
type Manager struct {
	objects atomic.Int64

	mu      sync.Mutex
	offsets map[uint64]*Object // by fake offset
	next    uint64             // the next fake offset to try
}

// New returns a manager without buffers, to be attached to a device.
func New() *Manager {
	return &Manager{offsets: make(map[uint64]*Object), next: drm.FakeOffsetMin}
}

// Objects returns how many buffers exist, for reports and leak checks.
func (m *Manager) Objects() int { return int(m.objects.Load()) }

// Ioctls implements [drm.Part].
func (m *Manager) Ioctls() []drm.Ioctl {
	return []drm.Ioctl{
		drm.NewIoctl(uapi.IoctlGEMClose, drm.IoctlRenderAllow, m.gemClose),
		drm.NewIoctl(uapi.IoctlModeCreateDumb, 0, m.createDumb),
		drm.NewIoctl(uapi.IoctlModeMapDumb, 0, m.mapDumb),
		drm.NewIoctl(uapi.IoctlModeDestroyDumb, 0, m.destroyDumb),
	}
}

// Cap implements [drm.CapPart].
func (m *Manager) Cap(capability uint64) (uint64, bool) {
	switch capability {
	case uapi.CapDumbBuffer:
		return 1, true
	case uapi.CapPrime:
		return uapi.PrimeCapImport | uapi.PrimeCapExport, true
	}
	return 0, false
}

// Open implements [drm.Part]: a file begins without handles.
func (m *Manager) Open(*drm.RegisteredDevice, *drm.File) (any, error) {
	return new(handles), nil
}

// Release implements [drm.Part]: it gives up the handles of the file.
func (m *Manager) Release(_ *drm.RegisteredDevice, _ *drm.File, state any) {
	state.(*handles).removeAll()
}

// Register implements [drm.Part].
func (m *Manager) Register(*drm.RegisteredDevice) error { return nil }

// Unplug implements [drm.Part]: nobody waits for a buffer.
func (m *Manager) Unplug(*drm.Device) {}

// Unregister implements [drm.Part].
func (m *Manager) Unregister(*drm.Device) {}
