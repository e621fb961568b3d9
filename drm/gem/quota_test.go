package gem_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// TestQuota checks that the client is charged for what its requests make, until
// that is gone.
func TestQuota(t *testing.T) {
	_, first, _ := newDevice(t)
	_, second, _ := newDevice(t)
	account := drm.NewQuota(map[drm.Resource]int64{drm.Descriptors: 15, drm.DMABufs: 6}).NewAccount() // 10 and 4 for one
	process := drmtest.Self()
	process.Account = account
	open := func(d *drm.Device) (*drmtest.Client, *kmsclient.Client) {
		t.Helper()
		c, err := drmtest.OpenAs(d.Primary(), process)
		if err != nil {
			t.Fatal(err)
		}
		return c, kmsclient.New(c.Process())
	}
	a, exporter := open(first)
	b, importer := open(second)
	want := func(what string, err error, want unix.Errno) {
		t.Helper()
		if want == 0 && err != nil || want != 0 && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	use := func(c *drmtest.Client, client *kmsclient.Client, dumb uapi.ModeCreateDumb) error {
		t.Helper()
		offset, err := client.MapDumb(dumb.Handle)
		if err != nil {
			t.Fatal(err)
		}
		_, err = mapBuffer(t, c, offset, dumb.Size)
		return err
	}
	var dumbs []uapi.ModeCreateDumb
	for range 20 { // more than the descriptors that the client may have
		dumbs = append(dumbs, createDumb(t, a, 8, 8, 32))
	}
	var fds []int32
	for _, dumb := range dumbs[:3] { // of three descriptors each
		want("a mapping", use(a, exporter, dumb), 0)
		fd, err := exporter.Export(dumb.Handle, 0)
		want("an export", err, 0)
		fds = append(fds, fd)
	}
	for _, fd := range fds {
		_, err := importer.Import(fd)
		want("an import", err, 0)
	}
	_, err := exporter.Export(dumbs[3].Handle, 0)
	want("an export beyond the quota of descriptors", err, unix.EMFILE)
	want("a mapping with the last descriptor", use(a, exporter, dumbs[3]), 0)
	want("another mapping of that buffer", use(a, exporter, dumbs[3]), 0)
	want("a mapping beyond the quota of descriptors", use(a, exporter, dumbs[4]), unix.ENOMEM)
	b.File.Close()
	for _, fd := range fds {
		want("closing a dma-buf", drmtest.CloseFD(fd), 0)
	}
	a.File.Close()
	for account.InUse() {
		first.InUse() // ends the closed dma-bufs
	}
}

// TestDMABufQuota has a client make more dma-bufs than its share.
func TestDMABufQuota(t *testing.T) {
	_, dev, _ := newDevice(t)
	process := drmtest.Self()
	process.Account = drm.NewQuota(map[drm.Resource]int64{drm.DMABufs: 6}).NewAccount() // 4 for one
	c, err := drmtest.OpenAs(dev.Primary(), process)
	if err != nil {
		t.Fatal(err)
	}
	defer c.File.Close()
	client := kmsclient.New(c.Process())
	for i := range 5 {
		fd, err := client.Export(createDumb(t, c, 8, 8, 32).Handle, 0)
		if err == nil {
			defer drmtest.CloseFD(fd)
		}
		if i < 4 && err != nil || i == 4 && !errors.Is(err, unix.ENOSPC) {
			t.Errorf("export %d: %v", i, err)
		}
	}
}

// TestManyHandles opens a buffer by its name until the file has as many handles
// as it may. Buffers that the file makes have no such limit, and all handles go
// with the file.
func TestManyHandles(t *testing.T) {
	const limit = 1 << 20
	m, dev, _ := newDevice(t)
	c := drmtest.Open(t, dev.Primary())
	flink := uapi.GEMFlink{Handle: createDumb(t, c, 8, 8, 32).Handle}
	if err := drmtest.Ioctl(c, uapi.IoctlGEMFlink, &flink); err != nil {
		t.Fatal(err)
	}
	var err error
	handles := 1
	for ; handles <= limit; handles++ {
		if err = drmtest.Ioctl(c, uapi.IoctlGEMOpen, &uapi.GEMOpen{Name: flink.Name}); err != nil {
			break
		}
	}
	if handles != limit || !errors.Is(err, unix.ENOMEM) {
		t.Errorf("with %d handles: %v, want ENOMEM with %d", handles, err, limit)
	}
	createDumb(t, c, 8, 8, 32)
	if got := m.Objects(); got != 2 {
		t.Errorf("%d objects, want 2", got)
	}
	c.File.Close()
	if got := m.Objects(); got != 0 {
		t.Errorf("%d objects after the close of the file", got)
	}
}
