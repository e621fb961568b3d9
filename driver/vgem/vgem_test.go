package vgem_test

import (
	"context"
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
	"github.com/udrm/udrm/internal/kmsclient"
)

func newDevice(t testing.TB) (*vgem.Driver, *bus.Device) {
	d := vgem.NewDriver(drm.NewClass(drm.ClassOptions{}))
	return d, drmtest.Bind(t, bus.New("platform"), "vgem", d.BusDriver())
}

// A client has a node of the device open. Its methods that return no error end
// the test on one.
type client struct {
	testing.TB
	*kmsclient.Client
	file *drm.File
}

func open(t testing.TB, m *drm.Minor) client {
	t.Helper()
	c := drmtest.Open(t, m)
	return client{t, kmsclient.New(c.Process()), c.File}
}

func (c client) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c client) dumb() (handle uint32) {
	c.Helper()
	dumb, err := c.CreateDumb(64, 64, 32)
	c.must(err)
	return dumb.Handle
}

func (c client) dmaBuf(handle, flags uint32) (fd int32) {
	c.Helper()
	fd, err := c.Export(handle, flags)
	c.must(err)
	return fd
}

func (c client) attach(handle, flags uint32) (name uint32, err error) {
	arg := vgem.FenceAttach{Handle: handle, Flags: flags}
	err = kmsclient.Ioctl(c, vgem.IoctlFenceAttach, &arg)
	return arg.OutFence, err
}

func (c client) mustAttach(handle, flags uint32) (name uint32) {
	c.Helper()
	name, err := c.attach(handle, flags)
	c.must(err)
	return name
}

func (c client) signal(name uint32) error {
	return kmsclient.Ioctl(c, vgem.IoctlFenceSignal, &vgem.FenceSignal{Fence: name})
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
	if info := driver.Device().Driver().Info; info.Name != "vgem" || info.Desc != "Virtual GEM provider" || dev.Render() == nil {
		t.Errorf("%+v, render node %v", info, dev.Render())
	}
	c, render := open(t, dev.Primary()), open(t, dev.Render())
	for _, tc := range []struct {
		capability, want uint64
		err              error
	}{
		{uapi.CapPrime, uapi.PrimeCapImport | uapi.PrimeCapExport, nil},
		{uapi.CapTimestampMonotonic, 1, nil},
		{uapi.CapSyncobj, 0, nil},
		{uapi.CapDumbBuffer, 0, unix.EOPNOTSUPP}, // only devices with displays answer it
	} {
		if value, err := c.Cap(tc.capability); value != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("GET_CAP %d: %d, %v; want %d, %v", tc.capability, value, err, tc.want, tc.err)
		}
	}
	_, err := render.CreateDumb(1, 1, 8)
	wantErr(t, "CREATE_DUMB on the render node", err, unix.EACCES)

	// The render node imports, and its fences work.
	dmaBuf := c.dmaBuf(c.dumb(), uapi.Cloexec|uapi.RDWR)
	defer unix.Close(int(dmaBuf))
	imported, err := render.Import(dmaBuf)
	render.must(err)
	name := render.mustAttach(imported, vgem.FenceWrite)
	if got := polled(t, dmaBuf); got != 0 {
		t.Errorf("poll of a buffer with a write fence: %#x, want 0", got)
	}
	wantErr(t, "signalling another file's fence", c.signal(name), unix.ENOENT)
	wantErr(t, "FENCE_SIGNAL", render.signal(name), nil)
	if got := polled(t, dmaBuf); got != unix.POLLIN|unix.POLLOUT {
		t.Errorf("poll of an idle buffer: %#x", got)
	}
}

func polled(t testing.TB, fd int32) int16 {
	t.Helper()
	fds := []unix.PollFd{{Fd: fd, Events: unix.POLLIN | unix.POLLOUT}}
	for {
		if _, err := unix.Poll(fds, 0); err == nil {
			return fds[0].Revents
		} else if !errors.Is(err, unix.EINTR) {
			t.Fatal(err)
		}
	}
}

func TestFences(t *testing.T) {
	driver, _ := newDevice(t)
	c := open(t, driver.Device().Primary())
	handle := c.dumb()
	for _, tc := range []struct {
		name string
		arg  vgem.FenceAttach
		err  error
	}{
		{"unknown flags", vgem.FenceAttach{Handle: handle, Flags: 0xff}, unix.EINVAL},
		{"padding", vgem.FenceAttach{Handle: handle, Pad: 1}, unix.EINVAL},
		{"no buffer", vgem.FenceAttach{Handle: 99}, unix.ENOENT},
	} {
		wantErr(t, "FENCE_ATTACH with "+tc.name, kmsclient.Ioctl(c, vgem.IoctlFenceAttach, &tc.arg), tc.err)
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
		wantErr(t, "FENCE_SIGNAL with "+tc.name, kmsclient.Ioctl(c, vgem.IoctlFenceSignal, &tc.arg), tc.err)
	}

	// Read fences may coexist; a write fence excludes all others.
	first, second := c.mustAttach(handle, 0), c.mustAttach(handle, 0)
	_, err := c.attach(handle, vgem.FenceWrite)
	wantErr(t, "a writer beside readers", err, unix.EBUSY)
	wantErr(t, "FENCE_SIGNAL", c.signal(first), nil)
	wantErr(t, "FENCE_SIGNAL again", c.signal(first), unix.ENOENT)
	wantErr(t, "FENCE_SIGNAL", c.signal(second), nil)
	writer := c.mustAttach(handle, vgem.FenceWrite)
	if writer <= second {
		t.Errorf("name %d is reused", writer)
	}
	_, err = c.attach(handle, 0)
	wantErr(t, "a reader beside a writer", err, unix.EBUSY)
	wantErr(t, "FENCE_SIGNAL", c.signal(writer), nil)
}

// TestFenceTimeout checks that a fence that its client does not signal is
// signalled after ten seconds.
func TestFenceTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver, _ := newDevice(t)
		c := open(t, driver.Device().Primary())
		handle := c.dumb()
		name := c.mustAttach(handle, vgem.FenceWrite)
		o, err := driver.Buffers().Lookup(c.file, handle)
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
		wantErr(t, "FENCE_SIGNAL after the time", c.signal(name), unix.ETIMEDOUT)
		wantErr(t, "FENCE_SIGNAL again", c.signal(name), unix.ENOENT)
		wantErr(t, "FENCE_SIGNAL in time", c.signal(c.mustAttach(handle, 0)), nil)
	})
}

// TestNoFenceIsLeftPending checks that closing the file, or removing the
// device, signals all fences.
func TestNoFenceIsLeftPending(t *testing.T) {
	drmtest.NoLeaks(t)
	driver, parent := newDevice(t)
	keeper, c := open(t, driver.Device().Primary()), open(t, driver.Device().Primary())
	handle := keeper.dumb()
	dmaBuf := keeper.dmaBuf(handle, uapi.Cloexec)
	defer unix.Close(int(dmaBuf))
	imported, err := c.Import(dmaBuf)
	c.must(err)
	c.mustAttach(imported, vgem.FenceWrite)
	c.file.Close()
	if got := polled(t, dmaBuf); got != unix.POLLIN|unix.POLLOUT {
		t.Errorf("poll after the file that attached the fence was closed: %#x", got)
	}
	keeper.mustAttach(handle, vgem.FenceWrite)
	if err := parent.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := polled(t, dmaBuf); got != unix.POLLIN|unix.POLLOUT {
		t.Errorf("poll after the unplug: %#x", got)
	}
	_, err = keeper.attach(handle, 0)
	wantErr(t, "FENCE_ATTACH after the unplug", err, unix.ENODEV)
}

// TestUnplugStorm attaches and signals fences while the device is removed.
func TestUnplugStorm(t *testing.T) {
	drmtest.NoLeaks(t)
	before := gem.DMABufs()
	for range 30 {
		driver, parent := newDevice(t)
		var clients sync.WaitGroup
		atWork, removed := make(chan struct{}, 4), make(chan struct{})
		for range cap(atWork) {
			c := open(t, driver.Device().Primary())
			handle := c.dumb()
			dmaBuf := c.dmaBuf(handle, uapi.Cloexec)
			clients.Go(func() {
				defer c.file.Close()
				defer unix.Close(int(dmaBuf))
				for n := 0; ; n++ {
					if n == 3 {
						atWork <- struct{}{}
					}
					name, err := c.attach(handle, vgem.FenceWrite)
					if err == nil {
						err = c.signal(name)
					}
					if err != nil {
						wantErr(t, "a request", err, unix.ENODEV)
						break
					}
				}
				<-removed
				if got := polled(t, dmaBuf); got != unix.POLLIN|unix.POLLOUT {
					t.Errorf("poll after the unplug: %#x", got)
				}
			})
		}
		for range cap(atWork) {
			<-atWork
		}
		if err := parent.Remove(context.Background()); err != nil {
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

// FuzzFences sends requests with arbitrary arguments.
func FuzzFences(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		driver, _ := newDevice(t)
		c := open(t, driver.Device().Primary())
		c.dumb()
		c.dumb()
		for ; len(script) >= 4; script = script[4:] {
			if script[0]&1 == 0 {
				arg := vgem.FenceAttach{Handle: uint32(script[1]), Flags: uint32(script[2]), Pad: uint32(script[3])}
				_ = kmsclient.Ioctl(c, vgem.IoctlFenceAttach, &arg)
			} else {
				_ = kmsclient.Ioctl(c, vgem.IoctlFenceSignal, &vgem.FenceSignal{Fence: uint32(script[1]), Flags: uint32(script[2])})
			}
		}
		c.file.Close()
		if n := driver.Buffers().Objects(); n != 0 {
			t.Errorf("%d buffers are left", n)
		}
	})
}
