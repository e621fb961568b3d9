package swsync_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/fence/swsync"
)

func open(t testing.TB) (*drmtest.Client, int32) {
	t.Helper()
	c := &drmtest.Client{Arena: drmtest.NewArena(), As: drmtest.Self()}
	fd, err := c.InstallFile(unix.O_CLOEXEC, func(sink drm.EventSink) (drm.ClientFile, error) {
		f, err := swsync.Open(sink)
		return f.(drm.ClientFile), err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, fd
}

func TestTimeline(t *testing.T) {
	drmtest.NoLeaks(t)
	c, fd := open(t)
	inc := func(by uint32) {
		t.Helper()
		if err := drmtest.FileIoctl(c, fd, swsync.IocInc, &by); err != nil {
			t.Fatal(err)
		}
	}
	var fences []*fence.Fence
	for _, value := range []uint32{3, 1, 0, 0x80000001, 3, 2} {
		arg := swsync.CreateFence{Value: value}
		if err := drmtest.FileIoctl(c, fd, swsync.IocCreateFence, &arg); err != nil {
			t.Fatal(err)
		}
		f, err := fence.Lookup(c, arg.Fence)
		if err != nil {
			t.Fatal(err)
		}
		fences = append(fences, f)
		if err := drmtest.CloseFD(arg.Fence); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(what string, want ...bool) {
		t.Helper()
		var got []bool
		for _, f := range fences {
			got = append(got, f.Signaled())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: signalled %v, want %v", what, got, want)
		}
	}
	// The fourth value is more than half the range away, so it is in the
	// past.
	expect("at 0", false, false, true, true, false, false)
	inc(2)
	expect("at 2", false, true, true, true, false, true)
	if err := drmtest.CloseFD(fd); err != nil {
		t.Fatal(err)
	}
	expect("after close", true, true, true, true, true, true)
	if _, _, err := fences[0].Status(); !errors.Is(err, unix.ENOENT) || fences[0] != fences[4] {
		t.Errorf("status of a fence that was not reached: %v, want ENOENT", err)
	}
}

func TestErrors(t *testing.T) {
	drmtest.NoLeaks(t)
	c, fd := open(t)
	f := c.LookupFile(fd)
	for _, cmd := range []uint32{swsync.IocCreateFence, swsync.IocInc} {
		if err := f.Ioctl(context.Background(), c, cmd, 8); !errors.Is(err, unix.EFAULT) {
			t.Errorf("%#x with a bad pointer: %v, want EFAULT", cmd, err)
		}
	}
	if err := f.Ioctl(context.Background(), c, 0x5702, 8); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("an unknown request: %v, want ENOTTY", err)
	}
	if err := drmtest.CloseFD(fd); err != nil {
		t.Fatal(err)
	}
}

// FuzzTimeline creates fences and increments the counter in any order. It
// checks that a fence is signalled if and only if the counter has reached its
// value.
func FuzzTimeline(f *testing.F) {
	f.Add([]byte{1, 2, 0x83, 4, 0x85})
	f.Fuzz(func(t *testing.T, script []byte) {
		c, fd := open(t)
		defer drmtest.CloseFD(fd)
		type made struct {
			value uint32
			fence *fence.Fence
		}
		var all []made
		counter := uint32(0)
		for _, b := range script {
			v := uint32(b&0x7f) << (b & 24)
			if b&0x80 != 0 {
				counter += v
				if err := drmtest.FileIoctl(c, fd, swsync.IocInc, &v); err != nil {
					t.Fatal(err)
				}
			} else {
				arg := swsync.CreateFence{Value: v}
				if err := drmtest.FileIoctl(c, fd, swsync.IocCreateFence, &arg); err != nil {
					t.Fatal(err)
				}
				fen, err := fence.Lookup(c, arg.Fence)
				if err != nil {
					t.Fatal(err)
				}
				if int32(v-counter) > 0 {
					all = append(all, made{v, fen})
				} else if !fen.Signaled() {
					t.Errorf("a fence at %d is not signalled at %d", v, counter)
				}
				if err := drmtest.CloseFD(arg.Fence); err != nil {
					t.Fatal(err)
				}
			}
			all = slices.DeleteFunc(all, func(m made) bool {
				done := int32(m.value-counter) <= 0
				if m.fence.Signaled() != done {
					t.Errorf("fence %d at %d: signalled %v", m.value, counter, m.fence.Signaled())
				}
				return done
			})
		}
	})
}

// TestQuota makes points without end and closes their fences, which the timeline
// keeps. The client is charged for them until they are signalled.
func TestQuota(t *testing.T) {
	drmtest.NoLeaks(t)
	c, fd := open(t)
	account := drm.NewQuota(map[drm.Resource]int64{drm.Objects: 12}).NewAccount() // 8 for one account
	c.As.Account = account
	create := func(value uint32) error {
		arg := swsync.CreateFence{Value: value}
		err := drmtest.FileIoctl(c, fd, swsync.IocCreateFence, &arg)
		if err == nil {
			err = drmtest.CloseFD(arg.Fence)
		}
		return err
	}
	for value := uint32(1); value <= 8; value++ {
		if err := create(value); err != nil {
			t.Fatal(err)
		}
	}
	if err := create(9); !errors.Is(err, unix.ENOMEM) {
		t.Errorf("a point too many: %v, want ENOMEM", err)
	}
	if err := create(8); err != nil {
		t.Errorf("a point that there is: %v", err)
	}
	by := uint32(1)
	if err := drmtest.FileIoctl(c, fd, swsync.IocInc, &by); err != nil {
		t.Fatal(err)
	}
	if err := create(9); err != nil {
		t.Errorf("after a point was signalled: %v", err)
	}
	if err := drmtest.CloseFD(fd); err != nil {
		t.Fatal(err)
	}
	if account.InUse() {
		t.Error("the closed timeline is still charged for")
	}
}
