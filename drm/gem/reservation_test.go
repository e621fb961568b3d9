package gem_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/uapi"
)

// dmaBuf sends a request to a dma-buf.
func dmaBuf[T any](ctx context.Context, t testing.TB, c *drmtest.Client, fd int32, cmd uint32, arg *T) error {
	t.Helper()
	addr := drmtest.PutSlice(c.Arena, []T{*arg})
	ok, err := gem.DMABufIoctl(ctx, c, fd, cmd, addr)
	if !ok {
		t.Fatalf("descriptor %d is not a dma-buf", fd)
	}
	out := make([]T, 1)
	if getErr := drmtest.GetSlice(c.Arena, out, addr); getErr != nil {
		t.Fatal(getErr)
	}
	*arg = out[0]
	return err
}

func importFence(t testing.TB, c *drmtest.Client, buf int32, f *fence.Fence, flags uint32) {
	t.Helper()
	fd, err := fence.Install(c, f)
	if err != nil {
		t.Fatal(err)
	}
	defer drmtest.CloseFD(fd)
	arg := uapi.DMABufImportSyncFile{Flags: flags, FD: fd}
	if err := dmaBuf(context.Background(), t, c, buf, uapi.DMABufIoctlImportSyncFile, &arg); err != nil {
		t.Fatal(err)
	}
}

func exportFence(t testing.TB, c *drmtest.Client, buf int32, flags uint32) *fence.Fence {
	t.Helper()
	arg := uapi.DMABufExportSyncFile{Flags: flags}
	if err := dmaBuf(context.Background(), t, c, buf, uapi.DMABufIoctlExportSyncFile, &arg); err != nil {
		t.Fatal(err)
	}
	defer drmtest.CloseFD(arg.FD)
	f, err := fence.Lookup(c, arg.FD)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A reader waits for writers, a writer for all.
func TestReservation(t *testing.T) {
	_, dev, parent := newDevice(t)
	c := drmtest.Open(t, dev.Primary())
	buf := export(t, c, createDumb(t, c, 64, 64, 32).Handle, uapi.RDWR)
	if err := parent.Remove(context.Background()); err != nil { // buffers outlive their device
		t.Fatal(err)
	}
	states := func(what string, read, write bool) {
		t.Helper()
		if exportFence(t, c, buf, uapi.DMABufSyncRead).Signaled() != read || exportFence(t, c, buf, uapi.DMABufSyncWrite).Signaled() != write {
			t.Errorf("%s: want a reader free to go: %v, a writer: %v", what, read, write)
		}
	}
	states("idle", true, true)
	gpu := fence.NewContext("gpu", "render")
	reader, writer := gpu.New(), fence.NewContext("gpu", "copy").New()
	importFence(t, c, buf, reader, uapi.DMABufSyncRead)
	states("a reader", true, false)
	importFence(t, c, buf, writer, uapi.DMABufSyncWrite)
	states("a reader and a writer", false, false)

	ctx, interrupt := context.WithCancel(context.Background())
	interrupt()
	sync := func(ctx context.Context, flags uint64) error {
		return dmaBuf(ctx, t, c, buf, uapi.DMABufIoctlSync, &uapi.DMABufSync{Flags: flags})
	}
	if err := sync(ctx, uapi.DMABufSyncStart|uapi.DMABufSyncRead); !errors.Is(err, unix.EINTR) {
		t.Errorf("an interrupted wait: %v, want EINTR", err)
	}
	if err := sync(ctx, uapi.DMABufSyncEnd|uapi.DMABufSyncRW); err != nil {
		t.Errorf("the end of an access: %v", err)
	}
	writer.Signal(nil)
	states("the reader is left", true, false)
	if err := sync(context.Background(), uapi.DMABufSyncStart|uapi.DMABufSyncRead); err != nil {
		t.Error(err)
	}
	done := make(chan error)
	go func() { done <- sync(context.Background(), uapi.DMABufSyncStart|uapi.DMABufSyncRW) }()
	reader.Signal(nil)
	if err := <-done; err != nil {
		t.Error(err)
	}
	states("idle again", true, true)
}

func TestDMABufErrors(t *testing.T) {
	_, dev, _ := newDevice(t)
	c := drmtest.Open(t, dev.Primary())
	buf := export(t, c, createDumb(t, c, 64, 64, 32).Handle, 0)
	ctx := context.Background()
	for what, tc := range map[string]struct {
		got, want error
	}{
		"sync without a direction":   {dmaBuf(ctx, t, c, buf, uapi.DMABufIoctlSync, &uapi.DMABufSync{}), unix.EINVAL},
		"sync with flags":            {dmaBuf(ctx, t, c, buf, uapi.DMABufIoctlSync, &uapi.DMABufSync{Flags: 9}), unix.EINVAL},
		"export without a direction": {dmaBuf(ctx, t, c, buf, uapi.DMABufIoctlExportSyncFile, &uapi.DMABufExportSyncFile{}), unix.EINVAL},
		"export with flags":          {dmaBuf(ctx, t, c, buf, uapi.DMABufIoctlExportSyncFile, &uapi.DMABufExportSyncFile{Flags: 5}), unix.EINVAL},
		"import of no fence":         {dmaBuf(ctx, t, c, buf, uapi.DMABufIoctlImportSyncFile, &uapi.DMABufImportSyncFile{Flags: 1, FD: buf}), unix.EINVAL},
		"an unknown request":         {dmaBuf(ctx, t, c, buf, 0x6277, &uapi.DMABufSync{}), unix.ENOTTY},
	} {
		if !errors.Is(tc.got, tc.want) {
			t.Errorf("%s: %v, want %v", what, tc.got, tc.want)
		}
	}
	for _, cmd := range []uint32{uapi.DMABufIoctlSync, uapi.DMABufIoctlExportSyncFile, uapi.DMABufIoctlImportSyncFile} {
		if _, err := gem.DMABufIoctl(ctx, c, buf, cmd, 8); !errors.Is(err, unix.EFAULT) {
			t.Errorf("%#x with a bad pointer: %v, want EFAULT", cmd, err)
		}
	}
	for _, fd := range []int32{-1, 0} {
		if ok, err := gem.DMABufIoctl(ctx, c, fd, uapi.DMABufIoctlSync, 8); ok || err != nil {
			t.Errorf("descriptor %d is taken for a dma-buf: %v", fd, err)
		}
	}
}

// FuzzDMABuf sends any request with any argument.
func FuzzDMABuf(f *testing.F) {
	for _, cmd := range []uint32{uapi.DMABufIoctlSync, uapi.DMABufIoctlExportSyncFile, uapi.DMABufIoctlImportSyncFile} {
		f.Add(cmd, uint32(1), int32(0))
	}
	f.Fuzz(func(t *testing.T, cmd, flags uint32, fd int32) {
		_, dev, _ := newDevice(t)
		c := drmtest.Open(t, dev.Primary())
		buf := export(t, c, createDumb(t, c, 8, 8, 32).Handle, 0)
		arg := uapi.DMABufExportSyncFile{Flags: flags, FD: fd}
		err := dmaBuf(context.Background(), t, c, buf, cmd, &arg)
		if cmd == uapi.DMABufIoctlExportSyncFile && err == nil {
			_ = drmtest.CloseFD(arg.FD)
		}
	})
}

// A client that adds the same fence again and again leaves nothing behind,
// whether it closes the buffers or not.
func TestFenceAddedAgain(t *testing.T) {
	m, dev, _ := newDevice(t)
	c := drmtest.Open(t, dev.Primary())
	f := fence.NewContext("test", "test").New()
	dumb := createDumb(t, c, 64, 64, 32)
	fd := export(t, c, dumb.Handle, 0)
	o := lookup(t, m, c, dumb.Handle)
	defer o.Put()
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := heap()
	for range 20000 {
		if err := o.Reserve(f, false); err != nil {
			t.Fatal(err)
		}
	}
	if after := heap(); after > before+1<<20 {
		t.Errorf("%d bytes more are used", after-before)
	}
	isPolled(t, "read", fd, true, false)
	f.Signal(nil)
	isPolled(t, "idle", fd, true, true)
}
