package gem

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// A Manager is the buffers of one device: a [drm.Part].
type Manager struct {
	memfdName string // of the buffers that it makes, and of no others

	mu      sync.Mutex
	objects map[uint64]*Object // all, by inode
	offsets map[uint64]*Object // by fake offset
	names   map[uint32]*Object // by GEM name
	next    uint64             // the next fake offset to try
}

// managers counts the managers of this process, for their names.
var managers atomic.Int64

// New returns a manager without buffers, to be attached to a device.
func New() *Manager {
	return &Manager{
		memfdName: fmt.Sprintf("%s %d.%d", memfdPrefix, os.Getpid(), managers.Add(1)),
		objects:   make(map[uint64]*Object),
		offsets:   make(map[uint64]*Object),
		names:     make(map[uint32]*Object),
		next:      drm.FakeOffsetMin,
	}
}

// Objects returns how many buffers exist, for reports and leak checks.
func (m *Manager) Objects() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.objects)
}

// adopt makes an object of the memfd behind fd, which it takes over in any
// case, or finds the one that there is already. The caller gets a reference.
func (m *Manager) adopt(fd int, foreign bool) (*Object, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		unix.Close(fd)
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.objects[stat.Ino]; o != nil && o.tryGet() {
		unix.Close(fd)
		return o, nil
	}
	o := &Object{fd: fd, size: uint64(stat.Size), manager: m, inode: stat.Ino, foreign: foreign}
	o.refs.Store(1)
	m.objects[o.inode] = o
	return o, nil
}

// forget takes the freed o out of all lists.
func (m *Manager) forget(o *Object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.objects[o.inode] == o { // else it was adopted anew meanwhile
		delete(m.objects, o.inode)
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
