package conformance

import (
	"encoding/binary"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var syncobjCases = []Case{
	{"syncobj/create-and-destroy", NeedSyncobj, syncobjCreate},
	{"syncobj/render-node", NeedSyncobj | NeedRender, syncobjRender},
	{"syncobj/wait", NeedSyncobj, syncobjWait},
	{"syncobj/wait-errors", NeedSyncobj, syncobjWaitErrors},
	{"syncobj/wait-for-submit", NeedSyncobj, syncobjWaitForSubmit},
	{"syncobj/wait-all-and-any", NeedSyncobj, syncobjWaitAll},
	{"syncobj/wait-deadline", NeedWaitDeadline, syncobjWaitDeadline},
	{"syncobj/signal-and-reset", NeedSyncobj, syncobjSignalReset},
	{"syncobj/share", NeedSyncobj, syncobjShare},
	{"syncobj/share-errors", NeedSyncobj, syncobjShareErrors},
	{"syncobj/sync-file", NeedSyncobj, syncobjSyncFile},
	{"timeline/signal-and-query", NeedTimeline, timelineSignal},
	{"timeline/wait", NeedTimeline, timelineWait},
	{"timeline/wait-available", NeedTimeline, timelineAvailable},
	{"timeline/wait-deadline", NeedTimeline | NeedWaitDeadline, timelineWaitDeadline},
	{"timeline/errors", NeedTimeline, timelineErrors},
	{"timeline/transfer", NeedTimeline, timelineTransfer},
	{"timeline/transfer-errors", NeedTimeline, timelineTransferErrors},
	{"timeline/sync-file", NeedTimelineFiles, timelineSyncFile},
	{"timeline/sync-file-errors", NeedTimelineFiles, timelineSyncFileErrors},
	{"timeline/eventfd", NeedEventfd, timelineEventfd},
	{"timeline/eventfd-errors", NeedEventfd, timelineEventfdErrors},
	{"sync-file/info", NeedSyncobj, syncFileInfo},
	{"sync-file/deadline", NeedSyncobj, syncFileDeadline},
	{"sync-file/merge", NeedSyncobj, syncFileMerge},
}

// NewSyncobj makes a sync object and returns its handle.
func (f *file) NewSyncobj(flags uint32) uint32 {
	f.t.Helper()
	arg := uapi.SyncobjCreate{Flags: flags}
	f.Must(uapi.IoctlSyncobjCreate, &arg)
	return arg.Handle
}

const signaled = uapi.SyncobjCreateSignaled

// noHandle is not the handle of any object.
const noHandle = math.MaxUint32

func syncobjCreate(t *tester) {
	f := t.Open()
	first, second := f.NewSyncobj(0), f.NewSyncobj(signaled)
	if first == 0 || second == 0 || first == second {
		t.Errorf("two objects have the handles %d and %d", first, second)
	}
	for _, flags := range []uint32{2, 1 << 31, math.MaxUint32} {
		f.Want("with unknown flags", uapi.IoctlSyncobjCreate, &uapi.SyncobjCreate{Flags: flags}, unix.EINVAL)
	}
	f.Want("with padding", uapi.IoctlSyncobjDestroy, &uapi.SyncobjDestroy{Handle: first, Pad: 1}, unix.EINVAL)
	f.Want("", uapi.IoctlSyncobjDestroy, &uapi.SyncobjDestroy{Handle: first})
	for _, handle := range []uint32{first, 0, noHandle} {
		f.Want("of a nonexistent handle", uapi.IoctlSyncobjDestroy, &uapi.SyncobjDestroy{Handle: handle}, unix.EINVAL)
	}
	t.Open().Want("of another file's handle", uapi.IoctlSyncobjDestroy, &uapi.SyncobjDestroy{Handle: second}, unix.EINVAL)
}

func syncobjRender(t *tester) {
	f := t.OpenRender()
	handle := f.NewSyncobj(signaled)
	t.Want("SYNCOBJ_WAIT on a render node", f.wait(0, 0, handle))
	f.Want("", uapi.IoctlSyncobjDestroy, &uapi.SyncobjDestroy{Handle: handle})
}

// wait waits for objects, at most for timeout.
func (f *file) wait(flags uint32, timeout time.Duration, handles ...uint32) error {
	_, err := f.waitFirst(flags, timeout, handles...)
	return err
}

// waitFirst is wait. It also returns the index of the first signalled object.
func (f *file) waitFirst(flags uint32, timeout time.Duration, handles ...uint32) (first uint32, err error) {
	arg := uapi.SyncobjWait{Handles: addr(f.t, handles), CountHandles: uint32(len(handles)), Flags: flags, FirstSignaled: 99}
	if timeout > 0 {
		arg.TimeoutNsec = int64(now() + timeout)
	}
	err = f.Ioctl(uapi.IoctlSyncobjWait, &arg)
	return arg.FirstSignaled, err
}

const (
	waitAll       = uapi.SyncobjWaitFlagsWaitAll
	waitForSubmit = uapi.SyncobjWaitFlagsWaitForSubmit
	waitAvailable = uapi.SyncobjWaitFlagsWaitAvailable
	waitDeadline  = uapi.SyncobjWaitFlagsWaitDeadline
)

func syncobjWait(t *tester) {
	f := t.Open()
	done, empty := f.NewSyncobj(signaled), f.NewSyncobj(0)
	for _, flags := range []uint32{0, waitAll, waitForSubmit, waitAll | waitForSubmit} {
		first, err := f.waitFirst(flags, 0, done)
		t.Want("SYNCOBJ_WAIT for a signalled object", err)
		equal(t, "the first signalled object", first, 0)
	}
	t.Want("SYNCOBJ_WAIT for an object without a fence", f.wait(0, 0, empty), unix.EINVAL)
	t.Want("SYNCOBJ_WAIT for an object without a fence", f.wait(0, time.Millisecond, empty), unix.EINVAL)
	t.Want("SYNCOBJ_WAIT with WAIT_FOR_SUBMIT, without time", f.wait(waitForSubmit, 0, empty), unix.ETIME)
	t.Want("SYNCOBJ_WAIT with WAIT_FOR_SUBMIT, with little time", f.wait(waitForSubmit, time.Millisecond, empty), unix.ETIME)
	t.Want("SYNCOBJ_WAIT for no object", f.wait(0, 0))
}

func syncobjWaitErrors(t *tester) {
	f := t.Open()
	done := f.NewSyncobj(signaled)
	for _, handle := range []uint32{0, done + 1, noHandle} {
		t.Want("SYNCOBJ_WAIT for a nonexistent handle", f.wait(0, 0, done, handle), unix.ENOENT)
	}
	t.Want("SYNCOBJ_WAIT for another file's handle", t.Open().wait(0, 0, done), unix.ENOENT)
	f.Want("for an oversized count", uapi.IoctlSyncobjWait,
		&uapi.SyncobjWait{Handles: addr(t, []uint32{done}), CountHandles: math.MaxUint32}, unix.ENOMEM, unix.EFAULT, unix.EINVAL)
	for _, flags := range []uint32{waitAvailable, 1 << 30, math.MaxUint32} {
		t.Want("SYNCOBJ_WAIT with unknown flags", f.wait(flags, 0, done), unix.EINVAL)
	}
	for _, cmd := range []uint32{uapi.IoctlSyncobjWait, uapi.IoctlSyncobjReset, uapi.IoctlSyncobjSignal} {
		if cmd == uapi.IoctlSyncobjWait {
			f.Want("with the handles at a bad address", cmd, &uapi.SyncobjWait{Handles: t.BadAddr(), CountHandles: 1}, unix.EFAULT)
			continue
		}
		f.Want("with the handles at a bad address", cmd, &uapi.SyncobjArray{Handles: t.BadAddr(), CountHandles: 1}, unix.EFAULT)
		f.Want("of no object", cmd, &uapi.SyncobjArray{}, unix.EINVAL)
		f.Want("with padding", cmd, &uapi.SyncobjArray{Handles: addr(t, []uint32{done}), CountHandles: 1, Pad: 1}, unix.EINVAL)
		f.Want("of a nonexistent handle", cmd, &uapi.SyncobjArray{Handles: addr(t, []uint32{noHandle}), CountHandles: 1}, unix.ENOENT)
	}
}

// signal signals objects or resets them, as cmd says.
func (f *file) signal(cmd uint32, handles ...uint32) {
	f.t.Helper()
	f.Must(cmd, &uapi.SyncobjArray{Handles: addr(f.t, handles), CountHandles: uint32(len(handles))})
}

// later runs f in another goroutine. result waits for what f returns.
func later[V any](f func() V) (result func() V) {
	done := make(chan V, 1)
	go func() { done <- f() }()
	return func() V { return <-done }
}

// syncobjWaitForSubmit checks that a wait may start before the object has a
// fence.
func syncobjWaitForSubmit(t *tester) {
	f := t.Open()
	handle := f.NewSyncobj(0)
	handles := []uint32{handle}
	arg := uapi.SyncobjWait{
		Handles: addr(t, handles), CountHandles: 1, Flags: waitForSubmit,
		TimeoutNsec: int64(now() + timeout), FirstSignaled: 99,
	}
	waited := later(func() error { return f.Ioctl(uapi.IoctlSyncobjWait, &arg) })
	f.signal(uapi.IoctlSyncobjSignal, handle)
	t.Want("SYNCOBJ_WAIT until another thread signals", waited())
	equal(t, "the first signalled object", arg.FirstSignaled, 0)
}

func syncobjWaitAll(t *tester) {
	f := t.Open()
	empty, done := f.NewSyncobj(0), f.NewSyncobj(signaled)
	first, err := f.waitFirst(waitForSubmit, 0, empty, done, empty)
	t.Want("SYNCOBJ_WAIT for any of three", err)
	equal(t, "the first signalled object", first, 1)
	t.Want("SYNCOBJ_WAIT for all of two", f.wait(waitForSubmit|waitAll, 0, done, empty), unix.ETIME)
	t.Want("SYNCOBJ_WAIT for any of two, one without a fence", f.wait(0, 0, done, empty), unix.EINVAL)
	t.Want("SYNCOBJ_WAIT for a duplicate object", f.wait(waitAll, 0, done, done))
}

func syncobjSignalReset(t *tester) {
	f := t.Open()
	first, second := f.NewSyncobj(0), f.NewSyncobj(0)
	f.signal(uapi.IoctlSyncobjSignal, first, second)
	t.Want("SYNCOBJ_WAIT for all after SIGNAL", f.wait(waitAll, 0, first, second))
	f.signal(uapi.IoctlSyncobjReset, first)
	t.Want("SYNCOBJ_WAIT after RESET", f.wait(0, 0, first), unix.EINVAL)
	t.Want("SYNCOBJ_WAIT for the object that was not reset", f.wait(0, 0, second))
	f.signal(uapi.IoctlSyncobjSignal, first)
	t.Want("SYNCOBJ_WAIT after another SIGNAL", f.wait(0, 0, first))
}

// exportSyncobj returns a descriptor of an object or, by the flags, of its
// fence.
func (f *file) exportSyncobj(handle, flags uint32) *file {
	f.t.Helper()
	arg := uapi.SyncobjHandle{Handle: handle, Flags: flags}
	f.Must(uapi.IoctlSyncobjHandleToFD, &arg)
	return f.t.File(int(arg.FD), "a sync object or file")
}

// importSyncobj returns a handle of the object behind a descriptor.
func (f *file) importSyncobj(from *file) uint32 {
	f.t.Helper()
	arg := uapi.SyncobjHandle{FD: from.FD()}
	f.Must(uapi.IoctlSyncobjFDToHandle, &arg)
	return arg.Handle
}

// syncobjShare checks that a descriptor refers to the object itself, and keeps
// it after its file is closed.
func syncobjShare(t *tester) {
	f, other := t.Open(), t.Open()
	handle := f.NewSyncobj(0)
	fd := f.exportSyncobj(handle, 0)
	same, again := other.importSyncobj(fd), other.importSyncobj(fd)
	if same == again {
		t.Errorf("both imports of an object have handle %d, want two handles", same)
	}
	f.signal(uapi.IoctlSyncobjSignal, handle)
	t.Want("SYNCOBJ_WAIT by the other file", other.wait(waitAll, 0, same, again))
	other.signal(uapi.IoctlSyncobjReset, same)
	t.Want("SYNCOBJ_WAIT after the other file's RESET", f.wait(0, 0, handle), unix.EINVAL)
	t.Must("close", f.Close())
	other.signal(uapi.IoctlSyncobjSignal, same)
	third := t.Open()
	t.Want("SYNCOBJ_WAIT by a third file after the first is closed", third.wait(0, 0, third.importSyncobj(fd)))
}

func syncobjShareErrors(t *tester) {
	f := t.Open()
	handle := f.NewSyncobj(0)
	export, bring := uint32(uapi.IoctlSyncobjHandleToFD), uint32(uapi.IoctlSyncobjFDToHandle)
	f.Want("of a nonexistent handle", export, &uapi.SyncobjHandle{Handle: noHandle}, unix.EINVAL, unix.ENOENT)
	f.Want("with padding", export, &uapi.SyncobjHandle{Handle: handle, Pad: 1}, unix.EINVAL)
	f.Want("with unknown flags", export, &uapi.SyncobjHandle{Handle: handle, Flags: 1 << 30}, unix.EINVAL)
	f.Want("of the fence of an object without one", export,
		&uapi.SyncobjHandle{Handle: handle, Flags: uapi.SyncobjHandleToFDFlagsExportSyncFile}, unix.EINVAL)
	f.Want("of the fence of a nonexistent handle", export,
		&uapi.SyncobjHandle{Handle: noHandle, Flags: uapi.SyncobjHandleToFDFlagsExportSyncFile}, unix.ENOENT)

	fd := f.exportSyncobj(handle, 0)
	fd.Want("on a sync object", uapi.IoctlVersion, t.buffer(), unix.ENOTTY)
	f.Want("with padding", bring, &uapi.SyncobjHandle{FD: fd.FD(), Pad: 1}, unix.EINVAL)
	f.Want("with unknown flags", bring, &uapi.SyncobjHandle{FD: fd.FD(), Flags: 1 << 30}, unix.EINVAL)
	for _, other := range []int32{-1, 1 << 20, f.FD(), t.Eventfd().FD()} {
		f.Want("of a descriptor that is not a sync object", bring, &uapi.SyncobjHandle{FD: other}, unix.EINVAL)
		f.Want("of a descriptor that is not a sync file", bring,
			&uapi.SyncobjHandle{FD: other, Handle: handle, Flags: uapi.SyncobjFDToHandleFlagsImportSyncFile}, unix.EINVAL)
	}
	syncFile := f.exportSyncobj(f.NewSyncobj(signaled), uapi.SyncobjHandleToFDFlagsExportSyncFile)
	f.Want("of a sync file as an object", bring, &uapi.SyncobjHandle{FD: syncFile.FD()}, unix.EINVAL)
	f.Want("of a sync file into a nonexistent handle", bring,
		&uapi.SyncobjHandle{FD: syncFile.FD(), Handle: noHandle, Flags: uapi.SyncobjFDToHandleFlagsImportSyncFile}, unix.ENOENT)
}

// syncobjSyncFile checks that a sync file has the object's fence at the time of
// the export. Later changes of the object do not affect it.
func syncobjSyncFile(t *tester) {
	f := t.Open()
	handle := f.NewSyncobj(signaled)
	syncFile := f.exportSyncobj(handle, uapi.SyncobjHandleToFDFlagsExportSyncFile)
	f.signal(uapi.IoctlSyncobjReset, handle)
	equal(t, "poll of a sync file of a signalled fence", syncFile.Poll(unix.POLLIN, 0), unix.POLLIN)
	other := f.NewSyncobj(0)
	f.Want("of a sync file", uapi.IoctlSyncobjFDToHandle,
		&uapi.SyncobjHandle{FD: syncFile.FD(), Handle: other, Flags: uapi.SyncobjFDToHandleFlagsImportSyncFile})
	t.Want("SYNCOBJ_WAIT for the object with the imported fence", f.wait(0, 0, other))
	t.Want("SYNCOBJ_WAIT for the reset object", f.wait(0, 0, handle), unix.EINVAL)
}

// points returns a request with points of timelines.
func (f *file) points(handles []uint32, points []uint64) uapi.SyncobjTimelineArray {
	return uapi.SyncobjTimelineArray{Handles: addr(f.t, handles), Points: addr(f.t, points), CountHandles: uint32(len(handles))}
}

// query returns the points that timelines have reached.
func (f *file) query(flags uint32, handles ...uint32) []uint64 {
	f.t.Helper()
	points := make([]uint64, len(handles))
	arg := f.points(handles, points)
	arg.Flags = flags
	f.Must(uapi.IoctlSyncobjQuery, &arg)
	return points
}

func (f *file) signalPoint(handle uint32, point uint64) {
	f.t.Helper()
	arg := f.points([]uint32{handle}, []uint64{point})
	f.Must(uapi.IoctlSyncobjTimelineSignal, &arg)
}

// waitPoint polls a point.
func (f *file) waitPoint(flags, handle uint32, point uint64) error {
	arg := f.waitPointArg(flags, 0, handle, point)
	return f.Ioctl(uapi.IoctlSyncobjTimelineWait, &arg)
}

func (f *file) waitPointArg(flags uint32, timeout time.Duration, handle uint32, point uint64) uapi.SyncobjTimelineWait {
	arg := uapi.SyncobjTimelineWait{
		Handles: addr(f.t, []uint32{handle}), Points: addr(f.t, []uint64{point}), CountHandles: 1, Flags: flags,
	}
	if timeout > 0 {
		arg.TimeoutNsec = int64(now() + timeout)
	}
	return arg
}

func timelineSignal(t *tester) {
	f := t.Open()
	a, b := f.NewSyncobj(0), f.NewSyncobj(0)
	equal(t, "the point of a new timeline", f.query(0, a)[0], 0)
	arg := f.points([]uint32{a, b}, []uint64{5, 7})
	f.Must(uapi.IoctlSyncobjTimelineSignal, &arg)
	for _, flags := range []uint32{0, uapi.SyncobjQueryFlagsLastSubmitted} {
		at := f.query(flags, a, b)
		equal(t, "the point of the first timeline", at[0], 5)
		equal(t, "the point of the second timeline", at[1], 7)
	}
	f.signalPoint(a, 1<<40)
	equal(t, "the point of the timeline", f.query(0, a)[0], 1<<40)
	equal(t, "the point of an object without a timeline", f.query(0, f.NewSyncobj(signaled))[0], 0)
	f.signal(uapi.IoctlSyncobjReset, a)
	equal(t, "the point of a reset timeline", f.query(0, a)[0], 0)
}

func timelineWait(t *tester) {
	f := t.Open()
	handle := f.NewSyncobj(0)
	f.signalPoint(handle, 5)
	for _, point := range []uint64{0, 1, 4, 5} {
		t.Want("TIMELINE_WAIT for a past point", f.waitPoint(0, handle, point))
	}
	t.Want("TIMELINE_WAIT for a point that was not submitted", f.waitPoint(0, handle, 6), unix.EINVAL)
	t.Want("TIMELINE_WAIT with WAIT_FOR_SUBMIT, without time", f.waitPoint(waitForSubmit, handle, 6), unix.ETIME)
	arg := f.waitPointArg(waitForSubmit, timeout, handle, 6)
	waited := later(func() error { return f.Ioctl(uapi.IoctlSyncobjTimelineWait, &arg) })
	f.signalPoint(handle, 6)
	t.Want("TIMELINE_WAIT until another thread signals", waited())
}

func timelineAvailable(t *tester) {
	f := t.Open()
	handle := f.NewSyncobj(0)
	t.Want("TIMELINE_WAIT with WAIT_AVAILABLE, without time", f.waitPoint(waitAvailable, handle, 3), unix.ETIME)
	arg := f.waitPointArg(waitAvailable, timeout, handle, 3)
	waited := later(func() error { return f.Ioctl(uapi.IoctlSyncobjTimelineWait, &arg) })
	f.signalPoint(handle, 3)
	t.Want("TIMELINE_WAIT until a point is available", waited())
	t.Want("TIMELINE_WAIT for an available point", f.waitPoint(waitAvailable, handle, 2))
}

func timelineErrors(t *tester) {
	f := t.Open()
	handle := f.NewSyncobj(0)
	for _, cmd := range []uint32{uapi.IoctlSyncobjTimelineSignal, uapi.IoctlSyncobjQuery} {
		bad := f.points([]uint32{noHandle}, []uint64{1})
		f.Want("of a nonexistent handle", cmd, &bad, unix.ENOENT)
		flags := f.points([]uint32{handle}, []uint64{1})
		flags.Flags = 1 << 30
		f.Want("with unknown flags", cmd, &flags, unix.EINVAL)
		f.Want("of no object", cmd, &uapi.SyncobjTimelineArray{}, unix.EINVAL)
		fault := f.points([]uint32{handle}, nil)
		fault.Points = t.BadAddr()
		f.Want("with the points at a bad address", cmd, &fault, unix.EFAULT)
		fault = f.points(nil, []uint64{1})
		fault.Handles, fault.CountHandles = t.BadAddr(), 1
		f.Want("with the handles at a bad address", cmd, &fault, unix.EFAULT)
	}
	t.Want("TIMELINE_WAIT for a nonexistent handle", f.waitPoint(0, noHandle, 1), unix.ENOENT)
	t.Want("TIMELINE_WAIT with unknown flags", f.waitPoint(1<<30, handle, 1), unix.EINVAL)
	arg := f.waitPointArg(0, 0, handle, 1)
	arg.Points = t.BadAddr()
	f.Want("with the points at a bad address", uapi.IoctlSyncobjTimelineWait, &arg, unix.EFAULT)
	f.Want("for no object", uapi.IoctlSyncobjTimelineWait, &uapi.SyncobjTimelineWait{})
}

// timelineTransfer checks transfers of fences between objects and points.
func timelineTransfer(t *tester) {
	f := t.Open()
	binary, timeline := f.NewSyncobj(signaled), f.NewSyncobj(0)
	f.Want("from an object to a point", uapi.IoctlSyncobjTransfer,
		&uapi.SyncobjTransfer{SrcHandle: binary, DstHandle: timeline, DstPoint: 9})
	equal(t, "the point of the timeline", f.query(0, timeline)[0], 9)
	other := f.NewSyncobj(0)
	f.Want("from a point to an object", uapi.IoctlSyncobjTransfer,
		&uapi.SyncobjTransfer{SrcHandle: timeline, SrcPoint: 9, DstHandle: other})
	t.Want("SYNCOBJ_WAIT for the object with the fence of the point", f.wait(0, 0, other))
	third := f.NewSyncobj(0)
	f.Want("from a point to a point", uapi.IoctlSyncobjTransfer,
		&uapi.SyncobjTransfer{SrcHandle: timeline, SrcPoint: 4, DstHandle: third, DstPoint: 2})
	equal(t, "the point of the other timeline", f.query(0, third)[0], 2)
}

func timelineTransferErrors(t *tester) {
	f := t.Open()
	done, empty := f.NewSyncobj(signaled), f.NewSyncobj(0)
	for _, c := range []struct {
		what  string
		arg   uapi.SyncobjTransfer
		errno unix.Errno
	}{
		{"with padding", uapi.SyncobjTransfer{SrcHandle: done, DstHandle: empty, Pad: 1}, unix.EINVAL},
		{"with unknown flags", uapi.SyncobjTransfer{SrcHandle: done, DstHandle: empty, Flags: 1 << 30}, unix.EINVAL},
		{"from a nonexistent handle", uapi.SyncobjTransfer{SrcHandle: noHandle, DstHandle: empty}, unix.ENOENT},
		{"to a nonexistent handle", uapi.SyncobjTransfer{SrcHandle: done, DstHandle: noHandle}, unix.ENOENT},
		{"from an object without a fence", uapi.SyncobjTransfer{SrcHandle: empty, DstHandle: done}, unix.EINVAL},
		{"from an object without a fence, to a point", uapi.SyncobjTransfer{SrcHandle: empty, DstHandle: done, DstPoint: 1}, unix.EINVAL},
	} {
		f.Want(c.what, uapi.IoctlSyncobjTransfer, &c.arg, c.errno)
	}
}

// Flags of sync files that are of a point.
const (
	exportPoint = uapi.SyncobjHandleToFDFlagsExportSyncFile | uapi.SyncobjHandleToFDFlagsTimeline
	importPoint = uapi.SyncobjFDToHandleFlagsImportSyncFile | uapi.SyncobjFDToHandleFlagsTimeline
)

// timelineSyncFile checks sync files that come from a point of a timeline, or
// become one.
func timelineSyncFile(t *tester) {
	f := t.Open()
	timeline := f.NewSyncobj(0)
	f.signalPoint(timeline, 5)
	for _, point := range []uint64{0, 1, 5} {
		arg := uapi.SyncobjHandle{Handle: timeline, Flags: exportPoint, Point: point}
		f.Must(uapi.IoctlSyncobjHandleToFD, &arg)
		syncFile := t.File(int(arg.FD), "a sync file")
		equal(t, "poll of a sync file of a signalled point", syncFile.Poll(unix.POLLIN, 0), unix.POLLIN)
	}

	syncFile := f.exportSyncobj(f.NewSyncobj(signaled), uapi.SyncobjHandleToFDFlagsExportSyncFile)
	f.Must(uapi.IoctlSyncobjFDToHandle, &uapi.SyncobjHandle{FD: syncFile.FD(), Handle: timeline, Flags: importPoint, Point: 9})
	equal(t, "the point of the timeline with the imported fence", f.query(0, timeline)[0], 9)
	f.Must(uapi.IoctlSyncobjFDToHandle, &uapi.SyncobjHandle{FD: syncFile.FD(), Handle: timeline, Flags: importPoint})
	equal(t, "the point after an import at point 0", f.query(0, timeline)[0], 0)

	// An object has no points: TIMELINE alone changes nothing. Without TIMELINE the
	// point of a sync file is not looked at, nor sent by older clients.
	arg := uapi.SyncobjHandle{Handle: timeline, Flags: uapi.SyncobjHandleToFDFlagsTimeline}
	f.Must(uapi.IoctlSyncobjHandleToFD, &arg)
	object := t.File(int(arg.FD), "a sync object")
	for _, arg := range []uapi.SyncobjHandle{
		{FD: object.FD(), Flags: uapi.SyncobjFDToHandleFlagsTimeline},
		{FD: syncFile.FD(), Handle: timeline, Flags: uapi.SyncobjFDToHandleFlagsImportSyncFile, Point: 7},
	} {
		f.Want("without a point", uapi.IoctlSyncobjFDToHandle, &arg)
	}
	older := withSize(uapi.IoctlSyncobjFDToHandle, 16)
	f.Want("of an object, of the older size", older, &uapi.SyncobjHandle{FD: object.FD(), Point: 7})
	f.Want("of the older size", older, &uapi.SyncobjHandle{FD: syncFile.FD(), Handle: timeline, Flags: importPoint, Point: 7})
	equal(t, "the point after an import of the older size", f.query(0, timeline)[0], 0)
}

func timelineSyncFileErrors(t *tester) {
	f := t.Open()
	timeline := f.NewSyncobj(0)
	export, bring := uint32(uapi.IoctlSyncobjHandleToFD), uint32(uapi.IoctlSyncobjFDToHandle)
	f.Want("of a point of an object without a fence", export, &uapi.SyncobjHandle{Handle: timeline, Flags: exportPoint, Point: 1}, unix.EINVAL)
	f.signalPoint(timeline, 5)
	f.Want("of a point that was not submitted", export, &uapi.SyncobjHandle{Handle: timeline, Flags: exportPoint, Point: 6}, unix.EINVAL)
	f.Want("of a point of a nonexistent handle", export, &uapi.SyncobjHandle{Handle: noHandle, Flags: exportPoint, Point: 1}, unix.ENOENT)
	for _, flags := range []uint32{0, uapi.SyncobjHandleToFDFlagsTimeline} {
		f.Want("of an object, with a point", export, &uapi.SyncobjHandle{Handle: timeline, Flags: flags, Point: 5}, unix.EINVAL)
	}
	f.Want("with unknown flags", export, &uapi.SyncobjHandle{Handle: timeline, Flags: exportPoint | 4}, unix.EINVAL)

	syncFile := f.exportSyncobj(f.NewSyncobj(signaled), uapi.SyncobjHandleToFDFlagsExportSyncFile)
	object := f.exportSyncobj(timeline, 0)
	f.Want("of a sync object as a point", bring, &uapi.SyncobjHandle{FD: object.FD(), Handle: timeline, Flags: importPoint, Point: 9}, unix.EINVAL)
	f.Want("at a point of a nonexistent handle", bring,
		&uapi.SyncobjHandle{FD: syncFile.FD(), Handle: noHandle, Flags: importPoint, Point: 9}, unix.ENOENT)
	for _, flags := range []uint32{0, uapi.SyncobjFDToHandleFlagsTimeline} {
		f.Want("of an object, with a point", bring, &uapi.SyncobjHandle{FD: object.FD(), Flags: flags, Point: 5}, unix.EINVAL)
	}
	f.Want("with unknown flags", bring, &uapi.SyncobjHandle{FD: syncFile.FD(), Handle: timeline, Flags: importPoint | 4, Point: 9}, unix.EINVAL)
	equal(t, "the point after refused imports", f.query(0, timeline)[0], 5)
}

// readEventfd waits until an eventfd is signalled, and returns its counter.
func readEventfd(f *file) uint64 {
	f.t.Helper()
	if f.Poll(unix.POLLIN, timeout) != unix.POLLIN {
		f.t.Errorf("the eventfd is not signalled")
		return 0
	}
	var p [8]byte
	_, err := unix.Read(f.fd, p[:])
	f.t.Must("reading the eventfd", err)
	return binary.NativeEndian.Uint64(p[:])
}

func timelineEventfd(t *tester) {
	f := t.Open()
	handle := f.NewSyncobj(0)
	f.signalPoint(handle, 1)
	passed, coming, available, plain := t.Eventfd(), t.Eventfd(), t.Eventfd(), t.Eventfd()
	f.Want("for a past point", uapi.IoctlSyncobjEventfd, &uapi.SyncobjEventfd{Handle: handle, Point: 1, FD: passed.FD()})
	equal(t, "the eventfd of a past point", readEventfd(passed), 1)
	f.Want("for a future point", uapi.IoctlSyncobjEventfd, &uapi.SyncobjEventfd{Handle: handle, Point: 2, FD: coming.FD()})
	f.Want("for an available point", uapi.IoctlSyncobjEventfd,
		&uapi.SyncobjEventfd{Handle: handle, Point: 2, FD: available.FD(), Flags: waitAvailable})
	equal(t, "poll of the eventfd of a future point", coming.Poll(unix.POLLIN, 0), 0)
	equal(t, "poll of the eventfd of a point that is not yet available", available.Poll(unix.POLLIN, 0), 0)
	f.signalPoint(handle, 2)
	equal(t, "the eventfd of the signalled point", readEventfd(coming), 1)
	equal(t, "the eventfd of the available point", readEventfd(available), 1)

	binary := f.NewSyncobj(signaled)
	f.Want("for an object without a timeline", uapi.IoctlSyncobjEventfd, &uapi.SyncobjEventfd{Handle: binary, FD: plain.FD()})
	equal(t, "the eventfd of an object without a timeline", readEventfd(plain), 1)
}

func timelineEventfdErrors(t *tester) {
	f := t.Open()
	handle, fd := f.NewSyncobj(signaled), t.Eventfd().FD()
	for _, c := range []struct {
		what  string
		arg   uapi.SyncobjEventfd
		errno unix.Errno
	}{
		{"with padding", uapi.SyncobjEventfd{Handle: handle, FD: fd, Pad: 1}, unix.EINVAL},
		{"with unknown flags", uapi.SyncobjEventfd{Handle: handle, FD: fd, Flags: waitAll}, unix.EINVAL},
		{"for a nonexistent handle", uapi.SyncobjEventfd{Handle: noHandle, FD: fd}, unix.ENOENT},
		{"with a closed descriptor", uapi.SyncobjEventfd{Handle: handle, FD: -1}, unix.EBADF},
		{"with a DRM node", uapi.SyncobjEventfd{Handle: handle, FD: f.FD()}, unix.EINVAL},
	} {
		f.Want(c.what, uapi.IoctlSyncobjEventfd, &c.arg, c.errno)
	}
}

func syncFileInfo(t *tester) {
	f := t.Open()
	syncFile := f.exportSyncobj(f.NewSyncobj(signaled), uapi.SyncobjHandleToFDFlagsExportSyncFile)
	var count uapi.SyncFileInfo
	syncFile.Want("without room", uapi.SyncIOCFileInfo, &count)
	equal(t, "the number of fences", count.NumFences, 1)
	equal(t, "the status", count.Status, 1)
	fences := make([]uapi.SyncFenceInfo, 1)
	info := uapi.SyncFileInfo{NumFences: 1, SyncFenceInfo: addr(t, fences)}
	syncFile.Want("with room", uapi.SyncIOCFileInfo, &info)
	equal(t, "the status of the fence", fences[0].Status, 1)
	if at := time.Duration(fences[0].TimestampNs); at == 0 || at > now() {
		t.Errorf("the fence was signalled at %v, now is %v", at, now())
	}
	syncFile.Want("with flags", uapi.SyncIOCFileInfo, &uapi.SyncFileInfo{Flags: 1}, unix.EINVAL)
	syncFile.Want("with padding", uapi.SyncIOCFileInfo, &uapi.SyncFileInfo{Pad: 1}, unix.EINVAL)
	syncFile.Want("at a bad address", uapi.SyncIOCFileInfo, uintptr(t.BadAddr()), unix.EFAULT)
	syncFile.Want("with the fences at a bad address", uapi.SyncIOCFileInfo,
		&uapi.SyncFileInfo{NumFences: 1, SyncFenceInfo: t.BadAddr()}, unix.EFAULT)
	t.Want("an unknown ioctl on a sync file", syncFile.Ioctl(uapi.IOWR(0x7f, 8)&^0xff00|uapi.SyncIOCMagic<<8, t.buffer()), unix.ENOTTY)
}

// syncFileDeadline checks SET_DEADLINE, a hint that kernels know since 6.4.
func syncFileDeadline(t *tester) {
	f := t.Open()
	syncFile := f.exportSyncobj(f.NewSyncobj(signaled), uapi.SyncobjHandleToFDFlagsExportSyncFile)
	cmd := uapi.IOW(5, 16)&^0xff00 | uapi.SyncIOCMagic<<8 // SYNC_IOC_SET_DEADLINE
	t.Want("SYNC_IOC_SET_DEADLINE", syncFile.Ioctl(cmd, &[2]uint64{uint64(now()), 0}), 0, unix.ENOTTY)
	t.Want("SYNC_IOC_SET_DEADLINE with padding", syncFile.Ioctl(cmd, &[2]uint64{0, 1}), unix.EINVAL, unix.ENOTTY)
}

func syncFileMerge(t *tester) {
	f := t.Open()
	first := f.exportSyncobj(f.NewSyncobj(signaled), uapi.SyncobjHandleToFDFlagsExportSyncFile)
	second := f.exportSyncobj(f.NewSyncobj(signaled), uapi.SyncobjHandleToFDFlagsExportSyncFile)
	arg := uapi.SyncMergeData{FD2: second.FD()}
	copy(arg.Name[:], "both")
	first.Must(uapi.SyncIOCMerge, &arg)
	both := t.File(int(arg.Fence), "a sync file")
	equal(t, "poll of two merged signalled fences", both.Poll(unix.POLLIN, 0), unix.POLLIN)
	var info uapi.SyncFileInfo
	both.Must(uapi.SyncIOCFileInfo, &info)
	equal(t, "the name", unix.ByteSliceToString(info.Name[:]), "both")
	equal(t, "the status", info.Status, 1)
	for _, fd := range []int32{-1, f.FD(), t.Eventfd().FD()} {
		first.Want("with a descriptor that is not a sync file", uapi.SyncIOCMerge, &uapi.SyncMergeData{FD2: fd}, unix.ENOENT)
	}
	first.Want("with flags", uapi.SyncIOCMerge, &uapi.SyncMergeData{FD2: second.FD(), Flags: 1}, unix.EINVAL)
	first.Want("with padding", uapi.SyncIOCMerge, &uapi.SyncMergeData{FD2: second.FD(), Pad: 1}, unix.EINVAL)
	first.Want("at a bad address", uapi.SyncIOCMerge, uintptr(t.BadAddr()), unix.EFAULT)
}
