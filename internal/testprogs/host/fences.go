package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// The requests of drm.h and linux/sync_file.h that are used here.
const (
	reqSyncobjCreate     = 0xc00864bf
	reqSyncobjHandleToFD = 0xc01064c1
	reqSyncobjFDToHandle = 0xc01064c2
	reqSyncobjWait       = 0xc02064c3
	reqSyncobjSignal     = 0xc01064c5
	reqSyncobjEventfd    = 0xc01864cf
	reqSyncMerge         = 0xc0303e03
	reqSyncFileInfo      = 0xc0383e04
	reqSWSyncCreateFence = 0xc0285700
	reqCreateDumb        = 0xc02064b2
	reqHandleToFD        = 0xc00c642d
	reqDMABufSync        = 0x40086200
	reqDMABufSetName     = 0x40086201
	reqDMABufExport      = 0xc0086202
	reqDMABufImport      = 0x40086203
)

type syncobjHandle struct {
	handle, flags uint32
	fd            int32
	_             uint32
}

func syncobjFD(card int, handle, flags uint32) int {
	arg := syncobjHandle{handle: handle, flags: flags}
	check(ioctlPtr(card, reqSyncobjHandleToFD, &arg))
	return int(arg.fd)
}

func waitSyncobj(card int, handle uint32, timeout time.Duration) error {
	handles := [1]uint32{handle}
	var now unix.Timespec
	check(unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	deadline := now.Nano() + int64(timeout)
	if timeout == math.MaxInt64 {
		deadline = math.MaxInt64
	}
	const waitForSubmit = 2
	arg := struct {
		handles      *[1]uint32
		timeout      int64
		count, flags uint32
		_            [2]uint32
	}{&handles, deadline, 1, waitForSubmit, [2]uint32{}}
	for {
		if err := ioctlPtr(card, reqSyncobjWait, &arg); err != unix.EINTR {
			return err
		}
	}
}

// fences is the life of a sync object: made, passed to a child, which signals
// it, exported as a sync file, merged, and closed.
func fences([]string) {
	card := openCard(unix.O_RDWR | unix.O_CLOEXEC)
	var created struct{ handle, flags uint32 }
	check(ioctlPtr(card, reqSyncobjCreate, &created))
	object := created.handle
	want(waitSyncobj(card, object, time.Millisecond), unix.ETIME, "a wait for nothing")

	fd := syncobjFD(card, object, 0)
	if st := must(rawFstat(fd)); st.Mode&unix.S_IFMT == unix.S_IFCHR {
		failf("a sync object is a character device")
	}
	equal(must(unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)), unix.FD_CLOEXEC, "F_GETFD of a sync object")
	want(ioctl(fd, reqNothing, 0), unix.ENOTTY, "a DRM ioctl on a sync object")
	event := must(unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK))
	eventArg := struct {
		handle, flags uint32
		point         uint64
		fd            int32
		_             uint32
	}{handle: object, fd: int32(event)}
	check(ioctlPtr(card, reqSyncobjEventfd, &eventArg))
	equal(pollIn(event, 0)&unix.POLLIN, 0, "an eventfd ahead of the signal")

	child := exec.Command("/proc/self/exe", "signaler")
	child.ExtraFiles = []*os.File{os.NewFile(uintptr(must(unix.Dup(fd))), "sync object")}
	child.Stdout = os.Stdout
	check(child.Start())
	check(waitSyncobj(card, object, math.MaxInt64)) // the child signals it
	check(child.Wait())
	equal(pollIn(event, -1)&unix.POLLIN, unix.POLLIN, "an eventfd after the signal")

	const exportSyncFile = 1
	file := syncobjFD(card, object, exportSyncFile)
	equal(pollIn(file, -1), unix.POLLIN, "a sync file that is signalled")
	merge := struct {
		name       [32]byte
		fd2, fence int32
		_          [2]uint32
	}{fd2: int32(file)}
	copy(merge.name[:], "both")
	check(ioctlPtr(file, reqSyncMerge, &merge))
	var info struct {
		name      [32]byte
		status    int32
		flags     uint32
		fences, _ uint32
		ptr       uint64
	}
	check(ioctlPtr(int(merge.fence), reqSyncFileInfo, &info))
	equal(fmt.Sprintf("%s %d %d", unix.ByteSliceToString(info.name[:]), info.status, info.fences), "both 1 1", "a merged sync file")
	want(ioctl(file, reqSyncMerge, 8), unix.EFAULT, "a merge with a bad pointer")
	// A buffer takes and gives fences.
	dumb := struct {
		height, width, bpp, flags, handle, pitch uint32
		size                                     uint64
	}{height: 16, width: 16, bpp: 32}
	check(ioctlPtr(card, reqCreateDumb, &dumb))
	prime := struct {
		handle, flags uint32
		fd            int32
	}{handle: dumb.handle, flags: unix.O_CLOEXEC}
	check(ioctlPtr(card, reqHandleToFD, &prime))
	buffer := int(prime.fd)
	sync := uint64(3) // both directions, from here
	check(ioctlPtr(buffer, reqDMABufSync, &sync))
	sync = 0
	want(ioctlPtr(buffer, reqDMABufSync, &sync), unix.EINVAL, "DMA_BUF_IOCTL_SYNC without a direction")
	fence := [2]int32{3, int32(file)}
	check(ioctlPtr(buffer, reqDMABufImport, &fence))
	check(ioctlPtr(buffer, reqDMABufExport, &fence))
	equal(pollIn(int(fence[1]), 0), unix.POLLIN, "the fence of a buffer that nobody draws into")

	for _, fd := range []int{fd, file, int(merge.fence), event, buffer, int(fence[1]), card} {
		check(unix.Close(fd))
	}
	want(ioctlPtr(file, reqSyncFileInfo, &info), unix.EBADF, "a sync file that is closed")
}

// signaler signals the sync object that it has inherited, on a file of its
// own.
func signaler([]string) {
	card := openCard(unix.O_RDWR)
	arg := syncobjHandle{fd: 3}
	check(ioctlPtr(card, reqSyncobjFDToHandle, &arg))
	handles := [1]uint32{arg.handle}
	signal := struct {
		handles  *[1]uint32
		count, _ uint32
	}{&handles, 1, 0}
	check(ioctlPtr(card, reqSyncobjSignal, &signal))
}

// timelines is that closing a timeline makes its fences ready at once, for a
// poll that does not wait.
func timelines([]string) {
	for range 100 {
		timeline := must(unix.Open("/sys/kernel/debug/sync/sw_sync", unix.O_RDWR|unix.O_CLOEXEC, 0))
		arg := struct {
			value uint32
			_     [32]byte
			fence int32
		}{value: 1}
		check(ioctlPtr(timeline, reqSWSyncCreateFence, &arg))
		equal(pollNow(int(arg.fence)), 0, "a fence that is not signalled")
		check(unix.Close(timeline))
		equal(pollNow(int(arg.fence)), unix.POLLIN, "a fence whose timeline is closed")
		check(unix.Close(int(arg.fence)))
	}
}
