package gem

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/internal/handle"
	"github.com/udrm/udrm/drm/uapi"
)

// A Manager manages the buffers of one device. It is a [drm.Part].
type Manager struct {
	memfdName string // name of the memfds of its buffers, and of no others
	noDumb    bool   // see RefuseDumb
	unshared  uint64 // bits of DRM_CAP_PRIME, see LimitPrime

	mu      sync.Mutex
	count   int                 // number of objects
	imports map[*DMABuf]*Object // objects imported from other devices
	offsets *offsetSpace
	names   handle.Slots[*Object] // by GEM name
}

// managers counts the managers of this process. It is global to make the names
// of their memfds unique.
var managers atomic.Int64

// New returns a manager without buffers, to attach to a device.
func New() *Manager {
	return &Manager{
		memfdName: fmt.Sprintf("drm gem object %d.%d", os.Getpid(), managers.Add(1)),
		imports:   make(map[*DMABuf]*Object),
		offsets:   newOffsetSpace(drm.FakeOffsetMin, drm.FakeOffsetMax),
	}
}

// RefuseDumb makes a device that has no dumb buffers: requests for them fail with
// ENOSYS. The driver calls it before the device is registered.
func (m *Manager) RefuseDumb() { m.noDumb = true }

// errNoDumb is the answer of a device without dumb buffers.
var errNoDumb = fmt.Errorf("gem: the device has no dumb buffers: %w", unix.ENOSYS)

// LimitPrime makes a device that shares buffers in one direction, or not at all, as
// devices of Linux before 6.6 can be. caps has the bits of DRM_CAP_PRIME that
// remain; other requests fail with ENOSYS. The driver calls it before the device is
// registered.
func (m *Manager) LimitPrime(caps uint64) { m.unshared = primeCaps &^ caps }

const primeCaps = uapi.PrimeCapImport | uapi.PrimeCapExport

// checkPrime refuses a request of a device that does not share buffers so.
func (m *Manager) checkPrime(request string, needed uint64) error {
	if m.unshared&needed != 0 {
		return fmt.Errorf("gem: %s: DRM_CAP_PRIME of the device is %#x: %w", request, primeCaps&^m.unshared, unix.ENOSYS)
	}
	return nil
}

// Objects returns the number of buffers, for reports and leak checks. Buffers
// that clients have closed by now do not count.
func (m *Manager) Objects() int {
	endClosed()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count
}

// InUse implements [drm.UsePart]. It reports whether a buffer exists or is
// still mapped.
func (m *Manager) InUse() bool { return m.Objects() > 0 || mapped(m.memfdName) }

// mapped reports whether a process whose maps we may read maps a memfd of that
// name.
func mapped(memfdName string) bool {
	processes, _ := filepath.Glob("/proc/[0-9]*/maps")
	for _, p := range processes {
		maps, err := os.ReadFile(p)
		if err == nil && bytes.Contains(maps, []byte("/memfd:"+memfdName+" (deleted)")) {
			return true
		}
	}
	return false
}

// forget removes the freed o from all tables.
func (m *Manager) forget(o *Object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count--
	if o.foreign && m.imports[o.dmaBuf] == o { // otherwise it was imported again meanwhile
		delete(m.imports, o.dmaBuf)
	}
	m.offsets.take(o)
	if o.name != 0 {
		m.names.Free(o.name)
	}
}

// Ioctls implements [drm.Part].
func (m *Manager) Ioctls() []drm.Ioctl {
	return []drm.Ioctl{
		drm.NewCoreIoctl(uapi.IoctlGEMClose, m.gemClose),
		drm.NewCoreIoctl(uapi.IoctlGEMChangeHandle, m.changeHandle),
		drm.NewCoreIoctl(uapi.IoctlGEMFlink, m.flink),
		drm.NewCoreIoctl(uapi.IoctlGEMOpen, m.gemOpen),
		drm.NewCoreIoctl(uapi.IoctlPrimeHandleToFD, m.handleToFD),
		drm.NewCoreIoctl(uapi.IoctlPrimeFDToHandle, m.fdToHandle),
		drm.NewCoreIoctl(uapi.IoctlModeCreateDumb, m.createDumb),
		drm.NewCoreIoctl(uapi.IoctlModeMapDumb, m.mapDumb),
		drm.NewCoreIoctl(uapi.IoctlModeDestroyDumb, m.destroyDumb),
	}
}

// Cap implements [drm.CapPart].
func (m *Manager) Cap(capability uint64) (uint64, bool) {
	switch capability {
	case uapi.CapDumbBuffer:
		if m.noDumb {
			return 0, true
		}
		return 1, true
	case uapi.CapPrime:
		return primeCaps &^ m.unshared, true
	}
	return 0, false
}

// Open implements [drm.FilePart]. A file begins without handles.
func (m *Manager) Open(*drm.RegisteredDevice, *drm.File) (any, error) {
	return new(handles), nil
}

// Release implements [drm.FilePart]. It closes the handles of the file.
func (m *Manager) Release(_ *drm.RegisteredDevice, f *drm.File) {
	for _, o := range m.handles(f).Clear() {
		o.endHandle()
	}
}
