package main

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// toyIoctlWait waits until the temperature is at least so much, and returns it.
var toyIoctlWait = uapi.IOWR(uapi.CommandBase, 8)

// toyWait is its argument.
type toyWait struct{ AtLeast, Temperature uint32 }

// toy is the DRM driver of devices that can only tell how hot they are.
var toy = &drm.Driver{
	Info:   drm.DriverInfo{Name: "toy", Desc: "Thermometer"},
	Ioctls: []drm.Ioctl{drm.NewIoctl(toyIoctlWait, 0, wait)},
}

// Driver returns the driver on the bus, which makes its DRM devices in class.
func Driver(class *drm.Class) *bus.Driver {
	return &bus.Driver{Name: "toy", Probe: func(parent *bus.BoundDevice) error { return probe(class, parent) }}
}

// registers are the hardware of one device. Using them when the device is gone is
// a SIGSEGV.
type registers struct {
	mu      sync.Mutex
	page    []byte
	changed chan struct{} // closed by the next interrupt
}

// probe acquires what it needs in order. It has no error paths to get wrong, and
// there is no remove: all of it goes with the binding, newest first.
func probe(class *drm.Class, parent *bus.BoundDevice) error {
	page, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return fmt.Errorf("mapping the registers: %w", err)
	}
	if _, err = parent.Devres().Add("registers", func() { _ = unix.Munmap(page) }); err != nil {
		return err
	}
	unregistered, err := drm.NewDevice(class, toy, parent, nil)
	if err != nil {
		return err
	}
	_, err = unregistered.Register(&registers{page: page, changed: make(chan struct{})})
	return err
}

// wait runs inside a registration guard. That it was given dev is the proof: the
// registers are there until it returns. An unplug ends the context, so that the
// wait for hardware that is gone has an end.
func wait(dev *drm.RegisteredDevice, req *drm.Request, arg *toyWait) error {
	regs := drm.RegistrationData[*registers](dev)
	for {
		temperature, changed := regs.read()
		if arg.Temperature = temperature; temperature >= arg.AtLeast {
			return nil
		}
		select {
		case <-changed:
		case <-req.Context().Done():
			if dev.Context().Err() != nil {
				return drm.ErrUnplugged
			}
			return unix.EINTR
		}
	}
}

func (r *registers) read() (uint32, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return uint32(r.page[0]), r.changed
}

// Heat is what the world does to the device. An interrupt is not a request, so
// it takes a guard itself.
func Heat(dev *drm.Device, temperature byte) error {
	return dev.WithGuard(func(dev *drm.RegisteredDevice) error {
		regs := drm.RegistrationData[*registers](dev)
		regs.mu.Lock()
		defer regs.mu.Unlock()
		regs.page[0] = temperature
		close(regs.changed)
		regs.changed = make(chan struct{})
		return nil
	})
}
