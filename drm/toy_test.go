package drm_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// The tests of this package drive toys: devices of a driver and of parts that
// are made of functions, on a bus of their own.

var toyInfo = drm.DriverInfo{Major: 3, Minor: 2, Patchlevel: 1, Name: "toy", Desc: "Driver of toys", Date: "20261122"}

// part is a drm.Part made of functions; those that are nil do nothing.
type part struct {
	ioctls     []drm.Ioctl
	open       func(*drm.RegisteredDevice, *drm.File) (any, error)
	release    func(*drm.RegisteredDevice, *drm.File)
	register   func(*drm.RegisteredDevice) error
	unplug     func(*drm.Device)
	unregister func(*drm.Device)
	cap        func(uint64) (uint64, bool)
	mmap       func(*drm.RegisteredDevice, *drm.File, uint64, uint64) (drm.Mapping, bool, error)
}

func (p *part) Ioctls() []drm.Ioctl { return p.ioctls }

func (p *part) Open(dev *drm.RegisteredDevice, f *drm.File) (any, error) {
	if p.open == nil {
		return nil, nil
	}
	return p.open(dev, f)
}

func (p *part) Release(dev *drm.RegisteredDevice, f *drm.File) {
	if p.release != nil {
		p.release(dev, f)
	}
}

func (p *part) Register(dev *drm.RegisteredDevice) error {
	if p.register == nil {
		return nil
	}
	return p.register(dev)
}

func (p *part) Unplug(dev *drm.Device) {
	if p.unplug != nil {
		p.unplug(dev)
	}
}

func (p *part) Unregister(dev *drm.Device) {
	if p.unregister != nil {
		p.unregister(dev)
	}
}

func (p *part) Cap(capability uint64) (uint64, bool) {
	if p.cap == nil {
		return 0, false
	}
	return p.cap(capability)
}

func (p *part) Mmap(dev *drm.RegisteredDevice, f *drm.File, offset, length uint64) (drm.Mapping, bool, error) {
	if p.mmap == nil {
		return drm.Mapping{}, false, nil
	}
	return p.mmap(dev, f, offset, length)
}

// A toy is a bound device, with a DRM device on it.
type toy struct {
	class  *drm.Class
	parent *bus.Device
	bound  *bus.BoundDevice
	made   *drm.UnregisteredDevice
	dev    *drm.Device
	reg    *drm.Registration // nil until registered

	reports *drmtest.Reports // of the class; nil when the test made it
}

// newToy makes the device of a driver and registers it.
func newToy(t testing.TB, d *drm.Driver, parts ...drm.Part) *toy {
	t.Helper()
	toy := newUnregisteredToy(t, d, parts...)
	toy.register(t, nil)
	return toy
}

// newUnregisteredToy leaves the registration to the test.
func newUnregisteredToy(t testing.TB, d *drm.Driver, parts ...drm.Part) *toy {
	t.Helper()
	reports := new(drmtest.Reports)
	toy := newUnregisteredToyOf(t, drm.NewClass(drm.ClassOptions{Logger: reports.Logger()}), d, parts...)
	toy.reports = reports
	return toy
}

func newUnregisteredToyOf(t testing.TB, class *drm.Class, d *drm.Driver, parts ...drm.Part) *toy {
	t.Helper()
	toy := &toy{class: class}
	toy.bind(t, bus.New("toys"), "robot", d, parts...)
	return toy
}

func (toy *toy) bind(t testing.TB, b *bus.Bus, name string, d *drm.Driver, parts ...drm.Part) {
	t.Helper()
	d.Info = toyInfo
	toy.parent = drmtest.Bind(t, b, name, &bus.Driver{Name: "toy", Probe: func(parent *bus.BoundDevice) (err error) {
		toy.bound = parent
		if toy.made, err = drm.NewDevice(toy.class, d, parent, "driver data"); err != nil {
			return err
		}
		for _, p := range parts {
			if err := toy.made.Attach(p); err != nil {
				return err
			}
		}
		toy.dev = toy.made.Device()
		return nil
	}})
}

func (toy *toy) register(t testing.TB, data any) {
	t.Helper()
	reg, err := toy.made.Register(data)
	if err != nil {
		t.Fatal(err)
	}
	toy.reg = reg
}

// A logbook records what happens.
type logbook struct {
	mu    sync.Mutex
	lines []string
}

func (l *logbook) write(words ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, strings.Join(words, " "))
}

func (l *logbook) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

func (l *logbook) expect(t testing.TB, want ...string) {
	t.Helper()
	if lines := l.take(); !slices.Equal(lines, want) {
		t.Errorf("it happened:\n\t%s\nwant:\n\t%s", strings.Join(lines, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// toyIoctl is a request of the driver without an argument.
func toyIoctl(nr uint32, flags drm.IoctlFlags, f func(*drm.RegisteredDevice, *drm.Request) error) drm.Ioctl {
	return drm.NewIoctl(uapi.IO(uapi.CommandBase+nr), flags, func(dev *drm.RegisteredDevice, req *drm.Request, _ *struct{}) error {
		return f(dev, req)
	})
}

// call sends a request of the driver without an argument.
func call(c *drmtest.Client, nr uint32) error {
	return drmtest.Ioctl(c, uapi.IO(uapi.CommandBase+nr), &struct{}{})
}

// openAs opens the primary node as a process and closes it at the end.
func openAs(t testing.TB, m *drm.Minor, as drm.Client) *drmtest.Client {
	t.Helper()
	c, err := drmtest.OpenAs(m, as)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.File.Close() })
	return c
}

// expectErr compares the errno of err; 0 stands for success.
func expectErr(t testing.TB, what string, err error, want unix.Errno) {
	t.Helper()
	if got := drm.Errno(err); got != want {
		t.Errorf("%s: %v, want errno %d (%v)", what, err, want, want)
	}
}

var errBroken = errors.New("broken toy")

// ioctlNr is the number of toyIoctl's request.
func ioctlNr(nr uint32) uint32 { return uapi.IO(uapi.CommandBase + nr) }
