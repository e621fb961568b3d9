package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// swSyncCreateFence is SW_SYNC_IOC_CREATE_FENCE.
const swSyncCreateFence = 0xc0285700

func syncobjFD(card int, handle, flags uint32) int {
	arg := uapi.SyncobjHandle{Handle: handle, Flags: flags}
	check(ioctlPtr(card, uapi.IoctlSyncobjHandleToFD, &arg))
	return int(arg.FD)
}

// waitSyncobj waits until a sync object has a fence and the fence is signalled.
func waitSyncobj(card int, handle uint32, timeout time.Duration) error {
	var now unix.Timespec
	check(unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	deadline := now.Nano() + int64(timeout)
	if timeout == math.MaxInt64 {
		deadline = math.MaxInt64
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	arg := uapi.SyncobjWait{
		Handles: kmsclient.Address(&pin, []uint32{handle}), CountHandles: 1, TimeoutNsec: deadline, Flags: uapi.SyncobjWaitFlagsWaitForSubmit,
	}
	for {
		if err := ioctlPtr(card, uapi.IoctlSyncobjWait, &arg); err != unix.EINTR {
			return err
		}
	}
}

// fences checks a sync object: it is created, passed to a child, which signals
// it, exported as a sync file, merged, and closed.
func fences([]string) {
	card := openCard(unix.O_RDWR | unix.O_CLOEXEC)
	var created uapi.SyncobjCreate
	check(ioctlPtr(card, uapi.IoctlSyncobjCreate, &created))
	object := created.Handle
	want(waitSyncobj(card, object, time.Millisecond), unix.ETIME, "a wait for an object without a fence")

	fd := syncobjFD(card, object, 0)
	if st := must(fstat(fd)); st.Mode&unix.S_IFMT == unix.S_IFCHR {
		failf("a sync object is a character device")
	}
	equal(must(unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)), unix.FD_CLOEXEC, "F_GETFD of a sync object")
	want(ioctl(fd, reqNothing, 0), unix.ENOTTY, "a DRM ioctl on a sync object")
	event := must(unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK))
	check(ioctlPtr(card, uapi.IoctlSyncobjEventfd, &uapi.SyncobjEventfd{Handle: object, FD: int32(event)}))
	equal(pollIn(event, 0)&unix.POLLIN, 0, "an eventfd before the signal")

	child := exec.Command("/proc/self/exe", "signaler")
	child.ExtraFiles = []*os.File{os.NewFile(uintptr(must(unix.Dup(fd))), "sync object")}
	child.Stdout = os.Stdout
	check(child.Start())
	check(waitSyncobj(card, object, math.MaxInt64)) // the child signals it
	check(child.Wait())
	equal(pollIn(event, -1)&unix.POLLIN, unix.POLLIN, "an eventfd after the signal")

	file := syncobjFD(card, object, uapi.SyncobjHandleToFDFlagsExportSyncFile)
	equal(pollIn(file, -1), unix.POLLIN, "a signalled sync file")
	merge := uapi.SyncMergeData{FD2: int32(file)}
	copy(merge.Name[:], "both")
	check(ioctlPtr(file, uapi.SyncIOCMerge, &merge))
	var info uapi.SyncFileInfo
	check(ioctlPtr(int(merge.Fence), uapi.SyncIOCFileInfo, &info))
	equal(fmt.Sprintf("%s %d %d", unix.ByteSliceToString(info.Name[:]), info.Status, info.NumFences), "both 1 1", "a merged sync file")
	want(ioctl(file, uapi.SyncIOCMerge, 8), unix.EFAULT, "a merge with a bad pointer")

	// A buffer takes fences and returns them.
	dumb := must(client(card).CreateDumb(16, 16, 32))
	buffer := exportBuffer(card, dumb.Handle, uapi.Cloexec)
	check(ioctlPtr(buffer, uapi.DMABufIoctlSync, &uapi.DMABufSync{Flags: uapi.DMABufSyncRW}))
	want(ioctlPtr(buffer, uapi.DMABufIoctlSync, &uapi.DMABufSync{}), unix.EINVAL, "DMA_BUF_IOCTL_SYNC without a direction")
	check(ioctlPtr(buffer, uapi.DMABufIoctlImportSyncFile, &uapi.DMABufImportSyncFile{Flags: uapi.DMABufSyncRW, FD: int32(file)}))
	export := uapi.DMABufExportSyncFile{Flags: uapi.DMABufSyncRW}
	check(ioctlPtr(buffer, uapi.DMABufIoctlExportSyncFile, &export))
	equal(pollIn(int(export.FD), 0), unix.POLLIN, "the fence of an idle buffer")

	for _, fd := range []int{fd, file, int(merge.Fence), event, buffer, int(export.FD), card} {
		check(unix.Close(fd))
	}
	want(ioctlPtr(file, uapi.SyncIOCFileInfo, &info), unix.EBADF, "a closed sync file")
}

// signaler signals the sync object that it inherited, by a file of its own.
func signaler([]string) {
	card := openCard(unix.O_RDWR)
	arg := uapi.SyncobjHandle{FD: 3}
	check(ioctlPtr(card, uapi.IoctlSyncobjFDToHandle, &arg))
	var pin runtime.Pinner
	defer pin.Unpin()
	check(ioctlPtr(card, uapi.IoctlSyncobjSignal,
		&uapi.SyncobjArray{Handles: kmsclient.Address(&pin, []uint32{arg.Handle}), CountHandles: 1}))
}

// timelines checks that closing a timeline signals its fences at once, so that
// a poll without a timeout sees them signalled.
func timelines([]string) {
	for range 100 {
		timeline := must(unix.Open("/sys/kernel/debug/sync/sw_sync", unix.O_RDWR|unix.O_CLOEXEC, 0))
		arg := struct { // struct sw_sync_create_fence_data
			value uint32
			_     [32]byte
			fence int32
		}{value: 1}
		check(ioctlPtr(timeline, swSyncCreateFence, &arg))
		equal(pollNow(int(arg.fence)), 0, "an unsignalled fence")
		check(unix.Close(timeline))
		equal(pollNow(int(arg.fence)), unix.POLLIN, "a fence of a closed timeline")
		check(unix.Close(int(arg.fence)))
	}
}
