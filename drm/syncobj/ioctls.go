package syncobj

import (
	"fmt"
	"runtime"

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
		return invalid("SYNCOBJ_CREATE: flags %#x: only CREATE_SIGNALED is allowed", arg.Flags)
	}
	var f *fence.Fence
	if arg.Flags&uapi.SyncobjCreateSignaled != 0 {
		f = fence.Stub()
	}
	s := New(f)
	s.account = req.File.Client().Account
	if err := s.account.Charge(drm.Objects, 1, unix.ENOMEM); err != nil {
		return err
	}
	arg.Handle = m.handles(req.File).Create(s)
	return nil
}

func (m *Manager) destroy(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjDestroy) error {
	if err := needs(dev, drm.FeatureSyncobj); err != nil {
		return err
	}
	if arg.Pad != 0 {
		return invalid("SYNCOBJ_DESTROY: padding %#x: must be zero", arg.Pad)
	}
	s, ok := m.handles(req.File).Remove(arg.Handle)
	if !ok {
		return &drm.MissingError{Kind: "syncobj", ID: arg.Handle, Text: fmt.Sprintf("syncobj: SYNCOBJ_DESTROY: no handle %d", arg.Handle), Errno: unix.EINVAL}
	}
	s.Put()
	return nil
}

// handleToFD exports an object or, with EXPORT_SYNC_FILE, its current fence. With
// TIMELINE as well, it exports the fence of a point.
func (m *Manager) handleToFD(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjHandle) error {
	if err := needs(dev, drm.FeatureSyncobj); err != nil {
		return err
	}
	const exports, timeline = uapi.SyncobjHandleToFDFlagsExportSyncFile, uapi.SyncobjHandleToFDFlagsTimeline
	point, err := pointOf("SYNCOBJ_HANDLE_TO_FD", arg, exports, timeline)
	if err != nil {
		return err
	}
	if arg.Flags&exports == 0 {
		s, err := m.Lookup(req.File, arg.Handle)
		if err != nil {
			return invalid("SYNCOBJ_HANDLE_TO_FD: no handle %d", arg.Handle)
		}
		defer s.Put()
		arg.FD, err = install(req, s)
		return err
	}
	f, err := m.FindFence(req, arg.Handle, point, 0)
	if err != nil {
		return err
	}
	arg.FD, err = fence.Install(req, f)
	return err
}

// pointOf checks the flags of a request and returns its point. A point is one of
// a sync file, and counts only with the flag timeline.
func pointOf(request string, arg *uapi.SyncobjHandle, syncFile, timeline uint32) (uint64, error) {
	if arg.Pad != 0 || arg.Flags&^(syncFile|timeline) != 0 {
		return 0, invalid("%s: flags %#x, padding %#x: want no padding, and only the flags %#x", request, arg.Flags, arg.Pad, syncFile|timeline)
	}
	if arg.Point != 0 && arg.Flags&syncFile == 0 {
		return 0, invalid("%s: point %d of an object: only sync files have a point; set the flag %#x", request, arg.Point, syncFile)
	}
	if arg.Flags&timeline == 0 {
		return 0, nil
	}
	return arg.Point, nil
}

// maxImports is the number of handles beyond which a file can import no sync
// objects. Each import makes a new handle.
const maxImports = 1 << 20

// fdToHandle imports an object under a new handle or, with IMPORT_SYNC_FILE, the
// fence of a sync file into an object. With TIMELINE as well, the fence becomes a
// point of the object.
func (m *Manager) fdToHandle(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjHandle) error {
	if err := needs(dev, drm.FeatureSyncobj); err != nil {
		return err
	}
	const imports, timeline = uapi.SyncobjFDToHandleFlagsImportSyncFile, uapi.SyncobjFDToHandleFlagsTimeline
	point, err := pointOf("SYNCOBJ_FD_TO_HANDLE", arg, imports, timeline)
	if err != nil {
		return err
	}
	if arg.Flags&imports == 0 {
		f, ok := req.LookupFile(arg.FD).(*file)
		if !ok {
			return invalid("SYNCOBJ_FD_TO_HANDLE: descriptor %d is not a sync object", arg.FD)
		}
		if !f.object.tryGet() {
			return invalid("SYNCOBJ_FD_TO_HANDLE: descriptor %d is being closed", arg.FD)
		}
		if m.handles(req.File).Len() >= maxImports {
			f.object.Put()
			return fmt.Errorf("syncobj: SYNCOBJ_FD_TO_HANDLE: the file has %d handles: %w", maxImports, unix.ENOMEM)
		}
		arg.Handle = m.handles(req.File).Create(f.object)
		return nil
	}
	f, err := fence.Lookup(req, arg.FD)
	if err != nil {
		return err
	}
	s, err := m.Lookup(req.File, arg.Handle)
	if err != nil {
		return err
	}
	defer s.Put()
	return submit(req, s, f, point)
}

// transfer copies the fence of an object, or of one of its points, to another
// object or point.
func (m *Manager) transfer(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjTransfer) error {
	if err := needs(dev, drm.FeatureSyncobjTimeline); err != nil {
		return err
	}
	if arg.Pad != 0 {
		return invalid("SYNCOBJ_TRANSFER: padding %#x: must be zero", arg.Pad)
	}
	dst, err := m.Lookup(req.File, arg.DstHandle)
	if err != nil {
		return err
	}
	defer dst.Put()
	f, err := m.FindFence(req, arg.SrcHandle, arg.SrcPoint, arg.Flags)
	if err != nil {
		return err
	}
	return submit(req, dst, f, arg.DstPoint)
}

// submit makes f the fence of s, or a point of its timeline.
func submit(req *drm.Request, s *Syncobj, f *fence.Fence, point uint64) error {
	if point == 0 {
		s.Replace(f)
		return nil
	}
	account := req.File.Client().Account
	merged, err := fence.MergeFor(account, f)
	if err != nil {
		return err
	}
	return addPoint(account, s, merged, point)
}

// addPoint is Syncobj.AddPoint at the request of a client, who is charged for a
// point that is not signalled. Such points can be as many as the client likes.
func addPoint(account *drm.Account, s *Syncobj, f *fence.Fence, point uint64) error {
	if f.Signaled() || account == nil {
		s.AddPoint(f, point)
		return nil
	}
	if err := account.Charge(drm.Objects, 1, unix.ENOMEM); err != nil {
		return err
	}
	// Nothing but the garbage collector knows when it goes.
	runtime.AddCleanup(s.AddPoint(f, point), func(account *drm.Account) { account.Refund(drm.Objects, 1) }, account)
	return nil
}

// WAIT_DEADLINE is accepted and ignored: it hints when the fences are needed,
// and no fence here completes earlier for it.
const (
	waitFlags         = uapi.SyncobjWaitFlagsWaitAll | uapi.SyncobjWaitFlagsWaitForSubmit | uapi.SyncobjWaitFlagsWaitDeadline
	timelineWaitFlags = waitFlags | uapi.SyncobjWaitFlagsWaitAvailable
)

func (m *Manager) wait(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjWait) error {
	if err := needs(dev, drm.FeatureSyncobj); err != nil {
		return err
	}
	if arg.Flags&^uint32(waitFlags) != 0 {
		return invalid("SYNCOBJ_WAIT: unknown flags %#x", arg.Flags&^uint32(waitFlags))
	}
	if arg.CountHandles == 0 {
		return nil
	}
	objects, err := m.find(req, arg.Handles, arg.CountHandles)
	if err != nil {
		return err
	}
	defer putAll(objects)
	first, err := waitFor(req, objects, make([]uint64, len(objects)), arg.Flags, arg.TimeoutNsec)
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
		return invalid("SYNCOBJ_TIMELINE_WAIT: unknown flags %#x", arg.Flags&^uint32(timelineWaitFlags))
	}
	if arg.CountHandles == 0 {
		return nil
	}
	objects, points, err := m.findPoints(req, arg.Handles, arg.Points, arg.CountHandles)
	if err != nil {
		return err
	}
	defer putAll(objects)
	first, err := waitFor(req, objects, points, arg.Flags, arg.TimeoutNsec)
	if err == nil {
		arg.FirstSignaled = first
	}
	return err
}

func (m *Manager) reset(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjArray) error {
	return m.each(dev, req, arg, "SYNCOBJ_RESET", func(s *Syncobj) { s.Replace(nil) })
}

func (m *Manager) signal(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjArray) error {
	return m.each(dev, req, arg, "SYNCOBJ_SIGNAL", func(s *Syncobj) { s.Replace(fence.Stub()) })
}

// each calls do for every object of an array.
func (m *Manager) each(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjArray, request string, do func(*Syncobj)) error {
	if err := needs(dev, drm.FeatureSyncobj); err != nil {
		return err
	}
	if arg.Pad != 0 || arg.CountHandles == 0 {
		return invalid("%s: %d handles, padding %#x: want at least one, and no padding", request, arg.CountHandles, arg.Pad)
	}
	objects, err := m.find(req, arg.Handles, arg.CountHandles)
	if err != nil {
		return err
	}
	defer putAll(objects)
	for _, s := range objects {
		if err := ended(req); err != nil {
			return err
		}
		do(s)
	}
	return nil
}

func (m *Manager) timelineSignal(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjTimelineArray) error {
	if err := needs(dev, drm.FeatureSyncobjTimeline); err != nil {
		return err
	}
	if arg.Flags != 0 || arg.CountHandles == 0 {
		return invalid("SYNCOBJ_TIMELINE_SIGNAL: %d handles, flags %#x: want at least one, and no flags", arg.CountHandles, arg.Flags)
	}
	objects, points, err := m.findPoints(req, arg.Handles, arg.Points, arg.CountHandles)
	if err != nil {
		return err
	}
	defer putAll(objects)
	for i, s := range objects {
		if err := ended(req); err != nil {
			return err
		}
		s.AddPoint(fence.Stub(), points[i])
	}
	return nil
}

// query returns the last signalled point of each timeline or, with
// LAST_SUBMITTED, the last submitted one.
func (m *Manager) query(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjTimelineArray) error {
	if err := needs(dev, drm.FeatureSyncobjTimeline); err != nil {
		return err
	}
	if arg.Flags&^uint32(uapi.SyncobjQueryFlagsLastSubmitted) != 0 || arg.CountHandles == 0 {
		return invalid("SYNCOBJ_QUERY: %d handles, flags %#x: want at least one, and only LAST_SUBMITTED", arg.CountHandles, arg.Flags)
	}
	objects, err := m.find(req, arg.Handles, arg.CountHandles)
	if err != nil {
		return err
	}
	defer putAll(objects)
	points := make([]uint64, len(objects))
	for i, s := range objects {
		if err := ended(req); err != nil {
			return err
		}
		switch f := s.Fence(); {
		case f == nil:
		case arg.Flags&uapi.SyncobjQueryFlagsLastSubmitted != 0:
			points[i] = f.LastSubmitted()
		default:
			points[i] = f.LastSignaled()
		}
	}
	return drm.PutArray(req, arg.Points, points)
}

// maxHandles limits the objects of one request. The kernel's limit is the
// largest array of pointers that it can allocate.
const maxHandles = 1 << 19

// find reads an array of handles and returns their objects, each with a
// reference that the caller must put.
func (m *Manager) find(req *drm.Request, addr uint64, count uint32) (objects []*Syncobj, err error) {
	if count > maxHandles {
		return nil, fmt.Errorf("syncobj: too many handles (%d, the limit is %d): %w", count, maxHandles, unix.ENOMEM)
	}
	handles, err := drm.ReadArray[uint32](req, addr, count)
	if err != nil {
		return nil, err
	}
	for _, handle := range handles {
		s, err := m.Lookup(req.File, handle)
		if err != nil {
			putAll(objects)
			return nil, err
		}
		objects = append(objects, s)
	}
	return objects, nil
}

// findPoints is like find and also reads a point for each handle. The points
// are 0 if their address is.
func (m *Manager) findPoints(req *drm.Request, handles, points uint64, count uint32) ([]*Syncobj, []uint64, error) {
	objects, err := m.find(req, handles, count)
	if err != nil {
		return nil, nil, err
	}
	if points == 0 {
		return objects, make([]uint64, len(objects)), nil
	}
	values, err := drm.ReadArray[uint64](req, points, count)
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
