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

// Toy drives display devices that can only tell how hot they are. It is the
// driver on the bus and the DRM driver at once.
type Toy struct{ Class *drm.Class }

// registers are the hardware of one device. Using them when the device is gone is
// a SIGSEGV.
type registers struct {
	mu      sync.Mutex
	page    []byte
	changed chan struct{} // closed by the next interrupt
}

// Probe takes what it needs in order. It has no error paths to get wrong, and
// there is no remove: all of it goes with the binding, newest first.
func (t *Toy) Probe(parent *bus.BoundDevice) error {
	page, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return fmt.Errorf("mapping the registers: %w", err)
	}
	if _, err = parent.Devres().Add("registers", func() { _ = unix.Munmap(page) }); err != nil {
		return err
	}
	unregistered, err := drm.NewDevice(t.Class, t, parent, nil)
	if err != nil {
		return err
	}
	_, err = unregistered.Register(&registers{page: page, changed: make(chan struct{})})
	return err
}

// Unbind would switch the hardware off, ahead of a planned removal.
func (t *Toy) Unbind(*bus.BoundDevice) {}

func (t *Toy) Name() string           { return "toy" }
func (t *Toy) Info() drm.DriverInfo   { return drm.DriverInfo{Name: "toy", Desc: "Thermometer"} }
func (t *Toy) Features() drm.Features { return 0 }
func (t *Toy) Ioctls() []drm.Ioctl    { return []drm.Ioctl{drm.NewIoctl(toyIoctlWait, 0, wait)} }

// wait runs inside a registration guard. That it was given dev is the proof: the
// registers are there until it returns. An unplug ends the context, so that the
// wait for hardware that is gone has an end.
func wait(dev *drm.RegisteredDevice, req *drm.Request, arg *toyWait) error {
	regs := dev.RegistrationData().(*registers)
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
		regs := dev.RegistrationData().(*registers)
		regs.mu.Lock()
		defer regs.mu.Unlock()
		regs.page[0] = temperature
		close(regs.changed)
		regs.changed = make(chan struct{})
		return nil
	})
}
