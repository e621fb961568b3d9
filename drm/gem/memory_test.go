package gem_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/gem"
)

// TestMemory checks that a device sees the memory of a client's memfd, in the
// range that was wrapped, and that it outlives the memfd.
func TestMemory(t *testing.T) {
	m, dev, _ := newDevice(t)
	y := gem.NewMemory()
	t.Cleanup(func() { // after the descriptors are closed
		if n := y.DMABufs(); n != 0 {
			t.Errorf("%d dma-bufs are left", n)
		}
	})
	c := drmtest.Open(t, dev.Primary())
	const page = 4096
	memfd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Ftruncate(memfd, 3*page); err != nil {
		t.Fatal(err)
	}
	theirs, err := unix.Mmap(memfd, 0, 3*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(theirs)
	all := gem.Range{FD: int32(memfd), Offset: page, Size: 2 * page}
	if _, err := y.Wrap(c, all, unix.O_RDWR|unix.O_CLOEXEC); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a memfd that may shrink: %v, want EINVAL", err)
	}
	if _, err := unix.FcntlInt(uintptr(memfd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK); err != nil {
		t.Fatal(err)
	}
	wrapped, err := y.Wrap(c, all, unix.O_RDWR|unix.O_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	allocated, err := y.Allocate(c, page+1, unix.O_RDWR|unix.O_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	for i, tc := range []struct {
		what string
		fd   int32
	}{{"wrapped", wrapped}, {"allocated", allocated}} {
		handle, err := importFD(c, tc.fd)
		if err != nil {
			t.Fatal(tc.what, err)
		}
		unix.Close(int(tc.fd))
		o := lookup(t, m, c, handle)
		pixels, err := o.Pixels()
		if err != nil || len(pixels) != 2*page {
			t.Fatalf("%s: %d bytes, %v", tc.what, len(pixels), err)
		}
		if i == 0 {
			unix.Close(memfd)
			theirs[page] = 7
			if pixels[0] != 7 {
				t.Error("the device does not see what the client wrote")
			}
		}
		mapping, err := mapDMABuf(t, export(t, c, handle, 0), page, page)
		if err != nil || mapping[0] != 0 {
			t.Errorf("%s: mapping the second page: %v", tc.what, err)
		}
		o.Put()
	}
}
