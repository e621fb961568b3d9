package gem

import (
	"sync"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// A Manager is the buffers of one device: a [drm.Part].
type Manager struct {
	mu      sync.Mutex
	count   int                 // of objects
	imports map[*DMABuf]*Object // those of other devices
	offsets map[uint64]*Object  // by fake offset
	names   map[uint32]*Object  // by GEM name
	next    uint64              // the next fake offset to try
}

// New returns a manager without buffers, to be attached to a device.
func New() *Manager {
	return &Manager{
		imports: make(map[*DMABuf]*Object),
		offsets: make(map[uint64]*Object),
		names:   make(map[uint32]*Object),
		next:    drm.FakeOffsetMin,
	}
}

// Objects returns how many buffers exist, for reports and leak checks. What
// clients have closed by now does not count.
func (m *Manager) Objects() int {
	endClosed()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count
}

// forget takes the freed o out of all lists.
func (m *Manager) forget(o *Object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count--
	if o.foreign && m.imports[o.dmaBuf] == o { // else it was imported anew meanwhile
		delete(m.imports, o.dmaBuf)
	}
	if o.offset != 0 {
		delete(m.offsets, o.offset)
	}
	if o.name != 0 {
		delete(m.names, o.name)
	}
}

// Ioctls implements [drm.Part].
func (m *Manager) Ioctls() []drm.Ioctl {
	return []drm.Ioctl{
		drm.NewIoctl(uapi.IoctlGEMClose, drm.IoctlRenderAllow, m.gemClose),
		drm.NewIoctl(uapi.IoctlGEMFlink, drm.IoctlAuth, m.flink),
		drm.NewIoctl(uapi.IoctlGEMOpen, drm.IoctlAuth, m.gemOpen),
		drm.NewIoctl(uapi.IoctlPrimeHandleToFD, drm.IoctlRenderAllow, m.handleToFD),
		drm.NewIoctl(uapi.IoctlPrimeFDToHandle, drm.IoctlRenderAllow, m.fdToHandle),
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
	for _, o := range state.(*handles).Clear() {
		o.endHandle()
	}
}

// Register implements [drm.Part].
func (m *Manager) Register(*drm.RegisteredDevice) error { return nil }

// Unplug implements [drm.Part]: nobody waits for a buffer.
func (m *Manager) Unplug(*drm.Device) {}

// Unregister implements [drm.Part].
func (m *Manager) Unregister(*drm.Device) {}
