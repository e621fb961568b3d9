package syncobj

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// A Manager is the sync objects of one device: a [drm.Part], to be attached
// between the display and the buffers. It has no state of its own: objects
// belong to files.
type Manager struct{}

// NewManager returns the part.
func NewManager() *Manager { return &Manager{} }

// Ioctls implements [drm.Part].
func (m *Manager) Ioctls() []drm.Ioctl {
	return []drm.Ioctl{
		drm.NewIoctl(uapi.IoctlSyncobjCreate, drm.IoctlRenderAllow, m.create),
		drm.NewIoctl(uapi.IoctlSyncobjDestroy, drm.IoctlRenderAllow, m.destroy),
		drm.NewIoctl(uapi.IoctlSyncobjHandleToFD, drm.IoctlRenderAllow, m.handleToFD),
		drm.NewIoctl(uapi.IoctlSyncobjFDToHandle, drm.IoctlRenderAllow, m.fdToHandle),
		drm.NewIoctl(uapi.IoctlSyncobjTransfer, drm.IoctlRenderAllow, m.transfer),
		drm.NewIoctl(uapi.IoctlSyncobjWait, drm.IoctlRenderAllow, m.wait),
		drm.NewIoctl(uapi.IoctlSyncobjTimelineWait, drm.IoctlRenderAllow, m.timelineWait),
		drm.NewIoctl(uapi.IoctlSyncobjEventfd, drm.IoctlRenderAllow, m.eventfd),
		drm.NewIoctl(uapi.IoctlSyncobjReset, drm.IoctlRenderAllow, m.reset),
		drm.NewIoctl(uapi.IoctlSyncobjSignal, drm.IoctlRenderAllow, m.signal),
		drm.NewIoctl(uapi.IoctlSyncobjTimelineSignal, drm.IoctlRenderAllow, m.timelineSignal),
		drm.NewIoctl(uapi.IoctlSyncobjQuery, drm.IoctlRenderAllow, m.query),
	}
}

// Open implements [drm.Part]: a file begins without handles.
func (m *Manager) Open(*drm.RegisteredDevice, *drm.File) (any, error) { return new(handles), nil }

// Release implements [drm.Part]: it gives up the handles of the file.
func (m *Manager) Release(_ *drm.RegisteredDevice, _ *drm.File, state any) {
	for _, s := range state.(*handles).Clear() {
		s.Put()
	}
}

// Register implements [drm.Part].
func (m *Manager) Register(*drm.RegisteredDevice) error { return nil }

// Unplug implements [drm.Part]: those who wait watch the device themselves.
func (m *Manager) Unplug(*drm.Device) {}

// Unregister implements [drm.Part].
func (m *Manager) Unregister(*drm.Device) {}

func (m *Manager) handles(req *drm.Request) *handles { return req.File.Part(m).(*handles) }

// lookup returns an object of the file, with a reference for the caller.
// ENOENT when there is none.
func (m *Manager) lookup(req *drm.Request, handle uint32) (*Syncobj, error) {
	if s, ok := m.handles(req).Lookup(handle); ok {
		return s, nil
	}
	return nil, fmt.Errorf("syncobj: the file has no handle %d: %w", handle, unix.ENOENT)
}

// needs refuses a request that the driver does not offer.
func needs(dev *drm.RegisteredDevice, feature drm.Features) error {
	if dev.Has(feature) {
		return nil
	}
	return fmt.Errorf("syncobj: %s does not have sync objects, or no timelines: %w", dev.Info().Name, unix.EOPNOTSUPP)
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("syncobj: "+format+": %w", append(args, unix.EINVAL)...)
}
