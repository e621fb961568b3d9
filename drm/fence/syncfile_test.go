package fence_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/uapi"
)

func newClient() *drmtest.Client {
	return &drmtest.Client{Arena: drmtest.NewArena(), As: drmtest.Self()}
}

func install(t *testing.T, c *drmtest.Client, f *fence.Fence) int32 {
	t.Helper()
	fd, err := fence.Install(c, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = drmtest.CloseFD(fd) })
	return fd
}

func readable(t *testing.T, fd int32) bool {
	t.Helper()
	fds := []unix.PollFd{{Fd: fd, Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, 0); err != nil {
		t.Fatal(err)
	}
	return fds[0].Revents == unix.POLLIN
}

func name(field [32]byte) string { return unix.ByteSliceToString(field[:]) }

func TestSyncFile(t *testing.T) {
	drmtest.NoLeaks(t)
	c := newClient()
	f, g := fence.NewContext("vkms", "CRTC:1-crtc-0").New(), fence.NewContext("gpu", "render").New()
	fd, other := install(t, c, f), install(t, c, g)
	if got, err := fence.Lookup(c, fd); got != f || err != nil {
		t.Errorf("Lookup: %v, %v; want the fence", got, err)
	}
	merge := uapi.SyncMergeData{FD2: other}
	copy(merge.Name[:], "both")
	if err := drmtest.FileIoctl(c, fd, uapi.SyncIOCMerge, &merge); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = drmtest.CloseFD(merge.Fence) })

	info := func(fd int32, room int) (uapi.SyncFileInfo, []uapi.SyncFenceInfo, error) {
		fences := make([]uapi.SyncFenceInfo, room)
		info := uapi.SyncFileInfo{NumFences: uint32(room), SyncFenceInfo: drmtest.PutSlice(c.Arena, fences)}
		err := drmtest.FileIoctl(c, fd, uapi.SyncIOCFileInfo, &info)
		if getErr := drmtest.GetSlice(c.Arena, fences, info.SyncFenceInfo); getErr != nil {
			t.Fatal(getErr)
		}
		return info, fences, err
	}
	state, fences, err := info(merge.Fence, 2)
	if err != nil || name(state.Name) != "both" || state.Status != 0 || state.NumFences != 2 {
		t.Errorf("info of a merged file: %+v, %v", state, err)
	}
	if name(fences[0].DriverName) != "vkms" || name(fences[0].ObjName) != "CRTC:1-crtc-0" || fences[0].Status != 0 || fences[0].TimestampNs != 0 {
		t.Errorf("info of the first fence: %+v", fences[0])
	}
	if _, _, err := info(merge.Fence, 1); !errors.Is(err, unix.EINVAL) {
		t.Errorf("info with too little room: %v, want EINVAL", err)
	}

	f.SignalAt(5, nil)
	if !readable(t, fd) || readable(t, other) || readable(t, merge.Fence) {
		t.Error("want only the file of the signalled fence to be readable")
	}
	g.SignalAt(6, unix.ENODEV)
	if !readable(t, other) || !readable(t, merge.Fence) {
		t.Error("files of signalled fences are not readable")
	}
	state, _, err = info(merge.Fence, 0)
	if err != nil || state.Status != -int32(unix.ENODEV) {
		t.Errorf("info of a file whose fence failed: %+v, %v; want -ENODEV", state, err)
	}
	state, fences, err = info(fd, 1)
	if err != nil || state.Status != 1 || fences[0].Status != 1 || fences[0].TimestampNs != 5 {
		t.Errorf("info of a signalled file: %+v, %+v, %v", state, fences, err)
	}
	if late := install(t, c, f); !readable(t, late) {
		t.Error("a file made for a signalled fence is not readable")
	}
}

func TestSyncFileErrors(t *testing.T) {
	drmtest.NoLeaks(t)
	c := newClient()
	fd := install(t, c, fence.NewContext("a", "b").New())
	for what, tc := range map[string]struct {
		got, want error
	}{
		"merge with flags":         {drmtest.FileIoctl(c, fd, uapi.SyncIOCMerge, &uapi.SyncMergeData{FD2: fd, Flags: 1}), unix.EINVAL},
		"merge with padding":       {drmtest.FileIoctl(c, fd, uapi.SyncIOCMerge, &uapi.SyncMergeData{FD2: fd, Pad: 1}), unix.EINVAL},
		"merge with stdin":         {drmtest.FileIoctl(c, fd, uapi.SyncIOCMerge, &uapi.SyncMergeData{FD2: 0}), unix.ENOENT},
		"merge with descriptor -1": {drmtest.FileIoctl(c, fd, uapi.SyncIOCMerge, &uapi.SyncMergeData{FD2: -1}), unix.ENOENT},
		"info with flags":          {drmtest.FileIoctl(c, fd, uapi.SyncIOCFileInfo, &uapi.SyncFileInfo{Flags: 1}), unix.EINVAL},
		"info with a bad pointer":  {drmtest.FileIoctl(c, fd, uapi.SyncIOCFileInfo, &uapi.SyncFileInfo{NumFences: 1, SyncFenceInfo: 8}), unix.EFAULT},
		"deadline":                 {drmtest.FileIoctl(c, fd, uapi.SyncIOCSetDeadline, &uapi.SyncSetDeadline{DeadlineNs: 1}), nil},
		"deadline with padding":    {drmtest.FileIoctl(c, fd, uapi.SyncIOCSetDeadline, &uapi.SyncSetDeadline{DeadlineNs: 1, Pad: 1}), unix.EINVAL},
		"unknown request":          {drmtest.FileIoctl(c, fd, uapi.IoctlVersion, &uapi.Version{}), unix.ENOTTY},
		"merge on stdin":           {drmtest.FileIoctl(c, 0, uapi.SyncIOCMerge, &uapi.SyncMergeData{}), unix.ENOTTY},
	} {
		if !errors.Is(tc.got, tc.want) {
			t.Errorf("%s: %v, want %v", what, tc.got, tc.want)
		}
	}
	if err := c.LookupFile(fd).Ioctl(context.Background(), c, uapi.SyncIOCMerge, 8); !errors.Is(err, unix.EFAULT) {
		t.Errorf("merge with a bad pointer: %v, want EFAULT", err)
	}
	if _, err := fence.Lookup(c, 0); !errors.Is(err, unix.EINVAL) {
		t.Errorf("Lookup of stdin: %v, want EINVAL", err)
	}
}

// FuzzSyncFile sends any request with any argument to a sync file.
func FuzzSyncFile(f *testing.F) {
	f.Add(uint32(uapi.SyncIOCMerge), make([]byte, 48))
	f.Add(uint32(uapi.SyncIOCFileInfo), bytes.Repeat([]byte{1}, 56))
	f.Add(uint32(uapi.SyncIOCSetDeadline), make([]byte, 16))
	f.Fuzz(func(t *testing.T, cmd uint32, arg []byte) {
		c := newClient()
		fd, err := fence.Install(c, fence.Merge(fence.NewContext("a", "b").New(), fence.NewContext("c", "d").New()))
		if err != nil {
			t.Fatal(err)
		}
		addr := c.Put(append(arg, make([]byte, 64)...))
		err = c.LookupFile(fd).Ioctl(context.Background(), c, cmd, addr)
		if cmd == uapi.SyncIOCMerge && err == nil {
			var data [48]byte
			if err := c.CopyFromUser(data[:], addr); err != nil {
				t.Fatal(err)
			}
			made := int32(data[36]) | int32(data[37])<<8 | int32(data[38])<<16 | int32(data[39])<<24
			_ = drmtest.CloseFD(made)
		}
		if err := drmtest.CloseFD(fd); err != nil {
			t.Fatal(err)
		}
	})
}

// TestMergeQuota merges the same fences again and again. The client is charged for
// the parts until the merged fences are gone.
func TestMergeQuota(t *testing.T) {
	c := newClient()
	c.As.Account = drm.NewQuota(map[drm.Resource]int64{drm.Objects: 12}).NewAccount() // 8 for one account
	fd, other := install(t, c, fence.NewContext("a", "a").New()), install(t, c, fence.NewContext("b", "b").New())
	merge := func() (int32, error) {
		arg := uapi.SyncMergeData{FD2: other}
		err := drmtest.FileIoctl(c, fd, uapi.SyncIOCMerge, &arg)
		return arg.Fence, err
	}
	var merged []int32
	for range 8 {
		fd, err := merge()
		if err != nil {
			t.Fatal(err)
		}
		merged = append(merged, fd)
	}
	if _, err := merge(); !errors.Is(err, unix.ENOMEM) {
		t.Errorf("one more than the quota: %v, want ENOMEM", err)
	}
	for _, fd := range merged {
		if err := drmtest.CloseFD(fd); err != nil {
			t.Fatal(err)
		}
	}
	for c.As.Account.InUse() {
		runtime.GC()
	}
}
