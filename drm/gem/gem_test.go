package gem_test

import (
	"context"
	"errors"
	"math"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

func newDevice(t testing.TB) (*gem.Manager, *drm.Device, *bus.Device) {
	m := gem.New()
	d := &drmtest.Driver{Class: drm.NewClass(drm.ClassOptions{}), Parts: []drm.Part{m}, Offers: drm.FeatureGEM | drm.FeatureModeset}
	parent := drmtest.Bind(t, bus.New("platform"), "nothing", d.BusDriver())
	return m, d.Device, parent
}

func createDumb(t testing.TB, c *drmtest.Client, width, height, bpp uint32) uapi.ModeCreateDumb {
	t.Helper()
	dumb, err := kmsclient.New(c.Process()).CreateDumb(width, height, bpp)
	if err != nil {
		t.Fatalf("%dx%d@%d: %v", width, height, bpp, err)
	}
	return dumb
}

func TestDumbLayout(t *testing.T) {
	_, dev, _ := newDevice(t)
	c := drmtest.Open(t, dev.Primary())
	page := uint64(os.Getpagesize())
	for _, tc := range []struct {
		width, height, bpp uint32
		pitch              uint32
		size               uint64
		err                error
	}{
		{1024, 768, 32, 4096, 4096 * 768, nil},
		{1, 1, 1, 1, page, nil},
		{10, 1, 12, 15, page, nil},
		{1000, 10, 24, 3000, 32768, nil},
		{0, 768, 32, 0, 0, unix.EINVAL},
		{1024, 0, 32, 0, 0, unix.EINVAL},
		{1024, 768, 0, 0, 0, unix.EINVAL},
		{math.MaxUint32, 1, 32, 0, 0, unix.EINVAL},
		{65536, 65536, 8, 0, 0, unix.EINVAL},
		{1, 1, math.MaxUint32, 0, 0, unix.EINVAL},
		{math.MaxUint32, 1, 8, 0, 0, unix.EINVAL}, // fits, but not rounded to pages
	} {
		arg := uapi.ModeCreateDumb{Width: tc.width, Height: tc.height, BPP: tc.bpp, Handle: 99, Pitch: 99, Size: 99}
		err := drmtest.Ioctl(c, uapi.IoctlModeCreateDumb, &arg)
		if !errors.Is(err, tc.err) {
			t.Errorf("CREATE_DUMB %dx%d@%d: %v, want %v", tc.width, tc.height, tc.bpp, err, tc.err)
			continue
		}
		if arg.Pitch != tc.pitch || arg.Size != tc.size || (arg.Handle != 0) != (err == nil) {
			t.Errorf("CREATE_DUMB %dx%d@%d: pitch %d, size %d, handle %d; want pitch %d, size %d",
				tc.width, tc.height, tc.bpp, arg.Pitch, arg.Size, arg.Handle, tc.pitch, tc.size)
		}
	}
}

func TestHandlesAreLowestFreeAndPerFile(t *testing.T) {
	m, dev, _ := newDevice(t)
	a, b := drmtest.Open(t, dev.Primary()), drmtest.Open(t, dev.Primary())
	for want := uint32(1); want <= 3; want++ {
		if got := createDumb(t, a, 8, 8, 32).Handle; got != want {
			t.Fatalf("handle %d, want %d", got, want)
		}
	}
	if err := drmtest.Ioctl(a, uapi.IoctlGEMClose, &uapi.GEMClose{Handle: 2}); err != nil {
		t.Fatal(err)
	}
	if err := drmtest.Ioctl(a, uapi.IoctlModeDestroyDumb, &uapi.ModeDestroyDumb{Handle: 2}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("destroying a handle twice: %v, want EINVAL", err)
	}
	if got := createDumb(t, a, 8, 8, 32).Handle; got != 2 {
		t.Errorf("after closing handle 2 the next one is %d", got)
	}
	if err := drmtest.Ioctl(b, uapi.IoctlModeMapDumb, &uapi.ModeMapDumb{Handle: 1}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("MAP_DUMB of another file's handle: %v, want ENOENT", err)
	}
	a.File.Close()
	if n := m.Objects(); n != 0 {
		t.Errorf("%d buffers are left after their file was closed", n)
	}
}

// mapBuffer maps a buffer of the client as its mmap(2) would.
func mapBuffer(t *testing.T, c *drmtest.Client, offset, length uint64) ([]byte, error) {
	t.Helper()
	m, err := c.File.Mmap(offset, length)
	if err != nil {
		return nil, err
	}
	return mapMemory(t, m, length), nil
}

// mapMemory maps m until the end of the test and then releases it.
func mapMemory(t testing.TB, m drm.Mapping, length uint64) []byte {
	t.Helper()
	defer m.Release()
	p, err := unix.Mmap(m.FD, m.Offset, int(length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(p) })
	return p
}

func TestMmap(t *testing.T) {
	m, dev, parent := newDevice(t)
	c, other := drmtest.Open(t, dev.Primary()), drmtest.Open(t, dev.Primary())
	dumb := createDumb(t, c, 64, 64, 32)
	arg := uapi.ModeMapDumb{Handle: dumb.Handle}
	if err := drmtest.Ioctl(c, uapi.IoctlModeMapDumb, &arg); err != nil {
		t.Fatal(err)
	}
	if arg.Offset < drm.FakeOffsetMin || arg.Offset+dumb.Size > drm.FakeOffsetMax {
		t.Errorf("fake offset %#x is outside of the range that hosts know", arg.Offset)
	}
	again := uapi.ModeMapDumb{Handle: dumb.Handle}
	if err := drmtest.Ioctl(c, uapi.IoctlModeMapDumb, &again); err != nil || again.Offset != arg.Offset {
		t.Errorf("the offset changed from %#x to %#x (%v)", arg.Offset, again.Offset, err)
	}
	for _, tc := range []struct {
		name           string
		c              *drmtest.Client
		offset, length uint64
		err            error
	}{
		{"too long", c, arg.Offset, dumb.Size + 1, unix.EINVAL},
		{"not at the beginning", c, arg.Offset + 4096, 4096, unix.EINVAL},
		{"unknown", c, drm.FakeOffsetMax - 4096, 4096, unix.EINVAL},
		{"without a handle", other, arg.Offset, dumb.Size, unix.EACCES},
	} {
		if _, err := mapBuffer(t, tc.c, tc.offset, tc.length); !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.err)
		}
	}
	pixels, err := mapBuffer(t, c, arg.Offset, dumb.Size)
	if err != nil {
		t.Fatal(err)
	}
	pixels[0] = 42
	o, err := m.Lookup(c.File, dumb.Handle)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := o.Pixels()
	if err != nil || ours[0] != 42 {
		t.Errorf("what the client wrote reads as %d (%v)", ours[0], err)
	}
	o.Put()

	// The mapping outlives handle, file and device.
	if err := parent.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := mapBuffer(t, c, arg.Offset, dumb.Size); !errors.Is(err, unix.ENODEV) {
		t.Errorf("a new mapping of an unplugged device: %v, want ENODEV", err)
	}
	c.File.Close()
	if n := m.Objects(); n != 0 {
		t.Errorf("%d buffers are left", n)
	}
	for i := range pixels {
		pixels[i]++
	}
	if pixels[0] != 43 {
		t.Error("the mapping lost its contents")
	}
}

// A client may ask for more memory than the machine has: only pages that it
// writes cost anything.
func TestHugeBuffersCostNothing(t *testing.T) {
	m, dev, _ := newDevice(t)
	c := drmtest.Open(t, dev.Primary())
	for range 64 {
		createDumb(t, c, 32768, 32767, 32)
	}
	c.File.Close()
	if n := m.Objects(); n != 0 {
		t.Errorf("%d buffers are left", n)
	}
}

// export exports the client's handle and closes the descriptor at the end of
// the test.
func export(t testing.TB, c *drmtest.Client, handle, flags uint32) int32 {
	t.Helper()
	arg := uapi.PrimeHandle{Handle: handle, Flags: flags, FD: -1}
	if err := drmtest.Ioctl(c, uapi.IoctlPrimeHandleToFD, &arg); err != nil {
		t.Fatalf("PRIME_HANDLE_TO_FD: %v", err)
	}
	t.Cleanup(func() { unix.Close(int(arg.FD)) })
	return arg.FD
}

func importFD(c *drmtest.Client, fd int32) (handle uint32, err error) {
	arg := uapi.PrimeHandle{FD: fd}
	err = drmtest.Ioctl(c, uapi.IoctlPrimeFDToHandle, &arg)
	return arg.Handle, err
}

func TestPrime(t *testing.T) {
	m, dev, parent := newDevice(t)
	other, otherDev, _ := newDevice(t)
	a, b, c := drmtest.Open(t, dev.Primary()), drmtest.Open(t, dev.Primary()), drmtest.Open(t, otherDev.Primary())
	dumb := createDumb(t, a, 64, 64, 32)
	fd := export(t, a, dumb.Handle, uapi.Cloexec|uapi.RDWR)

	if got, err := importFD(a, fd); err != nil || got != dumb.Handle {
		t.Errorf("importing one's own buffer: handle %d, %v; want the same handle, %d", got, err, dumb.Handle)
	}
	for _, client := range []*drmtest.Client{b, c} {
		first, err := importFD(client, fd)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := importFD(client, fd); err != nil || again != first {
			t.Errorf("importing twice: handles %d and %d, %v", first, again, err)
		}
	}
	if m.Objects() != 1 || other.Objects() != 1 {
		t.Errorf("%d and %d buffers, want one on each device", m.Objects(), other.Objects())
	}

	// It is the same memory everywhere.
	pixels, err := mapDMABuf(t, fd, 0, dumb.Size)
	if err != nil {
		t.Fatal(err)
	}
	pixels[17] = 42
	o, err := other.Lookup(c.File, 1)
	if err != nil {
		t.Fatal(err)
	}
	if theirs, err := o.Pixels(); err != nil || theirs[17] != 42 {
		t.Errorf("the other device reads %d, %v", theirs[17], err)
	}
	o.Put()

	if err := drmtest.Ioctl(b, uapi.IoctlModeMapDumb, &uapi.ModeMapDumb{Handle: 1}); err != nil {
		t.Errorf("MAP_DUMB of a buffer of the same device: %v", err)
	}
	if err := drmtest.Ioctl(c, uapi.IoctlModeMapDumb, &uapi.ModeMapDumb{Handle: 1}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("MAP_DUMB of another device's buffer: %v, want EINVAL", err)
	}

	// The dma-buf outlives its device.
	if err := parent.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	a.File.Close()
	b.File.Close()
	if m.Objects() != 1 {
		t.Errorf("the device that is gone has %d buffers, want the one that has a dma-buf", m.Objects())
	}
	pixels[18] = 43
	if _, err := importFD(c, fd); err != nil {
		t.Errorf("importing a buffer of a device that is gone: %v", err)
	}
	// The other device's handle holds the dma-buf.
	if err := unix.Close(int(fd)); err != nil {
		t.Fatal(err)
	}
	if again := export(t, c, 1, 0); again != fd {
		t.Errorf("the second export is descriptor %d, want %d", again, fd)
	} else if gem.LookupDMABuf(statOf(t, again)).Flags() != unix.O_RDWR {
		t.Error("the second export of a buffer is another file than the first")
	}
	c.File.Close()
	if other.Objects() != 0 || m.Objects() != 1 {
		t.Errorf("%d and %d buffers are left, want the one that has a dma-buf", m.Objects(), other.Objects())
	}
}

func statOf(t testing.TB, fd int32) *unix.Stat_t {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(int(fd), &st); err != nil {
		t.Fatal(err)
	}
	return &st
}

// mapDMABuf maps a dma-buf as a host does for a client.
func mapDMABuf(t testing.TB, fd int32, offset, length uint64) ([]byte, error) {
	t.Helper()
	d := gem.LookupDMABuf(statOf(t, fd))
	if d == nil {
		t.Fatalf("descriptor %d is not a dma-buf", fd)
	}
	m, err := d.Mmap(offset, length)
	if err != nil {
		return nil, err
	}
	return mapMemory(t, m, length), nil
}

func TestPrimeErrors(t *testing.T) {
	_, dev, _ := newDevice(t)
	c := drmtest.Open(t, dev.Primary())
	dumb := createDumb(t, c, 64, 64, 32)
	for _, tc := range []struct {
		name string
		arg  uapi.PrimeHandle
		err  error
	}{
		{"no handle", uapi.PrimeHandle{Handle: 99}, unix.ENOENT},
		{"unknown flags", uapi.PrimeHandle{Handle: dumb.Handle, Flags: 1 << 3}, unix.EINVAL},
	} {
		if err := drmtest.Ioctl(c, uapi.IoctlPrimeHandleToFD, &tc.arg); !errors.Is(err, tc.err) {
			t.Errorf("PRIME_HANDLE_TO_FD, %s: %v, want %v", tc.name, err, tc.err)
		}
	}
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	memfd, err := unix.MemfdCreate("drm gem object", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(memfd)
	for _, tc := range []struct {
		name string
		fd   int32
		err  error
	}{
		{"no descriptor", -1, unix.EBADF},
		{"a closed descriptor", 999999, unix.EBADF},
		{"another file", int32(file.Fd()), unix.EINVAL},
		{"a memfd", int32(memfd), unix.EINVAL},
		{"a terminal", terminal(t), unix.EINVAL},
	} {
		if _, err := importFD(c, tc.fd); !errors.Is(err, tc.err) {
			t.Errorf("PRIME_FD_TO_HANDLE of %s: %v, want %v", tc.name, err, tc.err)
		}
	}
}

func TestNames(t *testing.T) {
	_, dev, _ := newDevice(t)
	a, err := drmtest.OpenAs(dev.Primary(), drm.Client{Admin: true}) // authenticated
	if err != nil {
		t.Fatal(err)
	}
	defer a.File.Close()
	stranger := drmtest.Open(t, dev.Primary())
	dumb := createDumb(t, a, 64, 64, 32)
	name := uapi.GEMFlink{Handle: dumb.Handle}
	for range 2 {
		if err := drmtest.Ioctl(a, uapi.IoctlGEMFlink, &name); err != nil || name.Name != 1 {
			t.Fatalf("GEM_FLINK: name %d, %v", name.Name, err)
		}
	}
	open := uapi.GEMOpen{Name: name.Name}
	if err := drmtest.Ioctl(a, uapi.IoctlGEMOpen, &open); err != nil || open.Size != dumb.Size || open.Handle == dumb.Handle {
		t.Errorf("GEM_OPEN: handle %d of %d bytes, %v", open.Handle, open.Size, err)
	}
	if err := drmtest.Ioctl(a, uapi.IoctlGEMOpen, &uapi.GEMOpen{Name: 2}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("GEM_OPEN of no name: %v, want ENOENT", err)
	}
	if err := drmtest.Ioctl(a, uapi.IoctlGEMFlink, &uapi.GEMFlink{Handle: 99}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("GEM_FLINK of no handle: %v, want ENOENT", err)
	}
	if err := drmtest.Ioctl(stranger, uapi.IoctlGEMOpen, &open); !errors.Is(err, unix.EACCES) {
		t.Errorf("GEM_OPEN without authentication: %v, want EACCES", err)
	}
	for _, handle := range []uint32{dumb.Handle, open.Handle} {
		if err := drmtest.Ioctl(a, uapi.IoctlGEMClose, &uapi.GEMClose{Handle: handle}); err != nil {
			t.Error(err)
		}
	}
	if err := drmtest.Ioctl(a, uapi.IoctlGEMOpen, &uapi.GEMOpen{Name: name.Name}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("GEM_OPEN after the last handle was closed: %v, want ENOENT", err)
	}
}

// TestLimitPrime checks a device that shares buffers in one direction only.
func TestLimitPrime(t *testing.T) {
	_, full, _ := newDevice(t)
	a := drmtest.Open(t, full.Primary())
	fd := export(t, a, createDumb(t, a, 64, 64, 32).Handle, 0)
	for _, tc := range []struct {
		caps           uint64
		exports, reads error
	}{
		{uapi.PrimeCapExport, nil, unix.ENOSYS},
		{uapi.PrimeCapImport, unix.ENOSYS, nil},
		{0, unix.ENOSYS, unix.ENOSYS},
	} {
		m, device, _ := newDevice(t)
		m.LimitPrime(tc.caps)
		b := drmtest.Open(t, device.Primary())
		got := uapi.GetCap{Capability: uapi.CapPrime}
		if err := drmtest.Ioctl(b, uapi.IoctlGetCap, &got); err != nil || got.Value != tc.caps {
			t.Errorf("DRM_CAP_PRIME is %#x: %v, want %#x", got.Value, err, tc.caps)
		}
		arg := uapi.PrimeHandle{Handle: createDumb(t, b, 64, 64, 32).Handle}
		err := drmtest.Ioctl(b, uapi.IoctlPrimeHandleToFD, &arg)
		if !errors.Is(err, tc.exports) {
			t.Errorf("with %#x, an export answers %v, want %v", tc.caps, err, tc.exports)
		}
		if err == nil {
			unix.Close(int(arg.FD))
		}
		if _, err := importFD(b, fd); !errors.Is(err, tc.reads) {
			t.Errorf("with %#x, an import answers %v, want %v", tc.caps, err, tc.reads)
		}
	}
}
