package drm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// registers are the hardware of a device in the storm: a page of memory that
// the binding has mapped. When the binding ends, any access faults. (The page
// is made inaccessible, and unmapped only after the storm: an address that
// something else takes over would not fault.)
type registers struct {
	page []byte
	hits *atomic.Int64 // accesses when the hardware was gone
}

func mapRegisters(t testing.TB, hits *atomic.Int64) *registers {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(page) })
	return &registers{page: page, hits: hits}
}

func (r *registers) unmap() {
	if err := unix.Mprotect(r.page, unix.PROT_NONE); err != nil {
		panic(err)
	}
}

// touch works with the hardware for a while, as a handler does that was handed
// the registered view. An access that faults, or that has no bound parent, is
// a hit.
func touch(dev *drm.RegisteredDevice, hits *atomic.Int64) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			hits.Add(1)
		}
	}()
	for range 1 + rand.IntN(30) {
		r := drm.RegistrationData[*registers](dev) // nil when it was released
		r.page[rand.IntN(len(r.page))]++
		if !dev.Parent().Bound() {
			panic("the parent is not bound")
		}
		if rand.IntN(4) == 0 {
			runtime.Gosched()
		}
	}
}

// The requests of the storm's driver.
const (
	stormTouch = iota
	stormWait  // until the unplug
	stormEvent
)

// stormDriver is the driver of a device whose every entry point touches the
// hardware.
type stormDriver struct {
	t     testing.TB
	class *drm.Class
	hits  *atomic.Int64
	fd    int // what clients map

	dev *drm.Device
}

func (d *stormDriver) busDriver() *bus.Driver {
	return &bus.Driver{Name: "storm", Probe: d.probe, Unbind: d.unbind}
}

func (d *stormDriver) probe(parent *bus.BoundDevice) error {
	r := mapRegisters(d.t, d.hits)
	if _, err := parent.Devres().Add("registers", r.unmap); err != nil {
		return err
	}
	u, err := drm.NewDevice(d.class, &drm.Driver{Features: drm.FeatureRender, Ioctls: d.ioctls()}, parent, nil)
	if err != nil {
		return err
	}
	if err := u.Attach(d.part()); err != nil {
		return err
	}
	d.dev = u.Device()
	_, err = u.Register(r)
	return err
}

// unbind finds the hardware still working.
func (d *stormDriver) unbind(parent *bus.BoundDevice) {
	if err := d.dev.WithGuard(func(dev *drm.RegisteredDevice) error { touch(dev, d.hits); return nil }); err != nil {
		d.t.Errorf("the driver cannot bring the hardware to rest: %v", err)
	}
}

func (d *stormDriver) ioctls() []drm.Ioctl {
	return []drm.Ioctl{
		toyIoctl(stormTouch, drm.IoctlRenderAllow, func(dev *drm.RegisteredDevice, req *drm.Request) error {
			touch(dev, d.hits)
			return nil
		}),
		toyIoctl(stormWait, drm.IoctlRenderAllow, func(dev *drm.RegisteredDevice, req *drm.Request) error {
			<-req.Context().Done()
			touch(dev, d.hits) // still inside the guard
			return context.Cause(req.Context())
		}),
		toyIoctl(stormEvent, drm.IoctlRenderAllow, func(dev *drm.RegisteredDevice, req *drm.Request) error {
			e, err := req.File.ReserveEvent(32)
			if err != nil {
				return err
			}
			touch(dev, d.hits)
			e.Send(make([]byte, 32))
			return nil
		}),
	}
}

func (d *stormDriver) part() drm.Part {
	return &part{
		open: func(dev *drm.RegisteredDevice, _ *drm.File) (any, error) {
			touch(dev, d.hits)
			return nil, nil
		},
		release: func(dev *drm.RegisteredDevice, _ *drm.File) {
			if dev != nil {
				touch(dev, d.hits)
			}
		},
		register: func(dev *drm.RegisteredDevice) error { touch(dev, d.hits); return nil },
		mmap: func(dev *drm.RegisteredDevice, _ *drm.File, _, _ uint64) (drm.Mapping, bool, error) {
			touch(dev, d.hits)
			return drm.Mapping{FD: d.fd, Release: func() {}}, true, nil
		},
	}
}

// client works on the node until the device is gone, then goes on calling for a
// while, as programs do.
func (d *stormDriver) client(m *drm.Minor, calls *atomic.Int64) error {
	c, err := drmtest.OpenAs(m, user)
	if err != nil {
		return onlyUnplugged("open", err)
	}
	defer c.File.Close()
	over, cancel := context.WithCancel(context.Background())
	cancel()
	buf := make([]byte, 4096)
	for after := 0; after < 10; {
		var what string
		var err error
		switch op := rand.IntN(100); {
		case op < 50:
			what = "touch"
			err = call(c, stormTouch)
		case op < 51:
			what = "wait"
			if err = call(c, stormWait); err == nil {
				return errors.New("a wait ended without an unplug")
			}
		case op < 65:
			what = "event"
			if err = call(c, stormEvent); errors.Is(err, unix.ENOMEM) {
				err = nil
			}
		case op < 80:
			what = "read"
			if _, err = c.File.Read(over, buf, true); errors.Is(err, unix.EAGAIN) {
				err = nil
			}
		case op < 85:
			c.File.Poll(over)
		case op < 90:
			what = "version"
			err = drmtest.Ioctl(c, uapi.IoctlVersion, &uapi.Version{})
		case op < 95:
			what = "mmap"
			err = d.mapAndTouch(c)
		default:
			what = "open and close"
			var again *drm.File
			if again, err = m.Open(other, os.O_RDWR, nil); err == nil {
				again.Close()
			}
		}
		calls.Add(1)
		if err != nil {
			if err := onlyUnplugged(what, err); err != nil {
				return err
			}
			after++
		} else if after > 0 && what != "" && what != "read" {
			return fmt.Errorf("%s succeeds after another request got ENODEV", what)
		}
	}
	return nil
}

func onlyUnplugged(what string, err error) error {
	if drm.Errno(err) != unix.ENODEV {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (d *stormDriver) mapAndTouch(c *drmtest.Client) error {
	m, err := c.File.Mmap(drm.FakeOffsetMin, uint64(os.Getpagesize()))
	if err != nil {
		return err
	}
	defer m.Release()
	memory, err := unix.Mmap(m.FD, m.Offset, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	memory[0]++ // never SIGBUS, unplugged or not
	return unix.Munmap(memory)
}

// TestStorm plugs and unplugs a device 100 times while clients are at work, and
// wants no access to hardware that is gone. A second device goes on
// undisturbed.
func TestStorm(t *testing.T) {
	drmtest.NoLeaks(t)
	fd, err := unix.MemfdCreate("storm", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Ftruncate(fd, int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	var hits atomic.Int64
	class, b := drm.NewClass(drm.ClassOptions{}), bus.New("storm")
	newDriver := func() *stormDriver { return &stormDriver{t: t, class: class, hits: &hits, fd: fd} }

	steady := newDriver()
	drmtest.Bind(t, b, "steady", steady.busDriver())
	bystander := openAs(t, steady.dev.Primary(), user)
	stop := make(chan struct{})
	var bystanders sync.WaitGroup
	bystanders.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := call(bystander, stormTouch); err != nil {
					t.Errorf("the second device: %v", err)
					return
				}
				runtime.Gosched()
			}
		}
	})

	for cycle := range 100 {
		d := newDriver()
		parent, err := b.Add("stormy")
		if err != nil {
			t.Fatal(err)
		}
		if err := parent.Bind(d.busDriver()); err != nil {
			t.Fatal(err)
		}
		if got := d.dev.Name(); got != "card1" {
			t.Fatalf("cycle %d: the device is %s: an earlier one is still referred to", cycle, got)
		}
		var calls atomic.Int64
		var clients sync.WaitGroup
		for i := range 6 {
			m := d.dev.Primary()
			if i%2 == 1 {
				m = d.dev.Render()
			}
			clients.Go(func() {
				if err := d.client(m, &calls); err != nil {
					t.Errorf("cycle %d: %v", cycle, err)
				}
			})
		}
		for limit := rand.Int64N(1000); calls.Load() < limit && d.dev.Guards() < 6; {
			runtime.Gosched()
		}
		end := func() error { return parent.Remove(context.Background()) }
		if cycle%2 == 0 {
			end = func() error {
				return errors.Join(parent.Unbind(context.Background()), parent.Remove(context.Background()))
			}
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		clients.Wait()
		if d.dev.State() != drm.Gone || d.dev.Files() != 0 || d.dev.Guards() != 0 {
			t.Fatalf("cycle %d: the device is %v, with %d files and %d guards", cycle, d.dev.State(), d.dev.Files(), d.dev.Guards())
		}
	}
	close(stop)
	bystanders.Wait()
	if n := hits.Load(); n != 0 {
		t.Errorf("%d hits: accesses to hardware that was gone", n)
	}
}
