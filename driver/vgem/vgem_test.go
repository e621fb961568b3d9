package vgem_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vgem"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/uapi"
)

func newDevice(t testing.TB) (*vgem.Driver, *bus.Device) {
	d := vgem.NewDriver(drm.NewClass())
	return d, drmtest.Bind(t, bus.New("platform"), "vgem", d)
}

func createDumb(t testing.TB, c *drmtest.Client) uint32 {
	t.Helper()
	arg := uapi.ModeCreateDumb{Width: 64, Height: 64, BPP: 32}
	if err := drmtest.Ioctl(c, uapi.IoctlModeCreateDumb, &arg); err != nil {
		t.Fatal(err)
	}
	return arg.Handle
}

func attach(c *drmtest.Client, handle, flags uint32) (uint32, error) {
	arg := vgem.FenceAttach{Handle: handle, Flags: flags}
	err := drmtest.Ioctl(c, vgem.IoctlFenceAttach, &arg)
	return arg.OutFence, err
}

func mustAttach(t testing.TB, c *drmtest.Client, handle, flags uint32) uint32 {
	t.Helper()
	name, err := attach(c, handle, flags)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func signal(c *drmtest.Client, name uint32) error {
	return drmtest.Ioctl(c, vgem.IoctlFenceSignal, &vgem.FenceSignal{Fence: name})
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestDevice(t *testing.T) {
	driver, _ := newDevice(t)
	dev := driver.Device()
	if info := driver.Info(); info.Name != "vgem" || info.Desc != "Virtual GEM provider" || dev.Render() == nil {
		t.Errorf("%+v, render node %v", info, dev.Render())
	}
	c, render := drmtest.Open(t, dev.Primary()), drmtest.Open(t, dev.Render())
	for _, tc := range []struct {
		capability, want uint64
		err              error
	}{
		{uapi.CapPrime, uapi.PrimeCapImport | uapi.PrimeCapExport, nil},
		{uapi.CapTimestampMonotonic, 1, nil},
		{uapi.CapSyncobj, 0, nil},
		{uapi.CapDumbBuffer, 0, unix.EOPNOTSUPP}, // asked of displays only
	} {
		arg := uapi.GetCap{Capability: tc.capability}
		if err := drmtest.Ioctl(c, uapi.IoctlGetCap, &arg); arg.Value != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("GET_CAP %d: %d, %v; want %d, %v", tc.capability, arg.Value, err, tc.want, tc.err)
		}
	}
	err := drmtest.Ioctl(render, uapi.IoctlModeCreateDumb, &uapi.ModeCreateDumb{Width: 1, Height: 1, BPP: 8})
	wantErr(t, "CREATE_DUMB on the render node", err, unix.EACCES)

	// The render node imports, and its fences work.
	handle := createDumb(t, c)
	exported := uapi.PrimeHandle{Handle: handle, Flags: uapi.Cloexec | uapi.RDWR}
	if err := drmtest.Ioctl(c, uapi.IoctlPrimeHandleToFD, &exported); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(int(exported.FD))
	imported := uapi.PrimeHandle{FD: exported.FD}
	if err := drmtest.Ioctl(render, uapi.IoctlPrimeFDToHandle, &imported); err != nil {
		t.Fatal(err)
	}
	name := mustAttach(t, render, imported.Handle, vgem.FenceWrite)
	if got := polled(t, exported.FD); got != 0 {
		t.Errorf("poll says %#x of a buffer that is written", got)
	}
	wantErr(t, "signalling another file's fence", signal(c, name), unix.ENOENT)
	wantErr(t, "FENCE_SIGNAL", signal(render, name), nil)
	if got := polled(t, exported.FD); got != unix.POLLIN|unix.POLLOUT {
		t.Errorf("poll says %#x of an idle buffer", got)
	}
}

func polled(t testing.TB, fd int32) int16 {
	t.Helper()
	fds := []unix.PollFd{{Fd: fd, Events: unix.POLLIN | unix.POLLOUT}}
	for {
		if _, err := unix.Poll(fds, 0); err == nil {
			return fds[0].Revents
		} else if err != unix.EINTR {
			t.Fatal(err)
		}
	}
}

func TestFences(t *testing.T) {
	driver, _ := newDevice(t)
	c := drmtest.Open(t, driver.Device().Primary())
	handle := createDumb(t, c)
	for _, tc := range []struct {
		name string
		arg  vgem.FenceAttach
		err  error
	}{
		{"unknown flags", vgem.FenceAttach{Handle: handle, Flags: 0xff}, unix.EINVAL},
		{"padding", vgem.FenceAttach{Handle: handle, Pad: 1}, unix.EINVAL},
		{"no buffer", vgem.FenceAttach{Handle: 99}, unix.ENOENT},
	} {
		wantErr(t, "FENCE_ATTACH with "+tc.name, drmtest.Ioctl(c, vgem.IoctlFenceAttach, &tc.arg), tc.err)
	}
	for _, tc := range []struct {
		name string
		arg  vgem.FenceSignal
		err  error
	}{
		{"flags", vgem.FenceSignal{Flags: 1}, unix.EINVAL},
		{"no fence", vgem.FenceSignal{}, unix.ENOENT},
		{"an unknown fence", vgem.FenceSignal{Fence: 99}, unix.ENOENT},
	} {
		wantErr(t, "FENCE_SIGNAL with "+tc.name, drmtest.Ioctl(c, vgem.IoctlFenceSignal, &tc.arg), tc.err)
	}

	// Readers do not mind each other; a writer minds all.
	first, second := mustAttach(t, c, handle, 0), mustAttach(t, c, handle, 0)
	_, err := attach(c, handle, vgem.FenceWrite)
	wantErr(t, "a writer beside readers", err, unix.EBUSY)
	wantErr(t, "FENCE_SIGNAL", signal(c, first), nil)
	wantErr(t, "FENCE_SIGNAL again", signal(c, first), unix.ENOENT)
	wantErr(t, "FENCE_SIGNAL", signal(c, second), nil)
	writer := mustAttach(t, c, handle, vgem.FenceWrite)
	if writer <= second {
		t.Errorf("the name %d is used again", writer)
	}
	_, err = attach(c, handle, 0)
	wantErr(t, "a reader beside a writer", err, unix.EBUSY)
	wantErr(t, "FENCE_SIGNAL", signal(c, writer), nil)
}

// A fence that its client forgets is signalled after ten seconds.
func TestFenceTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver, _ := newDevice(t)
		c := drmtest.Open(t, driver.Device().Primary())
		handle := createDumb(t, c)
		name := mustAttach(t, c, handle, vgem.FenceWrite)
		o, err := driver.Buffers().Lookup(c.File, handle)
		if err != nil {
			t.Fatal(err)
		}
		defer o.Put()
		start := time.Now()
		pending := o.Pending()
		if len(pending) != 1 {
			t.Fatalf("%d fences are pending", len(pending))
		}
		<-pending[0].Done()
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("the fence was signalled after %v", took)
		}
		if _, _, err := pending[0].Status(); err != nil {
			t.Errorf("its status is %v", err)
		}
		wantErr(t, "FENCE_SIGNAL after the time", signal(c, name), unix.ETIMEDOUT)
		wantErr(t, "FENCE_SIGNAL again", signal(c, name), unix.ENOENT)
		wantErr(t, "FENCE_SIGNAL in time", signal(c, mustAttach(t, c, handle, 0)), nil)
	})
}

// The end of a file, and that of the device, leaves no fence pending.
func TestNobodyIsLeftWaiting(t *testing.T) {
	drmtest.NoLeaks(t)
	driver, parent := newDevice(t)
	keeper, c := drmtest.Open(t, driver.Device().Primary()), drmtest.Open(t, driver.Device().Primary())
	handle := createDumb(t, keeper)
	name := uapi.PrimeHandle{Handle: handle, Flags: uapi.Cloexec}
	if err := drmtest.Ioctl(keeper, uapi.IoctlPrimeHandleToFD, &name); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(int(name.FD))
	imported := uapi.PrimeHandle{FD: name.FD}
	if err := drmtest.Ioctl(c, uapi.IoctlPrimeFDToHandle, &imported); err != nil {
		t.Fatal(err)
	}
	mustAttach(t, c, imported.Handle, vgem.FenceWrite)
	c.File.Close()
	if got := polled(t, name.FD); got != unix.POLLIN|unix.POLLOUT {
		t.Errorf("poll says %#x after the file that attached the fence was closed", got)
	}
	mustAttach(t, keeper, handle, vgem.FenceWrite)
	if err := parent.Remove(); err != nil {
		t.Fatal(err)
	}
	if got := polled(t, name.FD); got != unix.POLLIN|unix.POLLOUT {
		t.Errorf("poll says %#x after the unplug", got)
	}
	_, err := attach(keeper, handle, 0)
	wantErr(t, "FENCE_ATTACH after the unplug", err, unix.ENODEV)
}

// Fences are attached and signalled while the device is pulled.
func TestUnplugStorm(t *testing.T) {
	drmtest.NoLeaks(t)
	before := gem.DMABufs()
	for range 30 {
		driver, parent := newDevice(t)
		var clients sync.WaitGroup
		atWork, removed := make(chan struct{}, 4), make(chan struct{})
		for range cap(atWork) {
			clients.Go(func() {
				c, err := drmtest.OpenAs(driver.Device().Primary(), drmtest.Self())
				if err != nil {
					t.Error(err)
					return
				}
				defer c.File.Close()
				handle := createDumb(t, c)
				exported := uapi.PrimeHandle{Handle: handle, Flags: uapi.Cloexec}
				if err := drmtest.Ioctl(c, uapi.IoctlPrimeHandleToFD, &exported); err != nil {
					t.Error(err)
					return
				}
				defer unix.Close(int(exported.FD))
				for n := 0; ; n++ {
					if n == 3 {
						atWork <- struct{}{}
					}
					name, err := attach(c, handle, vgem.FenceWrite)
					if err == nil {
						err = signal(c, name)
					}
					if err != nil {
						wantErr(t, "a request", err, unix.ENODEV)
						break
					}
				}
				<-removed
				if got := polled(t, exported.FD); got != unix.POLLIN|unix.POLLOUT {
					t.Errorf("poll says %#x after the unplug", got)
				}
			})
		}
		for range cap(atWork) {
			<-atWork
		}
		if err := parent.Remove(); err != nil {
			t.Fatal(err)
		}
		close(removed)
		clients.Wait()
		if n := driver.Buffers().Objects(); n != 0 {
			t.Errorf("%d buffers are left", n)
		}
	}
	if n := gem.DMABufs(); n > before {
		t.Errorf("%d dma-bufs are left", n-before)
	}
}

// FuzzFences sends any requests with any arguments.
func FuzzFences(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		driver, _ := newDevice(t)
		c := drmtest.Open(t, driver.Device().Primary())
		createDumb(t, c)
		createDumb(t, c)
		for ; len(script) >= 4; script = script[4:] {
			if script[0]&1 == 0 {
				arg := vgem.FenceAttach{Handle: uint32(script[1]), Flags: uint32(script[2]), Pad: uint32(script[3])}
				_ = drmtest.Ioctl(c, vgem.IoctlFenceAttach, &arg)
			} else {
				_ = drmtest.Ioctl(c, vgem.IoctlFenceSignal, &vgem.FenceSignal{Fence: uint32(script[1]), Flags: uint32(script[2])})
			}
		}
		c.File.Close()
		if n := driver.Buffers().Objects(); n != 0 {
			t.Errorf("%d buffers are left", n)
		}
	})
}
