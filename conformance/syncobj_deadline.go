package conformance

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// wantDeadlines checks a request that waits. wait sends it with a struct of the
// given size; deadline_nsec, if it has it, is deadline. A deadline is a hint: it
// does not change when the wait ends, and clients of before Linux 6.8 have a
// struct without it.
func wantDeadlines(t *tester, what string, short, long uint32, wait func(size, flags uint32, deadline uint64) error) {
	t.Helper()
	for _, size := range []uint32{short, long} {
		for _, deadline := range []uint64{0, 1, uint64(now()), uint64(now()) + 1e9, math.MaxInt64, math.MaxUint64} {
			for _, flags := range []uint32{waitDeadline, waitDeadline | waitAll, waitDeadline | waitForSubmit, 0} {
				t.Want(what+" for a signalled object", wait(size, flags, deadline))
			}
		}
		for _, flags := range []uint32{1 << 4, waitDeadline | 1<<30} {
			t.Want(what+" with unknown flags", wait(size, flags, 0), unix.EINVAL)
		}
	}
}

// syncobjWaitDeadline checks that SYNCOBJ_WAIT takes a deadline, in structs of 32
// bytes and of 40.
func syncobjWaitDeadline(t *tester) {
	f := t.Open()
	const before, behind = 32, 77
	done, empty := f.NewSyncobj(signaled), f.NewSyncobj(0)
	wait := func(handle, size, flags uint32, deadline uint64) error {
		t.Helper()
		arg := [2]uapi.SyncobjWait{
			{Handles: addr(t, []uint32{handle}), CountHandles: 1, Flags: flags, FirstSignaled: 9, DeadlineNsec: deadline}, {Handles: behind},
		}
		err := f.Ioctl(withSize(uapi.IoctlSyncobjWait, size), &arg)
		equal(t, "deadline_nsec after SYNCOBJ_WAIT", arg[0].DeadlineNsec, deadline)
		equal(t, "the memory behind the struct", arg[1].Handles, behind)
		if err == nil {
			equal(t, "the first signalled object", arg[0].FirstSignaled, 0)
		}
		return err
	}
	wantDeadlines(t, "SYNCOBJ_WAIT", before, before+8, func(size, flags uint32, deadline uint64) error {
		return wait(done, size, flags, deadline)
	})
	for _, size := range []uint32{before, before + 8} {
		t.Want("SYNCOBJ_WAIT for an object without a fence", wait(empty, size, waitDeadline, 1), unix.EINVAL)
		t.Want("SYNCOBJ_WAIT without time", wait(empty, size, waitDeadline|waitForSubmit, 1), unix.ETIME)
		t.Want("SYNCOBJ_WAIT with WAIT_AVAILABLE", wait(done, size, waitDeadline|waitAvailable, 1), unix.EINVAL)
	}
}

// timelineWaitDeadline checks that SYNCOBJ_TIMELINE_WAIT takes a deadline, in
// structs of 40 bytes and of 48.
func timelineWaitDeadline(t *tester) {
	f := t.Open()
	const before, behind = 40, 77
	s := f.NewSyncobj(0)
	f.signalPoint(s, 5)
	wait := func(point uint64, size, flags uint32, deadline uint64) error {
		t.Helper()
		arg := [2]uapi.SyncobjTimelineWait{
			{Handles: addr(t, []uint32{s}), Points: addr(t, []uint64{point}), CountHandles: 1, Flags: flags, FirstSignaled: 9, DeadlineNsec: deadline},
			{Handles: behind},
		}
		err := f.Ioctl(withSize(uapi.IoctlSyncobjTimelineWait, size), &arg)
		equal(t, "deadline_nsec after SYNCOBJ_TIMELINE_WAIT", arg[0].DeadlineNsec, deadline)
		equal(t, "the memory behind the struct", arg[1].Handles, behind)
		if err == nil {
			equal(t, "the first signalled object", arg[0].FirstSignaled, 0)
		}
		return err
	}
	wantDeadlines(t, "SYNCOBJ_TIMELINE_WAIT", before, before+8, func(size, flags uint32, deadline uint64) error {
		return wait(5, size, flags, deadline)
	})
	for _, size := range []uint32{before, before + 8} {
		t.Want("SYNCOBJ_TIMELINE_WAIT with WAIT_AVAILABLE", wait(4, size, waitDeadline|waitAvailable, 1))
		t.Want("SYNCOBJ_TIMELINE_WAIT for a point to come", wait(6, size, waitDeadline, 1), unix.EINVAL)
		t.Want("SYNCOBJ_TIMELINE_WAIT without time", wait(6, size, waitDeadline|waitForSubmit, 1), unix.ETIME)
	}
}
