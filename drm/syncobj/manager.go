package syncobj

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// A Manager is the [drm.Part] that gives a device sync objects. Attach it after
// the display and before the buffers. It has no state of its own: the objects
// belong to files.
type Manager struct{}

// NewManager returns a manager for one device.
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

// Open returns the state of a new file, which has no handles.
func (m *Manager) Open(*drm.RegisteredDevice, *drm.File) (any, error) { return new(handles), nil }

// Release puts the objects of the file's handles.
func (m *Manager) Release(_ *drm.RegisteredDevice, f *drm.File) {
	for _, s := range drm.FileState[*handles](f, m).Clear() {
		s.Put()
	}
}

func (m *Manager) handles(req *drm.Request) *handles { return drm.FileState[*handles](req.File, m) }

// lookup returns the object of a handle, with a reference that the caller must
// put. It fails with ENOENT if the file has no such handle.
func (m *Manager) lookup(req *drm.Request, handle uint32) (*Syncobj, error) {
	if s, ok := m.handles(req).Lookup(handle); ok {
		return s, nil
	}
	return nil, fmt.Errorf("syncobj: no handle %d: %w", handle, unix.ENOENT)
}

// needs fails with EOPNOTSUPP if the driver lacks the feature.
func needs(dev *drm.RegisteredDevice, feature drm.Features) error {
	if dev.Has(feature) {
		return nil
	}
	what := "sync objects"
	if feature == drm.FeatureSyncobjTimeline {
		what = "timelines"
	}
	return fmt.Errorf("syncobj: driver %s does not support %s: %w", dev.Driver().Info.Name, what, unix.EOPNOTSUPP)
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("syncobj: "+format+": %w", append(args, unix.EINVAL)...)
}
