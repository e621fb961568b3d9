package syncobj

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/uapi"
)

func (m *Manager) create(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjCreate) error {
	if err := needs(dev, drm.FeatureSyncobj); err != nil {
		return err
	}
	if arg.Flags&^uint32(uapi.SyncobjCreateSignaled) != 0 {
		return invalid("SYNCOBJ_CREATE with flags %#x", arg.Flags)
	}
	var f *fence.Fence
	if arg.Flags&uapi.SyncobjCreateSignaled != 0 {
		f = fence.Stub()
	}
	arg.Handle = m.handles(req).Create(New(f))
	return nil
}

func (m *Manager) destroy(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjDestroy) error {
	if err := needs(dev, drm.FeatureSyncobj); err != nil {
		return err
	}
	if arg.Pad != 0 {
		return invalid("SYNCOBJ_DESTROY: the padding is not zero")
	}
	s, ok := m.handles(req).Remove(arg.Handle)
	if !ok {
		return invalid("SYNCOBJ_DESTROY of handle %d, which the file does not have", arg.Handle)
	}
	s.Put()
	return nil
}

// handleToFD exports an object, or the fence that it holds now.
func (m *Manager) handleToFD(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjHandle) error {
	if err := needs(dev, drm.FeatureSyncobj); err != nil {
		return err
	}
	if arg.Pad != 0 || arg.Flags&^uint32(uapi.SyncobjHandleToFDFlagsExportSyncFile) != 0 {
		return invalid("SYNCOBJ_HANDLE_TO_FD with flags %#x and padding %#x", arg.Flags, arg.Pad)
	}
	s, err := m.lookup(req, arg.Handle)
	if arg.Flags == 0 {
		if err != nil {
			return invalid("SYNCOBJ_HANDLE_TO_FD: %v", err)
		}
		defer s.Put()
		arg.FD, err = install(req, s)
		return err
	}
	if err != nil {
		return err
	}
	defer s.Put()
	f, err := s.Find(0)
	if err != nil {
		return err
	}
	arg.FD, err = fence.Install(req, f)
	return err
}

// fdToHandle imports an object, under a new handle, or a fence into an object.
func (m *Manager) fdToHandle(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjHandle) error {
	if err := needs(dev, drm.FeatureSyncobj); err != nil {
		return err
	}
	if arg.Pad != 0 || arg.Flags&^uint32(uapi.SyncobjFDToHandleFlagsImportSyncFile) != 0 {
		return invalid("SYNCOBJ_FD_TO_HANDLE with flags %#x and padding %#x", arg.Flags, arg.Pad)
	}
	if arg.Flags == 0 {
		f, ok := req.LookupFile(arg.FD).(*file)
		if !ok {
			return invalid("SYNCOBJ_FD_TO_HANDLE of descriptor %d, which is no sync object", arg.FD)
		}
		if !f.object.tryGet() {
			return invalid("SYNCOBJ_FD_TO_HANDLE of descriptor %d, which is closed", arg.FD)
		}
		arg.Handle = m.handles(req).Create(f.object)
		return nil
	}
	f, err := fence.Lookup(req, arg.FD)
	if err != nil {
		return err
	}
	s, err := m.lookup(req, arg.Handle)
	if err != nil {
		return err
	}
	defer s.Put()
	s.Replace(f)
	return nil
}

// transfer gives one object, or a point of it, the fence of another.
func (m *Manager) transfer(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjTransfer) error {
	if err := needs(dev, drm.FeatureSyncobjTimeline); err != nil {
		return err
	}
	if arg.Pad != 0 {
		return invalid("SYNCOBJ_TRANSFER: the padding is not zero")
	}
	dst, err := m.lookup(req, arg.DstHandle)
	if err != nil {
		return err
	}
	defer dst.Put()
	src, err := m.lookup(req, arg.SrcHandle)
	if err != nil {
		return err
	}
	defer src.Put()
	f, err := findFence(req, src, arg.SrcPoint, arg.Flags)
	if err != nil {
		return err
	}
	if arg.DstPoint == 0 {
		dst.Replace(f)
	} else {
		dst.AddPoint(fence.Merge(f), arg.DstPoint)
	}
	return nil
}

const (
	waitFlags         = uapi.SyncobjWaitFlagsWaitAll | uapi.SyncobjWaitFlagsWaitForSubmit | uapi.SyncobjWaitFlagsWaitDeadline
	timelineWaitFlags = waitFlags | uapi.SyncobjWaitFlagsWaitAvailable
)

func (m *Manager) wait(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjWait) error {
	if err := needs(dev, drm.FeatureSyncobj); err != nil {
		return err
	}
	if arg.Flags&^uint32(waitFlags) != 0 {
		return invalid("SYNCOBJ_WAIT with flags %#x", arg.Flags)
	}
	if arg.CountHandles == 0 {
		return nil
	}
	objects, err := m.find(req, arg.Handles, arg.CountHandles)
	if err != nil {
		return err
	}
	defer putAll(objects)
	first, err := waitFor(req.Context, objects, make([]uint64, len(objects)), arg.Flags, arg.TimeoutNsec)
	if err == nil {
		arg.FirstSignaled = first
	}
	return err
}

func (m *Manager) timelineWait(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjTimelineWait) error {
	if err := needs(dev, drm.FeatureSyncobjTimeline); err != nil {
		return err
	}
	if arg.Flags&^uint32(timelineWaitFlags) != 0 {
		return invalid("SYNCOBJ_TIMELINE_WAIT with flags %#x", arg.Flags)
	}
	if arg.CountHandles == 0 {
		return nil
	}
	objects, points, err := m.findPoints(req, arg.Handles, arg.Points, arg.CountHandles)
	if err != nil {
		return err
	}
	defer putAll(objects)
	first, err := waitFor(req.Context, objects, points, arg.Flags, arg.TimeoutNsec)
	if err == nil {
		arg.FirstSignaled = first
	}
	return err
}

func (m *Manager) reset(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjArray) error {
	return m.each(dev, req, arg, func(s *Syncobj) { s.Replace(nil) })
}

func (m *Manager) signal(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjArray) error {
	return m.each(dev, req, arg, func(s *Syncobj) { s.Replace(fence.Stub()) })
}

func (m *Manager) each(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjArray, do func(*Syncobj)) error {
	if err := needs(dev, drm.FeatureSyncobj); err != nil {
		return err
	}
	if arg.Pad != 0 || arg.CountHandles == 0 {
		return invalid("%d handles with padding %#x", arg.CountHandles, arg.Pad)
	}
	objects, err := m.find(req, arg.Handles, arg.CountHandles)
	if err != nil {
		return err
	}
	defer putAll(objects)
	for _, s := range objects {
		do(s)
	}
	return nil
}

func (m *Manager) timelineSignal(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjTimelineArray) error {
	if err := needs(dev, drm.FeatureSyncobjTimeline); err != nil {
		return err
	}
	if arg.Flags != 0 || arg.CountHandles == 0 {
		return invalid("SYNCOBJ_TIMELINE_SIGNAL of %d handles with flags %#x", arg.CountHandles, arg.Flags)
	}
	objects, points, err := m.findPoints(req, arg.Handles, arg.Points, arg.CountHandles)
	if err != nil {
		return err
	}
	defer putAll(objects)
	for i, s := range objects {
		s.AddPoint(fence.Stub(), points[i])
	}
	return nil
}

// query answers how far each timeline is.
func (m *Manager) query(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjTimelineArray) error {
	if err := needs(dev, drm.FeatureSyncobjTimeline); err != nil {
		return err
	}
	if arg.Flags&^uint32(uapi.SyncobjQueryFlagsLastSubmitted) != 0 || arg.CountHandles == 0 {
		return invalid("SYNCOBJ_QUERY of %d handles with flags %#x", arg.CountHandles, arg.Flags)
	}
	objects, err := m.find(req, arg.Handles, arg.CountHandles)
	if err != nil {
		return err
	}
	defer putAll(objects)
	points := make([]uint64, len(objects))
	for i, s := range objects {
		switch f := s.Fence(); {
		case f == nil:
		case arg.Flags&uapi.SyncobjQueryFlagsLastSubmitted != 0:
			points[i] = f.LastSubmitted()
		default:
			points[i] = f.LastSignaled()
		}
	}
	return req.CopyToUser(arg.Points, encode(points))
}

// maxHandles is how many objects a request may name: what the kernel can
// allocate pointers for at once.
const maxHandles = 1 << 19

// find reads an array of handles and returns the objects, each with a
// reference for the caller.
func (m *Manager) find(req *drm.Request, addr uint64, count uint32) (objects []*Syncobj, err error) {
	if count > maxHandles {
		return nil, fmt.Errorf("syncobj: %d handles, more than %d: %w", count, maxHandles, unix.ENOMEM)
	}
	handles, err := readArray[uint32](req, addr, count)
	if err != nil {
		return nil, err
	}
	for _, handle := range handles {
		s, err := m.lookup(req, handle)
		if err != nil {
			putAll(objects)
			return nil, err
		}
		objects = append(objects, s)
	}
	return objects, nil
}

// findPoints reads a point for each handle as well; without an array of them
// they are 0.
func (m *Manager) findPoints(req *drm.Request, handles, points uint64, count uint32) ([]*Syncobj, []uint64, error) {
	objects, err := m.find(req, handles, count)
	if err != nil {
		return nil, nil, err
	}
	if points == 0 {
		return objects, make([]uint64, len(objects)), nil
	}
	values, err := readArray[uint64](req, points, count)
	if err != nil {
		putAll(objects)
		return nil, nil, err
	}
	return objects, values, nil
}

func putAll(objects []*Syncobj) {
	for _, s := range objects {
		s.Put()
	}
}
