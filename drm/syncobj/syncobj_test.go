package syncobj_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/syncobj"
	"github.com/udrm/udrm/drm/uapi"
)

const timelines = drm.FeatureSyncobj | drm.FeatureSyncobjTimeline

// A fixture is a device with sync objects and a client of it.
type fixture struct {
	*drmtest.Client
	t      testing.TB
	parent *bus.Device
}

func newFixture(t testing.TB, features drm.Features) *fixture {
	t.Helper()
	driver := &drmtest.Driver{Class: drm.NewClass(drm.ClassOptions{Logger: drmtest.NoReports(t)}), Parts: []drm.Part{syncobj.NewManager()}, Offers: features}
	parent := drmtest.Bind(t, bus.New("platform"), "vkms", driver.BusDriver())
	return &fixture{drmtest.Open(t, driver.Device.Primary()), t, parent}
}

func (f *fixture) ok(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) create(flags uint32) uint32 {
	f.t.Helper()
	arg := uapi.SyncobjCreate{Flags: flags}
	f.ok(drmtest.Ioctl(f.Client, uapi.IoctlSyncobjCreate, &arg))
	return arg.Handle
}

func (f *fixture) destroy(handle uint32) error {
	return drmtest.Ioctl(f.Client, uapi.IoctlSyncobjDestroy, &uapi.SyncobjDestroy{Handle: handle})
}

// attach sets the fence of a sync object.
func (f *fixture) attach(handle uint32, fen *fence.Fence) {
	f.t.Helper()
	fd, err := fence.Install(f.Client, fen)
	f.ok(err)
	f.ok(drmtest.Ioctl(f.Client, uapi.IoctlSyncobjFDToHandle,
		&uapi.SyncobjHandle{Handle: handle, FD: fd, Flags: uapi.SyncobjFDToHandleFlagsImportSyncFile}))
	f.ok(drmtest.CloseFD(fd))
}

// attachPoint appends a point with the given fence to a timeline.
func (f *fixture) attachPoint(handle uint32, fen *fence.Fence, point uint64) {
	f.t.Helper()
	binary := f.create(0)
	f.attach(binary, fen)
	f.ok(f.transfer(binary, 0, handle, point, 0))
	f.ok(f.destroy(binary))
}

func (f *fixture) transfer(src uint32, srcPoint uint64, dst uint32, dstPoint uint64, flags uint32) error {
	return drmtest.Ioctl(f.Client, uapi.IoctlSyncobjTransfer,
		&uapi.SyncobjTransfer{SrcHandle: src, SrcPoint: srcPoint, DstHandle: dst, DstPoint: dstPoint, Flags: flags})
}

func (f *fixture) array(cmd uint32, handles ...uint32) error {
	return drmtest.Ioctl(f.Client, cmd, &uapi.SyncobjArray{Handles: drmtest.PutSlice(f.Arena, handles), CountHandles: uint32(len(handles))})
}

func (f *fixture) signal(handles ...uint32) error {
	return f.array(uapi.IoctlSyncobjSignal, handles...)
}
func (f *fixture) reset(handles ...uint32) error { return f.array(uapi.IoctlSyncobjReset, handles...) }

func (f *fixture) signalPoint(handle uint32, point uint64) error {
	return drmtest.Ioctl(f.Client, uapi.IoctlSyncobjTimelineSignal, &uapi.SyncobjTimelineArray{
		Handles: drmtest.PutSlice(f.Arena, []uint32{handle}), Points: drmtest.PutSlice(f.Arena, []uint64{point}), CountHandles: 1})
}

func (f *fixture) query(flags uint32, handles ...uint32) []uint64 {
	f.t.Helper()
	points := make([]uint64, len(handles))
	arg := uapi.SyncobjTimelineArray{Handles: drmtest.PutSlice(f.Arena, handles), Points: drmtest.PutSlice(f.Arena, points),
		CountHandles: uint32(len(handles)), Flags: flags}
	f.ok(drmtest.Ioctl(f.Client, uapi.IoctlSyncobjQuery, &arg))
	f.ok(drmtest.GetSlice(f.Arena, points, arg.Points))
	return points
}

const never = math.MaxInt64

func (f *fixture) wait(ctx context.Context, timeout int64, flags uint32, handles ...uint32) (uint32, error) {
	arg := uapi.SyncobjWait{Handles: drmtest.PutSlice(f.Arena, handles), CountHandles: uint32(len(handles)), TimeoutNsec: timeout, Flags: flags}
	err := drmtest.IoctlContext(ctx, f.Client, uapi.IoctlSyncobjWait, &arg)
	return arg.FirstSignaled, err
}

type point struct {
	handle uint32
	point  uint64
}

func (f *fixture) timelineWait(ctx context.Context, timeout int64, flags uint32, points ...point) (uint32, error) {
	var handles []uint32
	var values []uint64
	for _, p := range points {
		handles, values = append(handles, p.handle), append(values, p.point)
	}
	arg := uapi.SyncobjTimelineWait{Handles: drmtest.PutSlice(f.Arena, handles), Points: drmtest.PutSlice(f.Arena, values),
		CountHandles: uint32(len(handles)), TimeoutNsec: timeout, Flags: flags}
	err := drmtest.IoctlContext(ctx, f.Client, uapi.IoctlSyncobjTimelineWait, &arg)
	return arg.FirstSignaled, err
}

func (f *fixture) export(handle, flags uint32) (int32, error) {
	arg := uapi.SyncobjHandle{Handle: handle, Flags: flags, FD: -1}
	err := drmtest.Ioctl(f.Client, uapi.IoctlSyncobjHandleToFD, &arg)
	return arg.FD, err
}

func newFence() *fence.Fence { return fence.NewContext("test", "test").New() }

var background = context.Background()

func TestWithoutFeatures(t *testing.T) {
	f := newFixture(t, 0)
	err := drmtest.Ioctl(f.Client, uapi.IoctlSyncobjCreate, &uapi.SyncobjCreate{})
	if !errors.Is(err, unix.EOPNOTSUPP) {
		t.Errorf("SYNCOBJ_CREATE: %v, want EOPNOTSUPP", err)
	}
	f = newFixture(t, drm.FeatureSyncobj)
	f.create(0)
	if err := f.signalPoint(1, 1); !errors.Is(err, unix.EOPNOTSUPP) {
		t.Errorf("SYNCOBJ_TIMELINE_SIGNAL: %v, want EOPNOTSUPP", err)
	}
}

// TestImportAtPoint checks that a point with an imported fence is signalled when
// the fence is, also one that is itself a point of a timeline, and that a point can
// be exported before it is signalled.
func TestImportAtPoint(t *testing.T) {
	f := newFixture(t, timelines)
	const (
		in  = uapi.SyncobjFDToHandleFlagsImportSyncFile | uapi.SyncobjFDToHandleFlagsTimeline
		out = uapi.SyncobjHandleToFDFlagsExportSyncFile | uapi.SyncobjHandleToFDFlagsTimeline
	)
	pending := newFence()
	first, second := f.create(0), f.create(0)
	fd, err := fence.Install(f.Client, pending)
	f.ok(err)
	f.ok(drmtest.Ioctl(f.Client, uapi.IoctlSyncobjFDToHandle, &uapi.SyncobjHandle{FD: fd, Handle: first, Flags: in, Point: 3}))
	arg := uapi.SyncobjHandle{Handle: first, Flags: out, Point: 2}
	f.ok(drmtest.Ioctl(f.Client, uapi.IoctlSyncobjHandleToFD, &arg))
	f.ok(drmtest.Ioctl(f.Client, uapi.IoctlSyncobjFDToHandle, &uapi.SyncobjHandle{FD: arg.FD, Handle: second, Flags: in, Point: 1 << 40}))
	for _, p := range []point{{first, 3}, {second, 1 << 40}} {
		if _, err := f.timelineWait(background, 0, 0, p); !errors.Is(err, unix.ETIME) {
			t.Errorf("wait for point %d before the fence is signalled: %v, want ETIME", p.point, err)
		}
	}
	pending.Signal(nil)
	for _, p := range []point{{first, 3}, {second, 1 << 40}} {
		if _, err := f.timelineWait(background, 0, 0, p); err != nil {
			t.Errorf("wait for point %d after the fence is signalled: %v", p.point, err)
		}
	}
}

func TestErrors(t *testing.T) {
	drmtest.NoLeaks(t)
	f := newFixture(t, timelines)
	s, empty := f.create(uapi.SyncobjCreateSignaled), f.create(0)
	eventfd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	f.ok(err)
	defer unix.Close(eventfd)
	one := drmtest.PutSlice(f.Arena, []uint32{s})
	for _, tc := range []struct {
		what string
		got  error
		want error
	}{
		{"create with flags", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjCreate, &uapi.SyncobjCreate{Flags: 2}), unix.EINVAL},
		{"destroy of an unknown handle", f.destroy(99), unix.EINVAL},
		{"destroy of handle 0", f.destroy(0), unix.EINVAL},
		{"destroy with padding", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjDestroy, &uapi.SyncobjDestroy{Handle: s, Pad: 1}), unix.EINVAL},
		{"export of an unknown handle", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjHandleToFD, &uapi.SyncobjHandle{Handle: 99}), unix.EINVAL},
		{"export of an unknown handle as a sync file", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjHandleToFD, &uapi.SyncobjHandle{Handle: 99, Flags: 1}), unix.ENOENT},
		{"export as a sync file without a fence", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjHandleToFD, &uapi.SyncobjHandle{Handle: empty, Flags: 1}), unix.EINVAL},
		{"export with flags", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjHandleToFD, &uapi.SyncobjHandle{Handle: s, Flags: 8}), unix.EINVAL},
		{"export with padding", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjHandleToFD, &uapi.SyncobjHandle{Handle: s, Pad: 1}), unix.EINVAL},
		{"import of stdin", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjFDToHandle, &uapi.SyncobjHandle{FD: 0}), unix.EINVAL},
		{"import of descriptor -1", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjFDToHandle, &uapi.SyncobjHandle{FD: -1}), unix.EINVAL},
		{"import of stdin as a sync file", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjFDToHandle, &uapi.SyncobjHandle{Handle: s, FD: 0, Flags: 1}), unix.EINVAL},
		{"wait with flags", second(f.wait(background, 0, 0x10, s)), unix.EINVAL},
		{"binary wait for availability", second(f.wait(background, 0, uapi.SyncobjWaitFlagsWaitAvailable, s)), unix.EINVAL},
		{"wait for no handles", second(f.wait(background, 0, 0)), nil},
		{"wait for an unknown handle", second(f.wait(background, 0, 0, s, 99)), unix.ENOENT},
		{"wait with a bad pointer", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjWait, &uapi.SyncobjWait{Handles: 8, CountHandles: 1}), unix.EFAULT},
		{"wait for too many handles", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjWait, &uapi.SyncobjWait{Handles: one, CountHandles: math.MaxUint32}), unix.ENOMEM},
		{"wait for more handles than are mapped", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjWait, &uapi.SyncobjWait{Handles: one, CountHandles: 1 << 18}), unix.EFAULT},
		{"wait without a fence", second(f.wait(background, 0, 0, empty)), unix.EINVAL},
		{"wait for a submission, deadline 0", second(f.wait(background, 0, uapi.SyncobjWaitFlagsWaitForSubmit, empty)), unix.ETIME},
		{"wait for a submission, negative deadline", second(f.wait(background, math.MinInt64, uapi.SyncobjWaitFlagsWaitForSubmit, empty)), unix.ETIME},
		{"timeline wait with flags", second(f.timelineWait(background, 0, 0x10, point{s, 0})), unix.EINVAL},
		{"timeline wait for an unsubmitted point", second(f.timelineWait(background, 0, 0, point{s, 1})), unix.EINVAL},
		{"timeline wait for availability, deadline 0", second(f.timelineWait(background, 0, uapi.SyncobjWaitFlagsWaitAvailable, point{s, 1})), unix.ETIME},
		{"timeline wait with bad points", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjTimelineWait, &uapi.SyncobjTimelineWait{Handles: one, Points: 8, CountHandles: 1}), unix.EFAULT},
		{"reset of no handles", f.reset(), unix.EINVAL},
		{"reset of an unknown handle", f.reset(s, 99), unix.ENOENT},
		{"reset with padding", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjReset, &uapi.SyncobjArray{Handles: one, CountHandles: 1, Pad: 1}), unix.EINVAL},
		{"signal of no handles", f.signal(), unix.EINVAL},
		{"signal of an unknown handle", f.signal(99), unix.ENOENT},
		{"timeline signal of an unknown handle", f.signalPoint(99, 1), unix.ENOENT},
		{"timeline signal with flags", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjTimelineSignal, &uapi.SyncobjTimelineArray{Handles: one, CountHandles: 1, Flags: 1}), unix.EINVAL},
		{"timeline signal of no handles", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjTimelineSignal, &uapi.SyncobjTimelineArray{}), unix.EINVAL},
		{"query of no handles", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjQuery, &uapi.SyncobjTimelineArray{}), unix.EINVAL},
		{"query with flags", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjQuery, &uapi.SyncobjTimelineArray{Handles: one, CountHandles: 1, Flags: 2}), unix.EINVAL},
		{"query with a bad pointer", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjQuery, &uapi.SyncobjTimelineArray{Handles: one, CountHandles: 1, Points: 8}), unix.EFAULT},
		{"transfer to an unknown handle", f.transfer(s, 0, 99, 0, 0), unix.ENOENT},
		{"transfer from an unknown handle", f.transfer(99, 0, s, 0, 0), unix.ENOENT},
		{"transfer of an unsubmitted point", f.transfer(s, 1, s, 0, 0), unix.EINVAL},
		{"transfer with flags", f.transfer(s, 0, s, 0, 1), unix.EINVAL},
		{"transfer with flags from an unknown handle", f.transfer(99, 0, s, 0, 1), unix.EINVAL},
		{"transfer with padding", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjTransfer, &uapi.SyncobjTransfer{SrcHandle: s, DstHandle: s, Pad: 1}), unix.EINVAL},
		{"eventfd with flags", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjEventfd, &uapi.SyncobjEventfd{Handle: s, FD: int32(eventfd), Flags: 1}), unix.EINVAL},
		{"eventfd with padding", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjEventfd, &uapi.SyncobjEventfd{Handle: s, FD: int32(eventfd), Pad: 1}), unix.EINVAL},
		{"eventfd of an unknown handle", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjEventfd, &uapi.SyncobjEventfd{Handle: 99, FD: int32(eventfd)}), unix.ENOENT},
		{"eventfd with descriptor -1", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjEventfd, &uapi.SyncobjEventfd{Handle: s, FD: -1}), unix.EBADF},
		{"eventfd with /dev/null", drmtest.Ioctl(f.Client, uapi.IoctlSyncobjEventfd, &uapi.SyncobjEventfd{Handle: s, FD: int32(devNull(t))}), unix.EINVAL},
	} {
		if !errors.Is(tc.got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.what, tc.got, tc.want)
		}
	}
}

func second(_ uint32, err error) error { return err }

func devNull(t *testing.T) uintptr {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f.Fd()
}

// TestWaitStates waits, with each combination of flags, for each combination of
// an object without a fence, one with a pending fence, and a signalled one.
func TestWaitStates(t *testing.T) {
	f := newFixture(t, timelines)
	for mask := 1; mask < 8; mask++ {
		for flags := range uint32(8) {
			var points []point
			all := flags&uapi.SyncobjWaitFlagsWaitAll != 0
			available := flags&uapi.SyncobjWaitFlagsWaitAvailable != 0
			submit := flags&uapi.SyncobjWaitFlagsWaitForSubmit != 0
			first, ready, total := uint32(math.MaxUint32), 0, 0
			add := func(handle uint32, isReady bool) {
				if isReady {
					if ready == 0 {
						first = uint32(total)
					}
					ready++
				}
				total++
				points = append(points, point{handle, 1})
			}
			if mask&1 != 0 {
				add(f.create(0), false)
			}
			if mask&2 != 0 {
				h := f.create(0)
				f.attachPoint(h, newFence(), 1)
				add(h, available)
			}
			if mask&4 != 0 {
				h := f.create(0)
				f.ok(f.signalPoint(h, 1))
				add(h, true)
			}
			var want error
			switch {
			case mask&1 != 0 && !submit && !available:
				want = unix.EINVAL
			case ready == total || ready > 0 && !all:
			default:
				want = unix.ETIME
			}
			got, err := f.timelineWait(background, int64(fence.Now()+time.Millisecond), flags, points...)
			if !errors.Is(err, want) || err == nil && got != first {
				t.Errorf("mask %#x, flags %#x: first %d, %v; want %d, %v", mask, flags, got, err, first, want)
			}
		}
	}
}

// inBackground starts wait and returns a channel that receives its result.
func inBackground(wait func() (uint32, error)) <-chan result {
	done := make(chan result, 1)
	go func() {
		first, err := wait()
		done <- result{first, err}
	}()
	return done
}

type result struct {
	first uint32
	err   error
}

func TestWaitWakes(t *testing.T) {
	drmtest.NoLeaks(t)
	f := newFixture(t, timelines)
	a, b := f.create(0), f.create(0)
	pending := newFence()
	f.attach(b, pending)

	one := inBackground(func() (uint32, error) {
		return f.wait(background, never, uapi.SyncobjWaitFlagsWaitForSubmit, a, b)
	})
	all := inBackground(func() (uint32, error) {
		return f.wait(background, never, uapi.SyncobjWaitFlagsWaitForSubmit|uapi.SyncobjWaitFlagsWaitAll, a, b)
	})
	pending.Signal(nil)
	if got := <-one; got.err != nil || got.first != 1 {
		t.Errorf("wait for any: %+v, want the second object", got)
	}
	f.ok(f.signal(a))
	if got := <-all; got.err != nil || got.first != 0 {
		t.Errorf("wait for all: %+v, want the first object", got)
	}

	// A wait uses the fence that the object had when the wait began.
	c := f.create(0)
	held := newFence()
	f.attach(c, held)
	snapshot := inBackground(func() (uint32, error) { return f.wait(background, never, 0, c) })
	for f.File.Device().OpenGuards() == nil { // until the wait has begun
		time.Sleep(time.Millisecond)
	}
	held.Signal(nil)
	if got := <-snapshot; got.err != nil {
		t.Error(got.err)
	}

	// A point is available when it is submitted, before it is signalled.
	line := f.create(0)
	available := inBackground(func() (uint32, error) {
		return f.timelineWait(background, never, uapi.SyncobjWaitFlagsWaitAvailable, point{line, 5})
	})
	f.attachPoint(line, newFence(), 4)
	f.attachPoint(line, newFence(), 6)
	if got := <-available; got.err != nil {
		t.Error(got.err)
	}
}

func TestWaitEnds(t *testing.T) {
	drmtest.NoLeaks(t)
	f := newFixture(t, timelines)
	s := f.create(0)
	ctx, interrupt := context.WithCancel(background)
	waits := func(ctx context.Context) []<-chan result {
		return []<-chan result{
			inBackground(func() (uint32, error) { return f.wait(ctx, never, uapi.SyncobjWaitFlagsWaitForSubmit, s) }),
			inBackground(func() (uint32, error) {
				arg := uapi.SyncobjTransfer{SrcHandle: s, DstHandle: s, DstPoint: 1, Flags: uapi.SyncobjWaitFlagsWaitForSubmit}
				return 0, drmtest.IoctlContext(ctx, f.Client, uapi.IoctlSyncobjTransfer, &arg)
			}),
		}
	}
	interrupted, unplugged := waits(ctx), waits(background)
	interrupt()
	for _, w := range interrupted {
		if got := <-w; !errors.Is(got.err, unix.EINTR) {
			t.Errorf("interrupted wait: %v, want EINTR", got.err)
		}
	}
	for len(f.File.Device().OpenGuards()) < len(unplugged) { // until all waits have begun
		time.Sleep(time.Millisecond)
	}
	f.ok(f.parent.Remove(context.Background()))
	for _, w := range unplugged {
		if got := <-w; !errors.Is(got.err, unix.ENODEV) {
			t.Errorf("wait on an unplugged device: %v, want ENODEV", got.err)
		}
	}
}

// longTimeline gives a sync object a timeline of pending points, from 1.
func (f *fixture) longTimeline(handle uint32, points int) {
	f.t.Helper()
	own := newFence()
	var last *fence.Fence
	for i := range points {
		last = fence.NewChain(last, own, uint64(i+1))
	}
	f.attach(handle, last)
}

// TestLongTimelineEnds sends requests that name a long timeline so often that
// they would take hours. The unplug does not wait for them, nor does the death
// of the client.
func TestLongTimelineEnds(t *testing.T) {
	const handles = 1 << 16
	for what, cmd := range map[string]uint32{"query": uapi.IoctlSyncobjQuery, "signal": uapi.IoctlSyncobjTimelineSignal, "wait": uapi.IoctlSyncobjTimelineWait} {
		t.Run(what, func(t *testing.T) {
			f := newFixture(t, timelines)
			s := f.create(0)
			f.longTimeline(s, 1<<18)
			list := drmtest.PutSlice(f.Arena, slices.Repeat([]uint32{s}, handles))
			ones := drmtest.PutSlice(f.Arena, slices.Repeat([]uint64{1}, handles))
			begin := func(ctx context.Context) <-chan result {
				return inBackground(func() (uint32, error) {
					if cmd == uapi.IoctlSyncobjTimelineWait {
						return 0, drmtest.IoctlContext(ctx, f.Client, cmd, &uapi.SyncobjTimelineWait{Handles: list, Points: ones, CountHandles: handles, TimeoutNsec: never})
					}
					return 0, drmtest.IoctlContext(ctx, f.Client, cmd, &uapi.SyncobjTimelineArray{Handles: list, Points: ones, CountHandles: handles})
				})
			}
			ctx, cancel := context.WithCancel(background)
			killed, unplugged := begin(ctx), begin(background)
			for len(f.File.Device().OpenGuards()) < 2 { // until both have begun
				runtime.Gosched()
			}
			cancel()
			if got := <-killed; !errors.Is(got.err, unix.EINTR) {
				t.Errorf("request of a killed client: %v, want EINTR", got.err)
			}
			f.ok(f.parent.Remove(background))
			if got := <-unplugged; !errors.Is(got.err, unix.ENODEV) {
				t.Errorf("request on an unplugged device: %v, want ENODEV", got.err)
			}
		})
	}
}

// A waitedContext tells when it is waited for, by its first Done.
type waitedContext struct {
	context.Context
	waited chan struct{}
}

func (c waitedContext) Done() <-chan struct{} {
	select {
	case <-c.waited:
	default:
		close(c.waited)
	}
	return c.Context.Done()
}

// TestManyWaitersForLongTimeline submits a long timeline to an object with very
// many waiters for its oldest points.
func TestManyWaitersForLongTimeline(t *testing.T) {
	const waiters = 1 << 16
	f := newFixture(t, timelines)
	s := f.create(0)
	points := make([]point, waiters)
	for i := range points {
		points[i] = point{s, uint64(i%3) + 1}
	}
	ctx := waitedContext{background, make(chan struct{})}
	wait := inBackground(func() (uint32, error) {
		return f.timelineWait(ctx, never, uapi.SyncobjWaitFlagsWaitAvailable|uapi.SyncobjWaitFlagsWaitAll, points...)
	})
	<-ctx.waited
	f.longTimeline(s, 1<<18)
	if got := <-wait; got.err != nil {
		t.Errorf("wait: %v", got.err)
	}
}

func TestTimeline(t *testing.T) {
	f := newFixture(t, timelines)
	line, unused := f.create(0), f.create(uapi.SyncobjCreateSignaled)
	check := func(what string, signaled, submitted uint64) {
		t.Helper()
		if got := f.query(0, line, unused); !slices.Equal(got, []uint64{signaled, 0}) {
			t.Errorf("%s: last signalled points %d, want %d and 0", what, got, signaled)
		}
		if got := f.query(uapi.SyncobjQueryFlagsLastSubmitted, line); got[0] != submitted {
			t.Errorf("%s: last submitted point %d, want %d", what, got[0], submitted)
		}
	}
	check("after creation", 0, 0)
	f.ok(f.signalPoint(line, 3))
	check("after TIMELINE_SIGNAL", 3, 3)
	first, second := newFence(), newFence()
	f.attachPoint(line, first, 5)
	f.attachPoint(line, second, 1<<40)
	check("with two pending points", 3, 1<<40)
	second.Signal(nil)
	check("after the signal of the second", 3, 1<<40)
	first.Signal(nil)
	check("after both signals", 1<<40, 1<<40)
	binary := f.create(0)
	f.ok(f.transfer(line, 4, binary, 0, 0))
	if _, err := f.wait(background, 0, 0, binary); err != nil {
		t.Errorf("wait for a signalled point in a binary object: %v", err)
	}
	f.ok(f.reset(line))
	check("after a reset", 0, 0)
}

func TestShare(t *testing.T) {
	drmtest.NoLeaks(t)
	f, other := newFixture(t, timelines), newFixture(t, timelines)
	s := f.create(0)
	fd, err := f.export(s, 0)
	f.ok(err)
	arg := uapi.SyncobjHandle{FD: fd}
	f.ok(drmtest.Ioctl(other.Client, uapi.IoctlSyncobjFDToHandle, &arg))
	again := uapi.SyncobjHandle{FD: fd}
	f.ok(drmtest.Ioctl(other.Client, uapi.IoctlSyncobjFDToHandle, &again))
	if again.Handle == arg.Handle {
		t.Errorf("both imports have handle %d", arg.Handle)
	}
	f.ok(drmtest.CloseFD(fd))

	// A client of one device waits, and a client of another signals. Then the
	// other device goes away.
	done := inBackground(func() (uint32, error) {
		return other.wait(background, never, uapi.SyncobjWaitFlagsWaitForSubmit, arg.Handle)
	})
	f.ok(f.signal(s))
	if got := <-done; got.err != nil {
		t.Error(got.err)
	}
	file, err := f.export(s, uapi.SyncobjHandleToFDFlagsExportSyncFile)
	f.ok(err)
	f.ok(f.parent.Remove(context.Background()))
	fresh := other.create(0)
	f.ok(drmtest.Ioctl(other.Client, uapi.IoctlSyncobjFDToHandle,
		&uapi.SyncobjHandle{Handle: fresh, FD: file, Flags: uapi.SyncobjFDToHandleFlagsImportSyncFile}))
	if _, err := other.wait(background, 0, 0, fresh); err != nil {
		t.Error(err)
	}
	if err := drmtest.FileIoctl(other.Client, file, uapi.SyncIOCFileInfo, &uapi.SyncFileInfo{}); err != nil {
		t.Errorf("SYNC_IOC_FILE_INFO after the unplug: %v", err)
	}
	f.ok(drmtest.CloseFD(file))
}

func TestEventfd(t *testing.T) {
	drmtest.NoLeaks(t)
	f := newFixture(t, timelines)
	newEventfd := func(handle uint32, point uint64, flags uint32) int {
		t.Helper()
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		f.ok(err)
		t.Cleanup(func() { unix.Close(fd) })
		f.ok(drmtest.Ioctl(f.Client, uapi.IoctlSyncobjEventfd, &uapi.SyncobjEventfd{Handle: handle, Point: point, FD: int32(fd), Flags: flags}))
		return fd
	}
	count := func(fd int) uint64 {
		var b [8]byte
		if _, err := unix.Read(fd, b[:]); err != nil {
			return 0
		}
		return binary.NativeEndian.Uint64(b[:])
	}
	line := f.create(0)
	signaled := newEventfd(line, 2, 0)
	available := newEventfd(line, 2, uapi.SyncobjWaitFlagsWaitAvailable)
	fen := newFence()
	f.attachPoint(line, newFence(), 1)
	if count(signaled)+count(available) != 0 {
		t.Error("an eventfd is signalled by an earlier point")
	}
	f.ok(f.reset(line))
	f.attachPoint(line, fen, 2)
	if count(available) != 1 || count(signaled) != 0 {
		t.Error("the submission should signal the WAIT_AVAILABLE eventfd only")
	}
	fen.Signal(nil)
	if count(signaled) != 1 {
		t.Error("the signal of the point does not signal the eventfd")
	}
	if fd := newEventfd(line, 2, 0); count(fd) != 1 {
		t.Error("a signalled point does not signal a new eventfd at once")
	}
	full := newEventfd(line, 9, 0)
	if _, err := unix.Write(full, binary.NativeEndian.AppendUint64(nil, math.MaxUint64-1)); err != nil {
		t.Fatal(err)
	}
	f.ok(f.signalPoint(line, 9)) // must not block
	if count(full) != math.MaxUint64-1 {
		t.Error("the full eventfd has changed")
	}
	newEventfd(line, 100, 0) // never signalled; NoLeaks checks that it is closed
	f.ok(f.destroy(line))
}

// FuzzIoctls sends any request with any argument, which may point to an array.
func FuzzIoctls(f *testing.F) {
	cmds := []uint32{
		uapi.IoctlSyncobjCreate, uapi.IoctlSyncobjDestroy, uapi.IoctlSyncobjHandleToFD, uapi.IoctlSyncobjFDToHandle,
		uapi.IoctlSyncobjTransfer, uapi.IoctlSyncobjWait, uapi.IoctlSyncobjTimelineWait, uapi.IoctlSyncobjEventfd,
		uapi.IoctlSyncobjReset, uapi.IoctlSyncobjSignal, uapi.IoctlSyncobjTimelineSignal, uapi.IoctlSyncobjQuery,
	}
	for i := range cmds {
		f.Add([]byte{byte(i), 1, 0, 0, 0, 0, 0, 0, 0, byte(i), 2})
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		fx := newFixture(t, timelines)
		array := drmtest.PutSlice(fx.Arena, []uint64{1, 2, 3, 4, 1<<32 | 1, 7, 8, 9})
		for range 3 {
			fx.create(0)
		}
		fx.create(uapi.SyncobjCreateSignaled)
		for len(script) > 0 {
			cmd := cmds[int(script[0])%len(cmds)]
			script = script[1:]
			var arg [6]uint64
			for i := range arg {
				if len(script) == 0 {
					break
				}
				arg[i] = uint64(script[0])
				if script[0]&0xc0 == 0xc0 {
					arg[i] = array + uint64(script[0]&0x38)
				}
				if script[0]&0xc0 == 0x80 {
					arg[i] = uint64(script[0]&0x3f) << 32
				}
				script = script[1:]
			}
			if cmd == uapi.IoctlSyncobjEventfd {
				arg[2] |= math.MaxUint32 // descriptor -1, not one of the test process
			}
			ctx, cancel := context.WithTimeout(background, time.Millisecond)
			err := drmtest.IoctlContext(ctx, fx.Client, cmd, &arg)
			cancel()
			if cmd == uapi.IoctlSyncobjHandleToFD && err == nil {
				fx.ok(drmtest.CloseFD(int32(arg[1])))
			}
		}
	})
}

// TestEventfdQuota checks that the descriptors of registered eventfds are
// counted, and given back when the event occurs or never will.
func TestEventfdQuota(t *testing.T) {
	f := newFixture(t, timelines)
	account := drm.NewQuota(map[drm.Resource]int64{drm.Descriptors: 12}).NewAccount() // 8 for one account
	client := drmtest.Self()
	client.Account = account
	c, err := drmtest.OpenAs(f.File.Minor(), client)
	f.ok(err)
	f.Client = c
	eventfd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	f.ok(err)
	defer unix.Close(eventfd)
	register := func(handle uint32) error {
		return drmtest.Ioctl(f.Client, uapi.IoctlSyncobjEventfd, &uapi.SyncobjEventfd{Handle: handle, FD: int32(eventfd), Point: 1})
	}
	s := f.create(0)
	for range 8 {
		f.ok(register(s))
	}
	if err := register(s); !errors.Is(err, unix.ENOMEM) {
		t.Errorf("one more than the quota: %v, want ENOMEM", err)
	}
	f.ok(f.signalPoint(s, 1))
	s = f.create(0)
	for range 8 {
		for register(s) != nil { // a goroutine closes the descriptor of an event
			runtime.Gosched()
		}
	}
	f.ok(f.File.Close())
	if account.InUse() {
		t.Error("after the end, the account is charged")
	}
}

// TestEventfdThreads checks that no thread waits for an eventfd beyond the quota.
func TestEventfdThreads(t *testing.T) {
	f := newFixture(t, timelines)
	client := drmtest.Self()
	client.Account = drm.NewQuota(map[drm.Resource]int64{drm.Copies: 12}).NewAccount()
	c, err := drmtest.OpenAs(f.File.Minor(), client)
	f.ok(err)
	f.Client = c
	eventfd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	f.ok(err)
	defer unix.Close(eventfd)
	event := func() {
		s := f.create(0)
		f.ok(drmtest.Ioctl(f.Client, uapi.IoctlSyncobjEventfd, &uapi.SyncobjEventfd{Handle: s, FD: int32(eventfd), Point: 1}))
		f.ok(f.signalPoint(s, 1))
	}
	waiting := int64(0) // as many threads as may wait
	for client.Account.Charge(drm.Copies, 1, unix.EAGAIN) == nil {
		waiting++
	}
	event()
	if _, err := unix.Read(eventfd, make([]byte, 8)); err != unix.EAGAIN {
		t.Errorf("the eventfd is written beyond the quota: %v", err)
	}
	client.Account.Refund(drm.Copies, waiting)
	event()
	f.ok(readEventfd(eventfd))
	f.ok(f.File.Close())
	for client.Account.InUse() { // a goroutine closes the descriptor of an event
		runtime.Gosched()
	}
}

// readEventfd waits until an eventfd is written.
func readEventfd(fd int) error {
	if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err != nil {
		return err
	}
	_, err := unix.Read(fd, make([]byte, 8))
	return err
}

// TestPointQuota checks that pending points are counted, until they are gone.
func TestPointQuota(t *testing.T) {
	f := newFixture(t, timelines)
	client := drmtest.Self()
	client.Account = drm.NewQuota(map[drm.Resource]int64{drm.Objects: 12}).NewAccount() // 8 for one account
	c, err := drmtest.OpenAs(f.File.Minor(), client)
	f.ok(err)
	f.Client = c
	pending, s := f.create(0), f.create(0)
	f.attach(pending, fence.NewContext("test", "pending").New())
	add := func(point uint64) error { return f.transfer(pending, 0, s, point, 0) }
	for point := range uint64(6) { // and the two objects
		f.ok(add(1 + point))
	}
	if err := add(7); !errors.Is(err, unix.ENOMEM) {
		t.Errorf("one more than the quota: %v, want ENOMEM", err)
	}
	f.ok(f.File.Close())
	for client.Account.InUse() {
		runtime.GC()
	}
}
