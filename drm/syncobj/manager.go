package syncobj

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
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
		drm.NewCoreIoctl(uapi.IoctlSyncobjCreate, m.create),
		drm.NewCoreIoctl(uapi.IoctlSyncobjDestroy, m.destroy),
		drm.NewCoreIoctl(uapi.IoctlSyncobjHandleToFD, m.handleToFD),
		drm.NewCoreIoctl(uapi.IoctlSyncobjFDToHandle, m.fdToHandle),
		drm.NewCoreIoctl(uapi.IoctlSyncobjTransfer, m.transfer),
		drm.Fetching(drm.NewCoreIoctl(uapi.IoctlSyncobjWait, m.wait), fetchWait),
		drm.Fetching(drm.NewCoreIoctl(uapi.IoctlSyncobjTimelineWait, m.timelineWait), fetchTimelineWait),
		drm.NewCoreIoctl(uapi.IoctlSyncobjEventfd, m.eventfd),
		drm.Fetching(drm.NewCoreIoctl(uapi.IoctlSyncobjReset, m.reset), fetchHandles),
		drm.Fetching(drm.NewCoreIoctl(uapi.IoctlSyncobjSignal, m.signal), fetchHandles),
		drm.Fetching(drm.NewCoreIoctl(uapi.IoctlSyncobjTimelineSignal, m.timelineSignal), fetchPoints),
		drm.Fetching(drm.NewCoreIoctl(uapi.IoctlSyncobjQuery, m.query), fetchQuery),
	}
}

// fetch fetches an array of handles, and that of their points.
func fetch(req *drm.Request, handles, points uint64, count uint32) {
	req.Fetch(drm.Span{Addr: handles, Size: 4 * uint64(count)}, drm.Span{Addr: points, Size: 8 * uint64(count)})
}

func fetchWait(req *drm.Request, arg *uapi.SyncobjWait) { fetch(req, arg.Handles, 0, arg.CountHandles) }

func fetchTimelineWait(req *drm.Request, arg *uapi.SyncobjTimelineWait) {
	fetch(req, arg.Handles, arg.Points, arg.CountHandles)
}

func fetchHandles(req *drm.Request, arg *uapi.SyncobjArray) {
	fetch(req, arg.Handles, 0, arg.CountHandles)
}

func fetchQuery(req *drm.Request, arg *uapi.SyncobjTimelineArray) {
	fetch(req, arg.Handles, 0, arg.CountHandles)
}

func fetchPoints(req *drm.Request, arg *uapi.SyncobjTimelineArray) {
	fetch(req, arg.Handles, arg.Points, arg.CountHandles)
}

// Open returns the state of a new file, which has no handles.
func (m *Manager) Open(*drm.RegisteredDevice, *drm.File) (any, error) { return new(handles), nil }

// Release puts the objects of the file's handles.
func (m *Manager) Release(_ *drm.RegisteredDevice, f *drm.File) {
	for _, s := range m.handles(f).Clear() {
		s.Put()
	}
}

func (m *Manager) handles(f *drm.File) *handles { return drm.FileState[*handles](f, m) }

// Lookup returns the object of a handle, with a reference that the caller must
// put (drm_syncobj_find). It fails with ENOENT if the file has no such handle.
func (m *Manager) Lookup(f *drm.File, handle uint32) (*Syncobj, error) {
	if s, ok := m.handles(f).Lookup(handle); ok {
		return s, nil
	}
	return nil, &drm.MissingError{Kind: "syncobj", ID: handle, Text: fmt.Sprintf("syncobj: no handle %d", handle), Errno: unix.ENOENT}
}

// FindFence returns the fence of a handle, or of a point of its timeline
// (drm_syncobj_find_fence). It fails with EINVAL for other flags than those
// below, with ENOENT if the file has no such handle, and with EINVAL if nothing
// is submitted yet. With
// uapi.SyncobjWaitFlagsWaitForSubmit in flags it waits for that, up to 5 s.
func (m *Manager) FindFence(req *drm.Request, handle uint32, point uint64, flags uint32) (*fence.Fence, error) {
	if flags&^uint32(uapi.SyncobjWaitFlagsWaitForSubmit) != 0 {
		return nil, invalid("flags %#x: only WAIT_FOR_SUBMIT is allowed", flags)
	}
	s, err := m.Lookup(req.File, handle)
	if err != nil {
		return nil, err
	}
	defer s.Put()
	return findFence(req, s, point, flags)
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
