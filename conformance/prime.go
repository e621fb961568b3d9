package conformance

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var primeCases = []Case{
	{"prime/share", NeedPrime | NeedDumb, primeShare},
	{"prime/self-import", NeedPrime | NeedDumb, primeSelfImport},
	{"prime/many-imports", NeedPrime | NeedDumb, primeManyImports},
	{"prime/flags", NeedPrime | NeedDumb, primeFlags},
	{"prime/errors", NeedPrime | NeedDumb, primeErrors},
	{"prime/outlives-handle-and-file", NeedPrime | NeedDumb, primeOutlives},
	{"prime/render-node", NeedPrime | NeedDumb | NeedRender, primeRender},
	{"dma-buf/sync", NeedPrime | NeedDumb, dmaBufSync},
	{"dma-buf/sync-files", NeedPrime | NeedDumb, dmaBufSyncFiles},
	{"dma-buf/fences", NeedPrime | NeedDisplay | NeedDumb | NeedAtomic, dmaBufFences},
}

// export returns a dma-buf of a buffer.
func export(f *file, handle uint32) *file {
	f.t.Helper()
	fd, err := f.Export(handle, uapi.Cloexec|uapi.RDWR)
	f.t.Must("a dma-buf", err)
	return f.t.File(int(fd), "a dma-buf")
}

func primeShare(t *tester) {
	f, other := t.Open(), t.Open()
	dumb := t.NewDumb(f, 64, 64, 32)
	dmaBuf := export(f, dumb.Handle)
	size, err := t.target.System.Seek(dmaBuf.fd, 0, unix.SEEK_END)
	t.Want("seeking to the end of the dma-buf", err)
	equal(t, "the size of the dma-buf", uint64(size), dumb.Size)
	// ESPIPE: package host supports seeking to the end only.
	_, err = t.target.System.Seek(dmaBuf.fd, 0, unix.SEEK_SET)
	t.Want("seeking to the start of the dma-buf", err, 0, unix.ESPIPE)
	_, err = t.target.System.Seek(dmaBuf.fd, 1, unix.SEEK_SET)
	t.Want("seeking into the dma-buf", err, unix.EINVAL, unix.ESPIPE)
	_, err = dmaBuf.Mmap(0, int(dumb.Size)+unix.Getpagesize())
	t.Want("mmap of more than the dma-buf", err, unix.EINVAL)

	arg := uapi.PrimeHandle{FD: dmaBuf.FD()}
	other.Must(uapi.IoctlPrimeFDToHandle, &arg)
	pixels, _ := mapDumb(f, &dumb)
	same := dumb
	same.Handle = arg.Handle
	others, _ := mapDumb(other, &same)
	direct, err := dmaBuf.Mmap(0, int(dumb.Size))
	t.Must("mmap of the dma-buf", err)
	pixels[0] = 42
	equal(t, "the contents seen by the other file", others[0], 42)
	equal(t, "the contents of the dma-buf", direct[0], 42)
}

// primeSelfImport checks that an import returns the handle that the file
// already has, and that one GEM_CLOSE closes it however often it was imported.
func primeSelfImport(t *tester) {
	f, other := t.Open(), t.Open()
	dumb := t.NewDumb(f, 64, 64, 32)
	dmaBuf := export(f, dumb.Handle)
	arg := uapi.PrimeHandle{FD: dmaBuf.FD()}
	f.Must(uapi.IoctlPrimeFDToHandle, &arg)
	equal(t, "the handle of the file's own buffer", arg.Handle, dumb.Handle)

	var first, second uapi.PrimeHandle
	first.FD, second.FD = dmaBuf.FD(), dmaBuf.FD()
	other.Must(uapi.IoctlPrimeFDToHandle, &first)
	other.Must(uapi.IoctlPrimeFDToHandle, &second)
	equal(t, "the handle of a buffer imported before", second.Handle, first.Handle)
	other.Want("", uapi.IoctlGEMClose, &uapi.GEMClose{Handle: first.Handle})
	other.Want("again", uapi.IoctlGEMClose, &uapi.GEMClose{Handle: first.Handle}, unix.EINVAL, unix.ENOENT)

	twice := export(f, dumb.Handle)
	other.Must(uapi.IoctlPrimeFDToHandle, &uapi.PrimeHandle{FD: twice.FD()})
}

// primeManyImports checks that a file gets one handle of a buffer when several
// threads import it at the same time.
func primeManyImports(t *tester) {
	f, other := t.Open(), t.Open()
	dmaBuf := export(f, t.NewDumb(f, 64, 64, 32).Handle)
	for range 20 {
		handles := make(map[uint32]bool)
		var imports []func() uint32
		for range 4 {
			imports = append(imports, later(func() uint32 {
				arg := uapi.PrimeHandle{FD: dmaBuf.FD()}
				if err := other.Ioctl(uapi.IoctlPrimeFDToHandle, &arg); err != nil {
					return 0
				}
				return arg.Handle
			}))
		}
		for _, handle := range imports {
			handles[handle()] = true
		}
		if len(handles) != 1 || handles[0] {
			t.Fatalf("four imports at the same time gave the handles %v", handles)
		}
		for handle := range handles {
			other.Must(uapi.IoctlGEMClose, &uapi.GEMClose{Handle: handle})
		}
	}
}

func primeFlags(t *tester) {
	f := t.Open()
	for _, flags := range []uint32{0, uapi.Cloexec, uapi.RDWR, uapi.Cloexec | uapi.RDWR} {
		dumb := t.NewDumb(f, 64, 64, 32) // a second export would return the same file
		arg := uapi.PrimeHandle{Handle: dumb.Handle, Flags: flags}
		f.Must(uapi.IoctlPrimeHandleToFD, &arg)
		dmaBuf := t.File(int(arg.FD), "a dma-buf")
		got, err := unix.FcntlInt(uintptr(arg.FD), unix.F_GETFD, 0)
		t.Want("F_GETFD", err)
		equal(t, "whether the dma-buf is closed on exec", got&unix.FD_CLOEXEC != 0, flags&uapi.Cloexec != 0)
		// Mmap maps for reading and writing.
		_, err = dmaBuf.Mmap(0, int(dumb.Size))
		if flags&uapi.RDWR != 0 {
			t.Want("mmap of a dma-buf with RDWR", err)
		} else {
			t.Want("mmap for writing of a dma-buf without RDWR", err, unix.EACCES)
		}
	}
	dumb := t.NewDumb(f, 64, 64, 32)
	for _, flags := range []uint32{1, 1 << 31, ^uint32(uapi.Cloexec | uapi.RDWR)} {
		f.Want("with unknown flags", uapi.IoctlPrimeHandleToFD, &uapi.PrimeHandle{Handle: dumb.Handle, Flags: flags}, unix.EINVAL)
	}
}

func primeErrors(t *tester) {
	f := t.Open()
	for _, handle := range []uint32{0, 99, math.MaxUint32} {
		f.Want("of a nonexistent handle", uapi.IoctlPrimeHandleToFD, &uapi.PrimeHandle{Handle: handle}, unix.ENOENT)
	}
	for _, fd := range []int32{-1, 1 << 20, math.MinInt32} {
		f.Want("of a closed descriptor", uapi.IoctlPrimeFDToHandle, &uapi.PrimeHandle{FD: fd}, unix.EBADF)
	}
	f.Want("of a node", uapi.IoctlPrimeFDToHandle, &uapi.PrimeHandle{FD: f.FD()}, unix.EINVAL)
	f.Want("of an eventfd", uapi.IoctlPrimeFDToHandle, &uapi.PrimeHandle{FD: t.Eventfd().FD()}, unix.EINVAL)
	memfd, err := unix.MemfdCreate("no dma-buf", unix.MFD_CLOEXEC)
	t.Must("memfd_create", err)
	f.Want("of a memfd", uapi.IoctlPrimeFDToHandle, &uapi.PrimeHandle{FD: t.File(memfd, "a memfd").FD()}, unix.EINVAL)
}

// Eventfd returns a new eventfd.
func (t *tester) Eventfd() *file {
	t.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	t.Must("eventfd", err)
	return t.File(fd, "an eventfd")
}

// primeOutlives checks that a dma-buf keeps the buffer without any handle.
func primeOutlives(t *tester) {
	f := t.Open()
	dumb := t.NewDumb(f, 64, 64, 32)
	pixels, _ := mapDumb(f, &dumb)
	pixels[0] = 42
	dmaBuf := export(f, dumb.Handle)
	f.Must(uapi.IoctlModeDestroyDumb, &uapi.ModeDestroyDumb{Handle: dumb.Handle})
	t.Must("close", f.Close())

	other := t.Open()
	arg := uapi.PrimeHandle{FD: dmaBuf.FD()}
	other.Want("after the handle and the file are closed", uapi.IoctlPrimeFDToHandle, &arg)
	same := dumb
	same.Handle = arg.Handle
	others, _ := mapDumb(other, &same)
	equal(t, "the contents of the buffer", others[0], 42)
}

func primeRender(t *tester) {
	f, render := t.Open(), t.OpenRender()
	dumb := t.NewDumb(f, 64, 64, 32)
	dmaBuf := export(f, dumb.Handle)
	arg := uapi.PrimeHandle{FD: dmaBuf.FD()}
	render.Want("on a render node", uapi.IoctlPrimeFDToHandle, &arg)
	back := export(render, arg.Handle)
	again := uapi.PrimeHandle{FD: back.FD()}
	f.Must(uapi.IoctlPrimeFDToHandle, &again)
	equal(t, "the handle of the buffer imported back", again.Handle, dumb.Handle)
	render.Want("on a render node", uapi.IoctlGEMClose, &uapi.GEMClose{Handle: arg.Handle})
}

// dmaBufSync checks DMA_BUF_IOCTL_SYNC, which brackets CPU access to a buffer.
func dmaBufSync(t *tester) {
	f := t.Open()
	dmaBuf := export(f, t.NewDumb(f, 64, 64, 32).Handle)
	for _, flags := range []uint64{uapi.DMABufSyncRead, uapi.DMABufSyncWrite, uapi.DMABufSyncRW} {
		dmaBuf.Want("start", uapi.DMABufIoctlSync, &uapi.DMABufSync{Flags: flags | uapi.DMABufSyncStart})
		dmaBuf.Want("end", uapi.DMABufIoctlSync, &uapi.DMABufSync{Flags: flags | uapi.DMABufSyncEnd})
	}
	for _, flags := range []uint64{0, uapi.DMABufSyncEnd, 1 << 3, 1<<63 | uapi.DMABufSyncRead} {
		dmaBuf.Want("without a direction or with unknown flags", uapi.DMABufIoctlSync, &uapi.DMABufSync{Flags: flags}, unix.EINVAL)
	}
	dmaBuf.Want("at a bad address", uapi.DMABufIoctlSync, uintptr(t.BadAddr()), unix.EFAULT)
	t.Want("an unknown ioctl on a dma-buf", dmaBuf.Ioctl(uapi.DMABufIoctlSync|0x7f, t.buffer()), unix.ENOTTY)
}

// dmaBufSyncFiles checks export and import of a buffer's fences.
func dmaBufSyncFiles(t *tester) {
	f := t.Open()
	dmaBuf := export(f, t.NewDumb(f, 64, 64, 32).Handle)
	for _, flags := range []uint32{uapi.DMABufSyncRead, uapi.DMABufSyncWrite, uapi.DMABufSyncRW} {
		arg := uapi.DMABufExportSyncFile{Flags: flags}
		if !dmaBuf.Want("of an idle buffer", uapi.DMABufIoctlExportSyncFile, &arg) {
			continue
		}
		syncFile := t.File(int(arg.FD), "a sync file")
		equal(t, "poll of the fences of an idle buffer", syncFile.Poll(unix.POLLIN, 0), unix.POLLIN)
		info := uapi.SyncFileInfo{}
		syncFile.Must(uapi.SyncIOCFileInfo, &info)
		equal(t, "the status of the fences of an idle buffer", info.Status, 1)
		dmaBuf.Want("of a signalled fence", uapi.DMABufIoctlImportSyncFile, &uapi.DMABufImportSyncFile{Flags: flags, FD: syncFile.FD()})
		equal(t, "poll of an idle buffer", dmaBuf.Poll(unix.POLLIN|unix.POLLOUT, 0), unix.POLLIN|unix.POLLOUT)
	}
	for _, flags := range []uint32{0, uapi.DMABufSyncEnd, 1 << 31} {
		dmaBuf.Want("with bad flags", uapi.DMABufIoctlExportSyncFile, &uapi.DMABufExportSyncFile{Flags: flags}, unix.EINVAL)
		dmaBuf.Want("with bad flags", uapi.DMABufIoctlImportSyncFile, &uapi.DMABufImportSyncFile{Flags: flags}, unix.EINVAL)
	}
	for _, fd := range []int32{-1, f.FD(), t.Eventfd().FD()} {
		dmaBuf.Want("of a descriptor that is not a sync file", uapi.DMABufIoctlImportSyncFile,
			&uapi.DMABufImportSyncFile{Flags: uapi.DMABufSyncRW, FD: fd}, unix.EINVAL)
	}
	for _, cmd := range []uint32{uapi.DMABufIoctlExportSyncFile, uapi.DMABufIoctlImportSyncFile} {
		dmaBuf.Want("at a bad address", cmd, uintptr(t.BadAddr()), unix.EFAULT)
	}
}

// dmaBufFences checks that a buffer has the fences that clients import, here
// the fence of a pending commit: a wait for the buffer waits for them.
func dmaBufFences(t *tester) {
	s := t.ShowScene()
	for _, flags := range []uint32{uapi.DMABufSyncWrite, uapi.DMABufSyncRead} {
		dmaBuf := export(s.file, t.NewDumb(s.file, 64, 64, 32).Handle)
		fd := []int32{-1}
		t.Must("MODE_ATOMIC with OUT_FENCE_PTR", s.atomic(nonblock, s.plane("FB_ID", uint64(s.Another())), s.crtc("OUT_FENCE_PTR", addr(t, fd))))
		fence := t.File(int(fd[0]), "a fence")
		dmaBuf.Want("of a commit's fence", uapi.DMABufIoctlImportSyncFile, &uapi.DMABufImportSyncFile{Flags: flags, FD: fence.FD()})
		arg := uapi.DMABufExportSyncFile{Flags: uapi.DMABufSyncRW}
		dmaBuf.Must(uapi.DMABufIoctlExportSyncFile, &arg)
		all := t.File(int(arg.FD), "a sync file")
		equal(t, "poll of the buffer for writing", dmaBuf.Poll(unix.POLLOUT, timeout), unix.POLLOUT)
		var info uapi.SyncFileInfo
		fence.Must(uapi.SyncIOCFileInfo, &info)
		equal(t, "the status of the fence after the buffer is idle", info.Status, 1)
		equal(t, "poll of all fences", all.Poll(unix.POLLIN, timeout), unix.POLLIN)
		dmaBuf.Want("for writing", uapi.DMABufIoctlSync, &uapi.DMABufSync{Flags: uapi.DMABufSyncWrite})
		s.Settle()
	}
}
